//! What each edit of the spec means.

use std::time::Duration;

use bluegreen_api::Color::{self, Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

fn team(name: &str) -> Value {
    json!({ "metadata": { "labels": { "team": name } } })
}

async fn switch(rig: &mut Rig, to: Color) {
    rig.activate(to);
    rig.settle().await;
    assert!(rig.world().serves(APP, to));
}

#[tokio::test]
async fn an_edit_of_the_idle_color_changes_its_pods_alone_and_shows_on_its_own_service() {
    let mut rig = Rig::serving(spec()).await;
    let blue = rig.world().pods(APP, Blue);
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    let world = rig.world();
    assert!(world.settled(APP) && rig.runs(Green, "v3"));
    let endpoints = world.endpoints("hello-green");
    assert_eq!(endpoints.iter().filter(|endpoint| endpoint.ready).count(), 2);
    assert!(endpoints.iter().all(|endpoint| endpoint.pod.starts_with("hello-green-")));
    assert_eq!(world.pods(APP, Blue), blue);
    assert!(world.endpoints(APP).iter().all(|endpoint| endpoint.pod.starts_with("hello-blue-")));
    assert_eq!(world.selects(APP), "blue");
    rig.finish();
}

#[tokio::test]
async fn a_shared_edit_reaches_only_a_color_that_is_being_prepared() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["template"] = team("a"));
    rig.settle().await;
    assert_eq!(rig.label(Green, "team"), "a", "it never served");
    assert_eq!(rig.label(Blue, "team"), Value::Null, "it is live and keeps what it runs");

    switch(&mut rig, Green).await;
    let pods = [Blue, Green].map(|color| rig.world().pods(APP, color));
    rig.edit(|spec| spec["template"] = team("b"));
    rig.settle().await;
    assert!(rig.world().settled(APP));
    assert_eq!(rig.label(Green, "team"), "a", "it is live");
    assert_eq!(rig.label(Blue, "team"), Value::Null, "it served last and is what a rollback goes back to");
    assert_eq!([Blue, Green].map(|color| rig.world().pods(APP, color)), pods);

    rig.edit(|spec| spec["blue"]["tag"] = json!("v3"));
    rig.settle().await;
    assert_eq!(rig.label(Blue, "team"), "b", "an edit of its own block brings it up to date");
    rig.finish();
}

/// Of the Deployment of a color: its deadline, the surge, and how long pods have to be ready.
fn settings(rig: &Rig, color: Color) -> [Value; 3] {
    let spec = &rig.server.get(Kind::Deployment, &format!("{APP}-{color}")).unwrap()["spec"];
    let surge = &spec["strategy"]["rollingUpdate"]["maxSurge"];
    [&spec["progressDeadlineSeconds"], surge, &spec["minReadySeconds"]].map(Value::clone)
}

#[tokio::test]
async fn an_edit_that_changes_no_pod_makes_no_revision_and_still_reaches_both_deployments() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 0);
    rig.deploy(Green, "v3");
    rig.settle().await;
    let pods = |rig: &Rig| Color::ALL.map(|color| rig.world().pods(APP, color));
    let before = pods(&rig);
    rig.edit(|spec| {
        spec["progressDeadlineSeconds"] = json!(900);
        spec["maxSurge"] = json!(1);
        spec["minReadySeconds"] = json!(1);
        spec["drainSeconds"] = json!(1);
    });
    rig.settle().await;
    assert_eq!(Color::ALL.map(|color| settings(&rig, color)), [(); 2].map(|()| [900, 1, 1].map(Value::from)));
    assert_eq!((pods(&rig), rig.status().green.unwrap().revision), (before, 2));
    rig.controllers.heal("hello-green");
    rig.run(Duration::from_secs(3)).await;
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn a_revision_renders_a_color_anew_with_nothing_else_changed() {
    let mut rig = Rig::serving(spec()).await;
    switch(&mut rig, Green).await;
    rig.edit(|spec| spec["template"] = team("a"));
    rig.settle().await;
    rig.edit(|spec| spec["blue"]["revision"] = json!("2"));
    rig.settle().await;
    assert_eq!(rig.label(Blue, "team"), "a");
    assert_eq!(rig.label(Green, "team"), Value::Null);
    assert_eq!(rig.status().blue.unwrap().revision, 2);
    rig.finish();
}

#[tokio::test]
async fn a_rollback_brings_the_old_configuration_back_without_a_new_pod() {
    let mut rig = Rig::serving(spec()).await;
    let blue = |rig: &Rig| {
        let template = rig.world().deployment(APP, Blue).and_then(|d| d.spec).map(|spec| spec.template);
        (rig.world().pods(APP, Blue), template)
    };
    let before = blue(&rig);
    // Probe, template, tag and `active` in one commit.
    rig.edit(|spec| {
        spec["active"] = json!("green");
        spec["green"]["tag"] = json!("v3");
        spec["readinessProbe"] = json!({ "httpGet": { "path": "/healthz" } });
        spec["template"] = team("b");
    });
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.label(Green, "team"), "b");
    switch(&mut rig, Blue).await;
    assert_eq!(blue(&rig), before);
    assert_eq!(rig.served()[2], "team/hello:v1");
    rig.finish();
}

