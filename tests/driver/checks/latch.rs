//! What was refused, and what ends that.

use bluegreen_api::CheckResult;
use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::json;

use super::{End, end, job, jobs, says, serving};
use crate::rig::{APP, Rig};

/// Green was refused by a check after its switch, and blue is live again.
async fn refused() -> Rig {
    let mut rig = serving(&[job("errors", "After")]).await;
    rig.activate(Green);
    rig.settle().await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!((rig.world().selects(APP), rig.says("Stalled").as_str()), ("blue", "True/CheckFailed"));
    rig
}

/// An autoscaler, a tool that applies the same again, a shared field: none of them asks for something else.
#[tokio::test]
async fn what_was_refused_stays_refused_while_the_spec_asks_for_the_same() {
    let mut rig = refused().await;
    rig.edit(|spec| spec["replicas"] = json!(3));
    rig.settle().await;
    rig.edit(|spec| spec["template"] = json!({ "metadata": { "annotations": { "rollme": "x" } } }));
    rig.settle().await;
    rig.server.edit(Kind::App, APP, |app| app["metadata"]["annotations"] = json!({ "note": "again" }));
    rig.settle().await;
    rig.restart();
    rig.settle().await;
    assert_eq!(rig.switches(), [Blue, Green, Blue]);
    assert_eq!(rig.says("Stalled"), "True/CheckFailed");
    assert_eq!(rig.world().size(APP, Blue), Some(3), "the live color is kept at its size");
    rig.finish();
}

#[tokio::test]
async fn a_new_text_in_revision_tries_the_same_again() {
    let mut rig = refused().await;
    rig.edit(|spec| spec["green"]["revision"] = json!("again"));
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    assert_eq!(says(&rig, "errors"), Some(CheckResult::Running));
    assert_eq!(rig.says("Stalled"), "/");
    end(&rig, "errors", End::Passes);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}

/// It has served, and not well: it is checked again.
#[tokio::test]
async fn the_color_that_failed_is_checked_again_when_it_is_asked_for_again() {
    let mut rig = refused().await;
    rig.activate(Blue);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "True/Serving", "what is asked for is live");
    assert_eq!(rig.status().rejected, None);
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.says("Ready"), "False/Checking");
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.switches(), [Blue, Green, Blue, Green, Blue]);
    rig.finish();
}

#[tokio::test]
async fn checks_that_decide_nothing_any_more_let_it_through() {
    let mut rig = refused().await;
    rig.edit(|spec| spec["checks"][0]["enforce"] = json!(false));
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn checks_that_are_taken_out_refuse_nothing_and_their_jobs_go() {
    let mut rig = refused().await;
    rig.edit(|spec| spec["checks"] = json!([]));
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.says("Ready"), "True/Serving");
    assert_eq!(jobs(&rig), [""; 0]);
    assert!(rig.status().checks.is_empty() && rig.status().rejected.is_none());
    rig.finish();
}
