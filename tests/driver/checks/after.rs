//! Checks after a switch, and the way back.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::{Cause, CheckResult, Phase};
use serde_json::json;

use super::{End, checked, end, job, job_of, jobs, says, serving};
use crate::rig::{APP, Rig};

const MINUTE: Duration = Duration::from_secs(60);

/// Green has just been made live, and its check runs.
async fn watched() -> Rig {
    let mut rig = serving(&[job("errors", "After")]).await;
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    assert_eq!(says(&rig, "errors"), Some(CheckResult::Running));
    rig
}

#[tokio::test]
async fn an_app_is_not_ready_before_the_checks_after_its_switch_have_passed() {
    let mut rig = watched().await;
    assert_eq!(rig.says("Ready"), "False/Checking");
    assert_eq!(rig.status().phase, Some(Phase::Checking));
    assert_eq!(rig.status().green.unwrap().unproven_revision, Some(1));
    end(&rig, "errors", End::Passes);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving");
    assert_eq!(rig.status().phase, Some(Phase::Stable));
    assert_eq!(rig.status().green.unwrap().unproven_revision, None);
    rig.finish();
}

#[tokio::test]
async fn a_check_that_fails_after_the_switch_takes_it_back() {
    let mut rig = watched().await;
    let pods = rig.world().pods(APP, Blue);
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    assert_eq!(rig.world().pods(APP, Blue), pods, "the very pods that served before");
    assert_eq!(rig.switches(), [Blue, Green, Blue]);
    assert_eq!(rig.says("Stalled"), "True/CheckFailed");
    assert_eq!(rig.says("Ready"), "False/CheckFailed");
    let message = rig.condition("Stalled").message;
    assert!(message.contains("blue was made live again"), "{message}");
    let status = rig.status();
    assert_eq!((status.history[0].cause, status.phase), (Cause::Check, Some(Phase::Stalled)));
    assert_eq!(status.green.unwrap().unproven_revision, Some(1), "it stays under suspicion");
    let events = rig.events().await;
    for reason in ["Warning CheckFailed", "Warning SwitchedBack"] {
        assert!(events.iter().any(|event| event.starts_with(reason)), "{events:?}");
    }
    // That is the end of it, whatever time passes.
    rig.run(MINUTE * 20).await;
    assert_eq!(rig.switches(), [Blue, Green, Blue]);
    rig.finish();
}

#[tokio::test]
async fn a_check_that_cannot_tell_after_the_switch_takes_nothing_back() {
    let mut rig = watched().await;
    end(&rig, "errors", End::CannotTell);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving");
    let message = rig.condition("Ready").message;
    assert!(message.contains("errors"), "{message}");
    assert_eq!(rig.switches(), [Blue, Green]);
    assert_eq!(rig.status().phase, Some(Phase::Stable));
    // Nothing was found against it, so a way back to it waits for nothing.
    assert_eq!(rig.status().green.unwrap().unproven_revision, None);
    rig.activate(Blue);
    rig.settle().await;
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving");
    assert_eq!(rig.world().selects(APP), "green");
    rig.finish();
}

/// Between the switch and the verdict the old color stays as it is, or there would be nothing to go back to.
#[tokio::test]
async fn the_old_color_is_neither_edited_nor_removed_nor_reduced_before_the_verdict() {
    for change in [
        json!({ "blue": { "tag": "v9" } }),
        json!({ "standby": { "replicas": 0 } }),
        json!({ "replicas": 1 }),
    ] {
        let mut rig = watched().await;
        let pods = rig.world().pods(APP, Blue);
        rig.edit(|spec| merge(spec, &change));
        rig.settle().await;
        assert_eq!(rig.world().pods(APP, Blue), pods, "{change}");
        end(&rig, "errors", End::Fails);
        rig.settle().await;
        let world = rig.world();
        assert_eq!(
            (world.selects(APP), world.image(APP, Blue)),
            ("blue", Some("team/hello:v1".to_owned())),
            "{change}"
        );
        rig.finish();
    }
}

fn merge(spec: &mut serde_json::Value, change: &serde_json::Value) {
    for (key, value) in change.as_object().unwrap() {
        spec[key.as_str()] = value.clone();
    }
}

/// Whoever takes the other block out leaves nothing to go back to, and says so by that.
#[tokio::test]
async fn without_the_old_colors_block_the_watch_is_over() {
    let mut rig = watched().await;
    rig.edit(|spec| spec["blue"] = json!(null));
    rig.settle().await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.switches(), [Blue, Green]);
    assert_eq!(says(&rig, "errors"), Some(CheckResult::Failed));
    rig.finish();
}

#[tokio::test]
async fn a_switch_back_by_hand_ends_the_watch_at_once() {
    let mut rig = watched().await;
    rig.activate(Blue);
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(rig.says("Ready"), "True/Serving");
    assert_eq!(jobs(&rig), [""; 0]);
    rig.finish();
}

/// The edit is held, and checked as a new revision after the way back.
#[tokio::test]
async fn an_edit_of_the_live_color_while_it_fails_is_tried_after_the_way_back() {
    let mut rig = watched().await;
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.switches(), [Blue, Green, Blue, Green], "back, and then the new version");
    assert!(rig.runs(Green, "v3"));
    assert_eq!(rig.says("Ready"), "False/Checking");
    end(&rig, "errors", End::Passes);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}

#[tokio::test]
async fn a_pause_in_the_watch_changes_nothing_and_the_check_starts_over() {
    let mut rig = watched().await;
    let first = job_of(&rig, "errors");
    rig.edit(|spec| spec["paused"] = json!(true));
    rig.settle().await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green", "paused");
    rig.edit(|spec| spec["paused"] = json!(false));
    rig.settle().await;
    assert_ne!(job_of(&rig, "errors"), first);
    assert_eq!(rig.world().selects(APP), "green");
    end(&rig, "errors", End::Passes);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}

#[tokio::test]
async fn the_way_back_needs_the_same_gate_as_ever_and_says_what_is_missing() {
    let mut rig = watched().await;
    rig.controllers.ready("hello-blue", 0);
    rig.settle().await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    let message = rig.condition("Stalled").message;
    assert!(message.contains("blue can't be made live again yet: blue has 0 of 2 pods"), "{message}");
    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    rig.finish();
}

/// There is nothing to go back to.
#[tokio::test]
async fn after_a_first_activation_a_check_only_reports() {
    let mut rig = Rig::new(checked(&[job("errors", "After")]));
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.switches(), [Blue]);
    assert_eq!(says(&rig, "errors"), Some(CheckResult::Failed));
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}

/// An autoscaler may push in the watch: the app is still not ready, and pods that fail are told before the checks.
#[tokio::test]
async fn a_change_of_size_in_the_watch_does_not_call_the_app_ready() {
    let mut rig = watched().await;
    rig.controllers.ready("hello-green", 2);
    rig.edit(|spec| spec["replicas"] = json!(4));
    rig.settle().await;
    assert_eq!(
        (rig.says("Ready"), rig.says("Reconciling")),
        ("False/Checking".into(), "True/Checking".into())
    );
    rig.controllers.ready("hello-green", 1);
    rig.settle().await;
    assert_eq!((rig.says("Ready"), rig.says("Reconciling")), ("False/LiveNotReady".into(), "/".into()));
    rig.controllers.heal("hello-green");
    rig.settle().await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    rig.finish();
}
