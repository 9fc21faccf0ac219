//! What is told of an app: the Events of its story, and why its pods are late.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{Rig, spec};

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

/// The ReplicaSet has replaced the evicted pod, and nobody has deleted it.
#[tokio::test]
async fn a_pod_that_was_evicted_is_not_the_reason_why_others_are_late() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 0);
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    let newest = |pod: &Value| pod["metadata"]["labels"]["bluegreen.dev/revision"] == "2";
    let mut evicted = rig.server.all(Kind::Pod).into_iter().find(newest).expect("a new pod");
    evicted["metadata"] = json!({ "name": "evicted", "labels": evicted["metadata"]["labels"] });
    evicted["status"]["phase"] = json!("Failed");
    evicted["status"]["containerStatuses"][0]["state"] = json!({ "terminated": { "exitCode": 137 } });
    rig.server.create(Kind::Pod, evicted);
    rig.run(Duration::from_secs(20)).await;
    let words = "green has 0 of 2 pods ready: 1 pod: the readiness probe does not succeed";
    assert_eq!(rig.condition("StandbyReady").message, words);
    let _ = rig.server.take_log();
    rig.run(Duration::from_secs(60)).await;
    assert_eq!(rig.writes(), Vec::<String>::new(), "the words are stable");
}
