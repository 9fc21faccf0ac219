//! The Events that tell the story of an app.

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
