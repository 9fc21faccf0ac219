//! Checks before a switch.

use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::{CheckResult, Phase};
use bluegreen_apiserver::Kind;
use serde_json::json;

use super::{End, checked, end, entry, job, job_of, jobs, says, serving};
use crate::rig::{APP, Rig};

#[tokio::test]
async fn a_switch_waits_for_every_check_that_comes_before_it() {
    let mut rig = serving(&[job("smoke", "Before"), job("load", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "False/Checking");
    assert_eq!(rig.says("Reconciling"), "True/Checking");
    assert_eq!(rig.status().phase, Some(Phase::Checking));
    assert!(rig.condition("Ready").message.contains("smoke, load"), "{:?}", rig.condition("Ready"));
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue", "one of two has passed");
    assert!(rig.condition("Ready").message.ends_with(": load"), "{:?}", rig.condition("Ready"));
    end(&rig, "load", End::Passes);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}

/// What has served well is the way back, which waits for nothing.
#[tokio::test]
async fn a_way_back_waits_for_no_check() {
    let mut rig = serving(&[job("smoke", "Before"), job("errors", "After")]).await;
    rig.activate(Green);
    rig.settle().await;
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    end(&rig, "errors", End::Passes);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    let before = rig.server.all(Kind::Job).len();
    rig.activate(Blue);
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "it has served well, too");
    assert!(rig.server.all(Kind::Job).len() <= before, "{:?}", jobs(&rig));
    rig.finish();
}

#[tokio::test]
async fn a_check_that_fails_keeps_the_live_color_and_ends_the_others() {
    let mut rig = serving(&[job("smoke", "Before"), job("load", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    end(&rig, "load", End::Fails);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    assert_eq!(rig.says("Stalled"), "True/CheckFailed");
    assert_eq!(rig.says("Ready"), "False/CheckFailed");
    let message = rig.condition("Stalled").message;
    for words in ["Check load failed for green", "exit code 1", "blue stays live", "spec.green.revision"] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Inconclusive));
    assert_eq!(jobs(&rig), ["load"], "the other one is ended, and this one's log is kept");
    assert_eq!(rig.status().phase, Some(Phase::Stalled));
    assert_eq!(rig.status().switch, None, "nothing is under way");
    let events = rig.events().await;
    assert!(
        events.iter().any(|event| event.starts_with("Warning CheckFailed: Check load of green")),
        "{events:?}"
    );
    rig.finish();
}

/// Not even a good color is selected because something could not be found out.
#[tokio::test]
async fn a_check_that_cannot_tell_never_moves_traffic() {
    let mut rig = serving(&[job("smoke", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    end(&rig, "smoke", End::CannotTell);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    assert_eq!(rig.says("Stalled"), "True/CheckInconclusive");
    assert!(rig.condition("Stalled").message.contains("backoff limit"), "{:?}", rig.condition("Stalled"));
    rig.finish();
}

/// The revision is a part of what a verdict is about.
#[tokio::test]
async fn an_edit_of_the_target_drops_the_check_and_begins_anew_after_the_gate() {
    let mut rig = serving(&[job("smoke", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    let first = job_of(&rig, "smoke");
    rig.controllers.ready("hello-green", 0);
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert_eq!(jobs(&rig), [""; 0], "that Job is dropped, and the gate is not passed yet");
    assert_eq!(rig.says("Ready"), "False/WaitingForTarget");
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert_ne!(job_of(&rig, "smoke"), first);
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green) && rig.runs(Green, "v3"));
    rig.finish();
}

/// An app that rests does not say that a check runs, at no moment.
#[tokio::test]
async fn a_switch_that_is_canceled_leaves_no_check_in_the_status() {
    let mut rig = serving(&[job("smoke", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Running));
    rig.activate(Blue);
    for _ in 0..10 {
        rig.pass().await;
        if rig.world().serves(APP, Blue) {
            assert_eq!(says(&rig, "smoke"), None);
        }
    }
    assert!(rig.world().serves(APP, Blue));
    rig.finish();
}

/// The verdict of a switch that was canceled says nothing about the next one.
#[tokio::test]
async fn a_verdict_after_a_cancel_counts_for_nothing() {
    let mut rig = serving(&[job("smoke", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    let first = job_of(&rig, "smoke");
    rig.activate(Blue);
    rig.pass().await;
    rig.activate(Green);
    rig.settle().await;
    assert_ne!(job_of(&rig, "smoke"), first, "another Job, for another switch");
    assert_eq!(rig.world().selects(APP), "blue");
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn a_pause_runs_no_check_and_what_passed_before_it_is_worth_nothing() {
    let mut rig = serving(&[job("smoke", "Before"), job("load", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    let before: Vec<String> = ["smoke", "load"].map(|check| job_of(&rig, check)).to_vec();
    rig.edit(|spec| spec["paused"] = json!(true));
    rig.settle().await;
    end(&rig, "load", End::Passes);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    rig.edit(|spec| spec["paused"] = json!(false));
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue", "the checks start over");
    let after: Vec<String> = ["smoke", "load"].map(|check| job_of(&rig, check)).to_vec();
    assert!(before.iter().all(|name| !after.contains(name)), "{before:?} {after:?}");
    for check in ["smoke", "load"] {
        end(&rig, check, End::Passes);
    }
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// `enforce: false` is a dry run, and the way forward in an emergency.
#[tokio::test]
async fn a_check_that_only_reports_decides_nothing() {
    let mut dry = job("smoke", "Before");
    dry["enforce"] = json!(false);
    let mut rig = serving(&[dry]).await;
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "it has begun, and that is all that the switch waits for");
    end(&rig, "smoke", End::Fails);
    rig.settle().await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Failed), "{:?}", entry(&rig, "smoke"));
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}

#[tokio::test]
async fn a_first_activation_is_gated_by_what_comes_before_it() {
    let mut rig = Rig::new(checked(&[job("smoke", "Before")]));
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "none");
    assert_eq!(rig.says("Ready"), "False/Checking");
    end(&rig, "smoke", End::Fails);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "none");
    assert!(
        rig.condition("Stalled").message.contains("no color is live yet"),
        "{:?}",
        rig.condition("Stalled")
    );
    rig.edit(|spec| spec["blue"]["revision"] = json!("again"));
    rig.settle().await;
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    rig.finish();
}

#[tokio::test]
async fn an_app_with_checks_at_rest_causes_no_request() {
    let mut rig = serving(&[job("smoke", "Before"), job("errors", "After")]).await;
    rig.activate(Green);
    rig.settle().await;
    for _ in 0..2 {
        let _ = rig.server.take_log();
        for _ in 0..10 {
            rig.pass().await;
            rig.step();
        }
        let requests: Vec<String> = rig.server.take_log().iter().map(|logged| logged.words()).collect();
        assert_eq!(requests, [""; 0], "neither while a check runs nor after it");
        end(&rig, "smoke", End::Fails);
        rig.settle().await;
    }
    rig.finish();
}
