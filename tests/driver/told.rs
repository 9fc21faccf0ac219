//! What a person is told, in conditions and Events, while something is wrong or under way.

use bluegreen_apiserver::Kind;
use bluegreen_operator::api::Color::{Blue, Green};
use serde_json::json;

use crate::rig::{APP, Rig, spec};

/// What `kubectl describe` shows of a first activation, a switch, a switch back and a stall.
#[tokio::test]
async fn the_events_of_an_app_tell_its_story() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    rig.settle().await;
    rig.activate(Blue);
    rig.settle().await;
    rig.edit(|spec| spec["blue"]["tag"] = json!("v9"));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/LiveColorEditHeld");
    rig.edit(|spec| spec["blue"]["tag"] = json!("v1"));
    rig.settle().await;
    let mut told = rig.events().await;
    told.sort();
    let held = "LiveColorEditHeld: spec.blue changed while blue is live, so the change is held until blue is idle. To apply \
                it now, put it in spec.green and set spec.active to green, or set spec.activeUpdatePolicy to RollingUpdate";
    let mut expected = vec![
        "Normal SwitchStarted: Switching to blue".to_owned(),
        "Normal Activated: Switched to blue, the first live color (team/hello:v1)".to_owned(),
        "Normal SwitchStarted: Switching from blue to green".to_owned(),
        "Normal Switched: Switched from blue to green (team/hello:v2)".to_owned(),
        "Normal SwitchStarted: Switching from green to blue".to_owned(),
        "Normal RolledBack: Switched back from green to blue (team/hello:v1)".to_owned(),
        format!("Warning Stalled: {held}"),
        format!("Normal Recovered: Resolved: {held}"),
    ];
    expected.extend(
        ["blue", "green"]
            .map(|c| format!("Normal Drained: {c} has drained; it may be scaled down or changed now")),
    );
    expected.sort();
    assert_eq!(told, expected);
    rig.finish();
}

/// `spec.paused` silences nobody: the alert on an app that is not Ready has to fire.
#[tokio::test]
async fn a_paused_app_without_a_ready_pod_is_not_ready() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["paused"] = json!(true));
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Paused");
    rig.controllers.ready("hello-blue", 0);
    rig.step();
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "False/LiveNotReady");
    assert!(rig.condition("Ready").message.contains("spec.paused is true"), "{:?}", rig.condition("Ready"));
    let degraded = rig.events().await;
    assert!(
        degraded.iter().any(|event| event.starts_with("Warning LiveDegraded: blue has 0 of 2")),
        "{degraded:?}"
    );
}

/// The message has the command that mends it; until then nothing is written but the status.
#[tokio::test]
async fn a_forged_token_stalls_the_app_until_its_label_is_removed() {
    const LABEL: &str = "/metadata/labels/bluegreen.dev~1fence";
    let mut rig = Rig::serving(spec()).await;
    rig.server.edit(Kind::Deployment, "hello-green", |deployment| {
        *deployment.pointer_mut(LABEL).expect("a token") = json!("0a1b2c3d.99.0");
    });
    rig.activate(Green);
    let _ = rig.server.take_log();
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/FenceConflict");
    let words = rig.condition("Stalled").message;
    assert!(words.ends_with("kubectl label deployment/hello-green bluegreen.dev/fence-"), "{words}");
    let writes = rig.writes();
    assert!(writes.iter().all(|write| write.contains("status") || write.contains("events")), "{writes:?}");

    rig.server.edit(Kind::Deployment, "hello-green", |deployment| {
        deployment["metadata"]["labels"].as_object_mut().expect("labels").remove("bluegreen.dev/fence");
    });
    rig.settle().await;
    assert_eq!((rig.says("Ready").as_str(), rig.says("Stalled").as_str()), ("True/Serving", "/"));
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}
