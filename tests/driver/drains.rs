//! While the old color drains: it is left as it is until its time is over.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::Phase;
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec_with};

const SECOND: Duration = Duration::from_secs(1);

/// Green serves since a moment ago, and blue drains for a minute.
async fn draining(fields: Value) -> Rig {
    let mut spec = spec_with(json!({ "drainSeconds": 60 }));
    for (key, value) in fields.as_object().into_iter().flatten() {
        spec[key.as_str()] = value.clone();
    }
    let mut rig = Rig::serving(spec).await;
    rig.activate(Green);
    rig.settle().await;
    assert!(drains(&rig) && rig.world().selects(APP) == "green");
    rig
}

fn drains(rig: &Rig) -> bool {
    rig.status().phase == Some(Phase::Draining)
}

/// Most of the drain; the rest is asked for by the test.
async fn nearly(rig: &mut Rig) {
    rig.run(SECOND * 50).await;
    assert!(drains(rig), "{:#}", rig.app()["status"]);
}

#[tokio::test]
async fn the_old_color_grows_in_its_drain_and_shrinks_only_after_it() {
    let mut rig = draining(json!({})).await;
    for count in [4, 1] {
        rig.edit(|spec| spec["replicas"] = json!(count));
        rig.run(SECOND).await;
        assert_eq!(rig.world().size(APP, Green), Some(count));
        assert_eq!(rig.world().size(APP, Blue), Some(4), "a way back would wait for new pods");
    }
    rig.run(SECOND * 50).await;
    assert_eq!(rig.world().size(APP, Blue), Some(4));
    rig.run(SECOND * 15).await;
    assert_eq!(rig.world().size(APP, Blue), Some(1));
    rig.finish();
}

#[tokio::test]
async fn a_pause_keeps_the_old_color_as_it_is_however_long() {
    let mut rig = draining(json!({})).await;
    rig.edit(|spec| {
        spec["standby"] = json!({ "replicas": 0 });
        spec["paused"] = json!(true);
    });
    rig.run(SECOND * 120).await;
    assert_eq!(rig.status().phase, Some(Phase::Paused));
    assert_eq!(rig.world().size(APP, Blue), Some(2), "long after the drain");
    assert_eq!(rig.world().selects(APP), "green");
    rig.edit(|spec| spec["paused"] = json!(false));
    rig.run(SECOND * 65).await;
    assert_eq!(rig.world().size(APP, Blue), Some(0));
    rig.finish();
}

#[tokio::test]
async fn a_drain_that_is_cut_short_ends_at_once() {
    let mut rig = draining(json!({})).await;
    rig.edit(|spec| spec["drainSeconds"] = json!(0));
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn a_block_that_is_removed_is_kept_until_the_end_of_the_drain() {
    let mut rig = draining(json!({})).await;
    rig.edit(|spec| {
        spec.as_object_mut().unwrap().remove("blue");
    });
    nearly(&mut rig).await;
    assert_eq!(rig.world().pods(APP, Blue).len(), 2, "connections may still be open");
    rig.run(SECOND * 15).await;
    let children = rig.world().children(APP);
    assert!(children.iter().all(|child| !child.contains("hello-blue")), "{children:?}");
    assert!(rig.world().settled(APP));
    rig.finish();
}

#[tokio::test]
async fn a_deployment_deleted_in_its_drain_is_made_again() {
    let mut rig = draining(json!({})).await;
    rig.server.delete(Kind::Deployment, "hello-blue");
    rig.step();
    rig.settle().await;
    assert!(rig.runs(Blue, "v1"));
    assert_eq!(rig.world().size(APP, Blue), Some(2));
}

#[tokio::test]
async fn an_image_set_by_hand_is_taken_back_only_after_the_drain() {
    let mut rig = draining(json!({})).await;
    rig.set_image("hello-blue", "evil/image:v666");
    nearly(&mut rig).await;
    // A roll would cut more connections.
    assert_eq!(rig.world().image(APP, Blue).as_deref(), Some("evil/image:v666"));
    rig.run(SECOND * 15).await;
    assert!(rig.runs(Blue, "v1") && rig.world().settled(APP));
    rig.finish();
}

#[tokio::test]
async fn a_selector_edited_in_a_drain_is_put_back_and_the_drain_begins_anew() {
    let mut rig = draining(json!({ "standby": { "replicas": 0 } })).await;
    nearly(&mut rig).await;
    rig.server.patch(
        Kind::Service,
        APP,
        &json!({ "spec": { "selector": { "bluegreen.dev/color": "blue" } } }),
    );
    rig.step();
    rig.run(SECOND).await;
    assert_eq!(rig.world().selects(APP), "green");
    // Blue had connections again.
    nearly(&mut rig).await;
    assert_eq!(rig.world().size(APP, Blue), Some(2));
    rig.run(SECOND * 15).await;
    assert_eq!(rig.world().size(APP, Blue), Some(0));
    assert_eq!(rig.served(), ["team/hello:v1", "team/hello:v2"]);
    rig.finish();
}

#[tokio::test]
async fn a_switch_back_to_a_new_tag_waits_for_the_end_of_the_drain() {
    let mut rig = draining(json!({})).await;
    rig.edit(|spec| {
        spec["active"] = json!("blue");
        spec["blue"]["tag"] = json!("v4");
    });
    rig.run(SECOND * 50).await;
    assert_eq!(rig.condition("Reconciling").status, "True");
    assert!(rig.runs(Blue, "v1"), "blue drains");
    rig.run(SECOND * 15).await;
    assert_eq!(rig.world().selects(APP), "blue");
    assert_eq!(rig.served(), ["team/hello:v1", "team/hello:v2", "team/hello:v4"]);
    rig.finish();
}

#[tokio::test]
async fn a_switch_back_that_has_to_wait_can_be_taken_back() {
    let mut rig = draining(json!({})).await;
    rig.controllers.ready("hello-blue", 0);
    rig.step();
    rig.activate(Blue);
    rig.settle().await;
    assert_eq!(rig.condition("Reconciling").status, "True");
    assert_eq!(rig.world().selects(APP), "green");
    rig.activate(Green);
    rig.settle().await;
    assert!(drains(&rig), "blue drains on");
    assert_eq!(rig.world().selects(APP), "green");
    assert_eq!(rig.served(), ["team/hello:v1", "team/hello:v2"]);
    rig.finish();
}

#[tokio::test]
async fn a_switch_lets_an_edit_pass_that_was_held() {
    let mut rig = Rig::serving(spec_with(json!({ "drainSeconds": 10 }))).await;
    rig.edit(|spec| spec["blue"]["tag"] = json!("v9"));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/LiveColorEditHeld");
    rig.activate(Green);
    rig.run(SECOND * 5).await;
    assert!(rig.runs(Blue, "v1"), "blue drains");
    rig.run(SECOND * 10).await;
    assert!(rig.runs(Blue, "v9") && rig.world().selects(APP) == "green");
    rig.finish();
}
