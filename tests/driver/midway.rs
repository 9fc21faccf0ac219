//! What happens in the middle of something else: while a target rolls, or while the app is paused.

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec};

/// Green `v3` is to serve, and its pods do not get ready until the test lets them.
async fn rolling() -> Rig {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 0);
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert!(rig.runs(Green, "v3") && rig.condition("Reconciling").status == "True");
    rig
}

async fn let_green_serve(mut rig: Rig, images: &[&str]) {
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
    assert_eq!(rig.served(), images);
    rig.finish();
}

fn select(color: &str) -> Value {
    json!({ "spec": { "selector": { "bluegreen.dev/color": color } } })
}

#[tokio::test]
async fn the_other_color_can_be_asked_for_before_anything_serves() {
    let mut rig = Rig::new(spec());
    rig.controllers.ready("hello-blue", 0);
    rig.settle().await;
    assert_eq!(rig.condition("Reconciling").status, "True");
    rig.activate(Green);
    rig.settle().await;
    // Blue is the idle color now, and is still not ready.
    assert_eq!(rig.world().selects(APP), "green");
    assert_eq!(rig.served(), ["team/hello:v2"], "blue was never selected");
    rig.finish();
}

#[tokio::test]
async fn a_tag_that_is_edited_again_while_it_rolls_is_the_one_that_serves() {
    let mut rig = rolling().await;
    rig.edit(|spec| spec["green"]["tag"] = json!("v4"));
    rig.settle().await;
    let_green_serve(rig, &["team/hello:v1", "team/hello:v4"]).await;
}

#[tokio::test]
async fn a_size_that_is_raised_while_the_target_rolls_counts_for_the_switch() {
    let mut rig = rolling().await;
    rig.edit(|spec| spec["replicas"] = json!(4));
    rig.settle().await;
    rig.controllers.ready("hello-green", 1);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue", "fewer than blue has are not enough");
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!([Blue, Green].map(|color| rig.world().size(APP, color)), [Some(4); 2]);
    rig.finish();
}

#[tokio::test]
async fn a_selector_edited_while_the_target_rolls_is_put_back_first() {
    let mut rig = rolling().await;
    rig.server.patch(Kind::Service, APP, &select("green"));
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    let_green_serve(rig, &["team/hello:v1", "team/hello:v3"]).await;
}

#[tokio::test]
async fn a_service_deleted_while_the_target_rolls_is_back_with_the_committed_color() {
    let mut rig = rolling().await;
    rig.server.delete(Kind::Service, APP);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    let_green_serve(rig, &["team/hello:v1", "team/hello:v3"]).await;
}

#[tokio::test]
async fn a_target_deleted_while_it_rolls_is_made_again_before_the_switch() {
    let mut rig = rolling().await;
    rig.server.delete(Kind::Deployment, "hello-green");
    rig.step();
    rig.settle().await;
    let_green_serve(rig, &["team/hello:v1", "team/hello:v3"]).await;
}

#[tokio::test]
async fn the_live_color_is_healed_while_the_target_rolls() {
    let mut rig = rolling().await;
    rig.set_image("hello-blue", "evil/image:v666");
    rig.settle().await;
    assert!(rig.runs(Blue, "v1") && rig.world().selects(APP) == "blue");
    let_green_serve(rig, &["team/hello:v1", "team/hello:v3"]).await;
}

#[tokio::test]
async fn nothing_is_put_back_while_paused() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["paused"] = json!(true));
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Paused");
    rig.server.patch(Kind::Service, APP, &select("green"));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Paused", "it says that something waits");
    assert_eq!(rig.world().selects(APP), "green", "nothing is written");
    assert_eq!(rig.status().active, Some(Blue), "what was committed");
    rig.edit(|spec| spec["paused"] = json!(false));
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(rig.served(), ["team/hello:v1"]);
    rig.finish();
}