#[tokio::test]
async fn an_edit_of_the_live_color_is_held_and_says_how_to_go_on() {
    let mut rig = Rig::serving(spec()).await;
    let pods = rig.world().pods(APP, Blue);
    rig.edit(|spec| spec["blue"]["tag"] = json!("v9"));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/LiveColorEditHeld");
    let message = rig.condition("Stalled").message;
    for words in ["spec.blue", "spec.green", "spec.active", "RollingUpdate"] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(rig.status().blue.unwrap().held.as_deref(), Some("team/hello:v9"));

    rig.edit(|spec| spec["blue"]["tag"] = json!("v1"));
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue), "taking it back is enough");
    assert_eq!(rig.world().pods(APP, Blue), pods);

    // Together with a switch it applies as soon as blue is idle.
    rig.edit(|spec| {
        spec["blue"]["tag"] = json!("v9");
        spec["active"] = json!("green");
    });
    rig.settle().await;
    assert!(rig.world().serves(APP, Green) && rig.runs(Blue, "v9"));
    rig.finish();
}

#[tokio::test]
async fn the_rolling_update_policy_rolls_the_live_color_without_a_gap() {
    // With a single pod, "never empty" is "never below its size".
    let rolling = json!({ "replicas": 1, "activeUpdatePolicy": "RollingUpdate" });
    let mut rig = Rig::serving(spec_with(rolling)).await;
    rig.edit(|spec| spec["blue"]["tag"] = json!("v9"));
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue) && rig.runs(Blue, "v9"));
    assert_eq!(rig.switches(), [Blue], "nothing was switched");
    // What serves now is what a rollback goes back to.
    switch(&mut rig, Green).await;
    let pods = rig.world().pods(APP, Blue);
    switch(&mut rig, Blue).await;
    assert_eq!(rig.world().pods(APP, Blue), pods);
    rig.finish();
}

#[tokio::test]
async fn a_held_edit_rolls_out_when_the_policy_allows_it() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["blue"]["tag"] = json!("v9"));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/LiveColorEditHeld");
    rig.edit(|spec| spec["activeUpdatePolicy"] = json!("RollingUpdate"));
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue) && rig.runs(Blue, "v9"));
    rig.finish();
}

#[tokio::test]
async fn removing_the_idle_color_takes_its_objects_and_it_can_come_back() {
    let mut rig = Rig::serving(spec()).await;
    switch(&mut rig, Green).await;
    switch(&mut rig, Blue).await;
    // The edit comes with the switch.
    rig.edit(|spec| {
        spec["active"] = json!("green");
        spec.as_object_mut().unwrap().remove("blue");
    });
    rig.settle().await;
    let world = rig.world();
    assert!(world.settled(APP));
    assert!(
        world.children(APP).iter().all(|child| !child.contains("hello-blue")),
        "{:?}",
        world.children(APP)
    );
    assert!(world.pods(APP, Blue).is_empty());
    assert_eq!(rig.says("StandbyReady"), "False/Absent");
    assert_eq!(world.selects(APP), "green");

    rig.edit(|spec| spec["blue"] = json!({ "tag": "v5" }));
    rig.settle().await;
    switch(&mut rig, Blue).await;
    assert!(rig.runs(Blue, "v5"));
    rig.finish();
}

#[tokio::test]
async fn a_paused_app_stays_as_it_is_and_goes_on_later() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["paused"] = json!(true));
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Paused");

    rig.deploy(Green, "v3");
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Paused", "a change that waits is no success");
    let before = rig.server.history().len();
    rig.settle().await;
    assert_eq!(rig.server.history().len(), before, "nothing is changed");
    assert!(rig.world().selects(APP) == "blue" && rig.runs(Green, "v2"));

    rig.edit(|spec| spec["paused"] = json!(false));
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.served()[1], "team/hello:v3");
    rig.finish();
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_switch_stops_it() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 0);
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert!(rig.runs(Green, "v3"));
    rig.edit(|spec| spec["paused"] = json!(true));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Paused");
    // Green becomes ready meanwhile.
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    rig.edit(|spec| spec["paused"] = json!(false));
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn edits_of_the_service_leave_its_selector_alone() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| {
        spec["service"] = json!({
            "type": "NodePort", "port": 80, "sessionAffinity": "ClientIP", "annotations": { "example.com/x": "y" },
        });
    });
    rig.settle().await;
    let service = rig.world().service(APP).unwrap();
    let (annotations, spec) = (service.metadata.annotations.unwrap(), service.spec.unwrap());
    assert_eq!(
        (spec.type_.as_deref(), spec.session_affinity.as_deref()),
        (Some("NodePort"), Some("ClientIP"))
    );
    assert_eq!((spec.ports.unwrap()[0].port, annotations["example.com/x"].as_str()), (80, "y"));
    assert!(rig.world().serves(APP, Blue));

    rig.edit(|spec| {
        spec.as_object_mut().unwrap().remove("service");
    });
    rig.edit(|spec| spec["service"] = json!({ "type": "ClusterIP" }));
    rig.settle().await;
    let service = rig.world().service(APP).unwrap();
    let (annotations, spec) = (service.metadata.annotations.unwrap(), service.spec.unwrap());
    assert_eq!((spec.type_.as_deref(), spec.session_affinity.as_deref()), (Some("ClusterIP"), Some("None")));
    let numbers: Vec<i32> = spec.ports.unwrap().iter().map(|port| port.port).collect();
    assert_eq!(numbers, [8888]);
    assert!(!annotations.contains_key("example.com/x"));
    assert!(rig.world().serves(APP, Blue));
    rig.finish();
}
