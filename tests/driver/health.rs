//! Is what serves called healthy, and only then?

use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use crate::rig::{APP, Rig, spec, spec_with};

async fn has_no_warning(rig: &Rig) {
    let warnings: Vec<String> = rig.events().await.into_iter().filter(|e| e.starts_with("Warning")).collect();
    assert_eq!(warnings, [""; 0]);
}

/// `kubectl scale`, or an autoscaler: nothing has failed.
#[tokio::test]
async fn growing_is_not_failing() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["replicas"] = json!(4));
    rig.controllers.ready("hello-blue", 2);
    rig.settle().await;
    assert_ne!(rig.condition("Ready").reason, "LiveNotReady", "{:?}", rig.condition("Ready"));
    assert_eq!(rig.says("Reconciling"), "True/Scaling");
    has_no_warning(&rig).await;

    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    has_no_warning(&rig).await;
    rig.finish();
}

/// Pods of the old version serve as long as those of the new one are not ready.
#[tokio::test]
async fn an_update_in_place_is_not_failing() {
    let mut rig = Rig::serving(spec_with(json!({ "activeUpdatePolicy": "RollingUpdate" }))).await;
    rig.edit(|spec| spec["blue"]["tag"] = json!("v9"));
    rig.controllers.ready("hello-blue", 0);
    rig.settle().await;
    let ready = rig.condition("Ready");
    assert_ne!(ready.reason, "LiveNotReady", "{ready:?}");
    assert!(!ready.message.contains("0 of 2 pods available"), "two pods serve: {ready:?}");
    assert_eq!(rig.says("Reconciling"), "True/Updating");
    has_no_warning(&rig).await;

    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    has_no_warning(&rig).await;
    rig.finish();
}

#[tokio::test]
async fn a_live_color_that_loses_pods_is_called_not_ready_until_it_recovers() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-blue", 1);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "False/LiveNotReady");
    assert_eq!(rig.world().selects(APP), "blue", "nobody asked for a switch");
    let degraded = rig.events().await;
    assert!(degraded.iter().any(|event| event.starts_with("Warning LiveDegraded:")), "{degraded:?}");

    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    let recovered = rig.events().await;
    assert!(recovered.iter().any(|event| event.starts_with("Normal LiveRecovered:")), "{recovered:?}");
    rig.finish();
}

#[tokio::test]
async fn a_failing_live_color_can_be_left_for_a_healthy_one() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-blue", 0);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "False/LiveNotReady");
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
}

/// A pause holds the operator's hands, not its tongue.
#[tokio::test]
async fn a_paused_app_whose_pods_fail_is_not_ready() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["paused"] = json!(true));
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Paused");
    rig.controllers.ready("hello-blue", 0);
    rig.settle().await;
    let ready = rig.condition("Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "LiveNotReady"), "{ready:?}");
    assert!(ready.message.contains("paused"), "{ready:?}");
    let degraded = rig.events().await;
    assert!(degraded.iter().any(|event| event.starts_with("Warning LiveDegraded:")), "{degraded:?}");
}

/// The alert for pods that fail does not fire for an app that is stalled.
#[tokio::test]
async fn a_change_that_a_pause_holds_back_does_not_hide_pods_that_fail() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| {
        spec["paused"] = json!(true);
        spec["green"]["tag"] = json!("v3");
    });
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Paused");
    rig.controllers.ready("hello-blue", 0);
    rig.settle().await;
    assert_eq!((rig.says("Ready").as_str(), rig.says("Stalled").as_str()), ("False/LiveNotReady", "/"));
    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/Paused");
}
