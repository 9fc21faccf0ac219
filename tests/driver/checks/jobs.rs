//! What may happen to a check's Job.

use std::time::Duration;

use bluegreen_api::CheckResult;
use bluegreen_api::Color::Green;
use bluegreen_apiserver::{Fault, Kind, Verb};
use serde_json::json;

use super::{End, checked, end, entry, job, job_of, jobs, says, serving};
use crate::rig::{APP, MOST_CHECKS, Rig};

async fn checking() -> Rig {
    let mut rig = serving(&[job("smoke", "Before")]).await;
    rig.activate(Green);
    rig.settle().await;
    rig
}

#[tokio::test]
async fn a_job_that_is_deleted_before_its_verdict_is_made_again_once() {
    let mut rig = checking().await;
    let first = job_of(&rig, "smoke");
    rig.server.delete(Kind::Job, &first);
    rig.settle().await;
    let second = job_of(&rig, "smoke");
    assert_ne!(first, second);
    assert_eq!(entry(&rig, "smoke").unwrap().attempts, 2);
    rig.server.delete(Kind::Job, &second);
    rig.settle().await;
    assert_eq!(jobs(&rig), [""; 0]);
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Inconclusive));
    assert!(rig.condition("Stalled").message.contains("deleted twice"), "{:?}", rig.condition("Stalled"));
    rig.finish();
}

/// Its name says what it is about, so it is found again, and never made twice.
#[tokio::test]
async fn an_operator_that_ends_after_it_created_a_job_finds_it_again() {
    let mut rig = serving(&[job("smoke", "Before")]).await;
    rig.activate(Green);
    // The Job is there, and nothing is written down of it.
    while rig
        .server
        .all(Kind::Job)
        .iter()
        .all(|job| job["metadata"]["labels"]["bluegreen.dev/color"] != "green")
    {
        rig.server.fault(|request| {
            let is_report =
                request.writes_status() && request.body["status"]["checks"][0]["color"] == "green";
            is_report.then(|| Fault::answer(500, "no"))
        });
        rig.pass().await;
        rig.step();
    }
    rig.server.no_faults();
    rig.restart();
    rig.settle().await;
    let created = rig.count(|request| request.is(Verb::Create, Kind::Job, ""));
    assert_eq!(created, 1);
    end(&rig, "smoke", End::Passes);
    rig.restart();
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn a_finished_job_that_is_deleted_after_its_verdict_changes_nothing() {
    let mut rig = checking().await;
    end(&rig, "smoke", End::Fails);
    rig.settle().await;
    rig.server.delete(Kind::Job, &job_of(&rig, "smoke"));
    rig.settle().await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Failed));
    assert_eq!(rig.says("Stalled"), "True/CheckFailed");
    rig.finish();
}

/// A quota, an admission webhook: tried again until the deadline, and then it can't tell, in the server's words.
#[tokio::test]
async fn a_job_that_is_refused_is_told_and_cannot_tell_at_its_deadline() {
    let mut rig = serving(&[]).await;
    let mut smoke = job("smoke", "Before");
    smoke["deadlineSeconds"] = json!(60);
    rig.edit(|spec| spec["checks"] = json!([smoke]));
    rig.server.fault(|request| {
        let creates = request.is(Verb::Create, Kind::Job, "");
        creates.then(|| Fault::answer(403, "exceeded quota: count/jobs.batch"))
    });
    rig.activate(Green);
    rig.run(Duration::from_secs(20)).await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Running));
    assert!(entry(&rig, "smoke").unwrap().message.unwrap().contains("exceeded quota"));
    assert_eq!(rig.says("Ready"), "False/Checking");
    assert!(rig.condition("Ready").message.contains("exceeded quota"), "{:?}", rig.condition("Ready"));
    rig.run(Duration::from_secs(60)).await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Inconclusive));
    let message = rig.condition("Stalled").message;
    assert!(
        message.contains("no verdict within 60 seconds") && message.contains("exceeded quota"),
        "{message}"
    );
    assert_eq!(rig.world().selects(APP), "blue");
    rig.finish();
}

/// Only an Event says why the Job controller creates none. The app says that there is none, once, and for as long.
#[tokio::test]
async fn a_job_that_has_no_pod_is_told_of_once_and_until_it_has_one() {
    let mut rig = checking().await;
    rig.run(Duration::from_secs(9)).await;
    assert_eq!(entry(&rig, "smoke").unwrap().message, None, "the Job controller takes a moment");
    rig.run(Duration::from_secs(2)).await;
    let held = format!("No pod of Job {} was created within 10 seconds", job_of(&rig, "smoke"));
    let told = entry(&rig, "smoke").unwrap().message.unwrap();
    assert!(told.contains(&held) && rig.condition("Ready").message.contains(&held), "{told}");
    let _ = rig.server.take_log();
    rig.run(Duration::from_secs(120)).await;
    assert_eq!(rig.writes(), [""; 0], "once");

    let status = json!({ "startTime": "2026-01-01T00:00:00Z", "active": 1, "uncountedTerminatedPods": {} });
    rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| job["status"] = status.clone());
    rig.settle().await;
    assert_eq!(entry(&rig, "smoke").unwrap().message, None);
    assert!(!rig.condition("Ready").message.contains(&held), "{:?}", rig.condition("Ready"));
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    rig.finish();
}

/// Its image can't be pulled, what it mounts is missing, no node has room: the pod is there, and the Job says that it is not ready.
#[tokio::test]
async fn a_job_whose_pod_does_not_get_ready_is_told_of_once_and_until_it_does() {
    let mut rig = checking().await;
    let ready = |count: u8| json!({ "active": 1, "ready": count, "uncountedTerminatedPods": {} });
    rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| job["status"] = ready(0));
    rig.run(Duration::from_secs(9)).await;
    assert_eq!(entry(&rig, "smoke").unwrap().message, None, "most images are there within a moment");
    rig.run(Duration::from_secs(2)).await;
    let held = format!("The pod of Job {} is not ready after 10 seconds", job_of(&rig, "smoke"));
    let told = entry(&rig, "smoke").unwrap().message.unwrap();
    assert!(told.contains(&held) && rig.condition("Ready").message.contains(&held), "{told}");
    let _ = rig.server.take_log();
    rig.run(Duration::from_secs(120)).await;
    assert_eq!(rig.writes(), [""; 0], "once");

    rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| job["status"] = ready(1));
    rig.settle().await;
    assert_eq!(entry(&rig, "smoke").unwrap().message, None);
    assert!(!rig.condition("Ready").message.contains(&held), "{:?}", rig.condition("Ready"));
    rig.finish();
}

/// What it waited for is why it can't tell.
#[tokio::test]
async fn a_job_whose_pod_never_gets_ready_says_so_at_its_deadline() {
    let mut rig = checking().await;
    let status = json!({ "active": 1, "ready": 0 });
    rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| job["status"] = status.clone());
    rig.run(Duration::from_secs(620)).await;
    assert_eq!(rig.says("Stalled"), "True/CheckInconclusive");
    let message = rig.condition("Stalled").message;
    assert!(message.contains("no verdict within 600 seconds"), "{message}");
    assert!(message.contains("is not ready after 10 seconds"), "{message}");
    rig.finish();
}

/// A queue lets it go after a while: its time begins then.
#[tokio::test]
async fn a_job_that_a_queue_lets_go_has_its_time_for_a_pod() {
    let mut rig = checking().await;
    let suspended = json!({ "conditions": [{ "type": "Suspended", "status": "True" }] });
    rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| job["status"] = suspended.clone());
    rig.run(Duration::from_secs(60)).await;
    assert!(entry(&rig, "smoke").unwrap().message.unwrap().contains("is suspended"));
    let began = json!({ "startTime": rig.clock.now().wall, "conditions": [{ "type": "Suspended", "status": "False" }] });
    rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| job["status"] = began.clone());
    rig.run(Duration::from_secs(9)).await;
    assert_eq!(entry(&rig, "smoke").unwrap().message, None);
    rig.run(Duration::from_secs(2)).await;
    assert!(entry(&rig, "smoke").unwrap().message.unwrap().contains("No pod of Job"));
    rig.finish();
}

/// A Job that has begun says so by an empty list, and one that failed once waits for its next try.
#[tokio::test]
async fn a_job_that_had_a_pod_is_held_up_by_nothing() {
    for status in [json!({ "failed": 1 }), json!({ "uncountedTerminatedPods": { "failed": ["u"] } })] {
        let mut rig = checking().await;
        rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| job["status"] = status.clone());
        rig.run(Duration::from_secs(60)).await;
        assert_eq!(entry(&rig, "smoke").unwrap().message, None, "{status}");
        rig.finish();
    }
}

/// Suspended by a queue, or waiting for a node.
#[tokio::test]
async fn a_job_without_a_verdict_at_its_deadline_cannot_tell() {
    let mut rig = checking().await;
    rig.run(Duration::from_secs(590)).await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Running));
    rig.run(Duration::from_secs(30)).await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Inconclusive));
    assert_eq!(jobs(&rig), [""; 0], "what still runs is ended");
    rig.finish();
}

/// A verdict may move traffic, so only a Job is believed that this very app controls.
#[tokio::test]
async fn a_job_of_somebody_else_is_not_believed() {
    let mut rig = checking().await;
    rig.server.edit(Kind::Job, &job_of(&rig, "smoke"), |job| {
        job["metadata"]["ownerReferences"][0]["uid"] = json!("another");
    });
    end(&rig, "smoke", End::Passes);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    assert_eq!(rig.says("Stalled"), "True/CheckInconclusive");
    rig.finish();
}

/// As many Jobs of another app run as may.
fn fill(rig: &Rig) {
    let spec = rig.app()["spec"].clone();
    let another = rig.server.create(Kind::App, json!({ "metadata": { "name": "another" }, "spec": spec }));
    for number in 0..MOST_CHECKS {
        let labels = json!({ "bluegreen.dev/app": "another" });
        let owner = json!({ "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "another",
            "uid": another["metadata"]["uid"], "controller": true });
        let metadata = json!({ "name": other(number), "labels": labels, "ownerReferences": [owner] });
        rig.server.create(Kind::Job, json!({ "metadata": metadata, "spec": {} }));
    }
}

fn other(number: usize) -> String {
    format!("other-{number}")
}

/// One of them ends.
fn make_room(rig: &Rig) {
    let ended = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
    rig.server.edit(Kind::Job, &other(0), |job| job["status"] = ended);
}

/// Many apps may switch at once: only so many Jobs run at a time, and the wait is told.
#[tokio::test]
async fn a_job_waits_until_fewer_jobs_of_others_run() {
    let mut rig = serving(&[job("smoke", "Before")]).await;
    fill(&rig);
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.server.all(Kind::Job).len(), MOST_CHECKS, "no other one");
    assert!(rig.condition("Ready").message.contains("--max-running-checks"), "{:?}", rig.condition("Ready"));
    make_room(&rig);
    rig.run(Duration::from_secs(3)).await;
    assert_eq!(says(&rig, "smoke"), Some(CheckResult::Running));
    rig.finish();
}

/// Many apps may be new at once: their colors serve, and the apps are ready when their Jobs have begun, however late that is.
#[tokio::test]
async fn a_first_color_serves_while_the_job_of_its_check_waits_for_others() {
    let mut rig = Rig::new(checked(&[job("errors", "After")]));
    fill(&rig);
    rig.run(Duration::from_secs(1200)).await;
    assert_eq!(rig.world().selects(APP), "blue");
    assert_eq!((rig.says("Ready"), rig.says("Stalled")), ("False/Checking".to_owned(), "/".to_owned()));
    assert!(rig.condition("Ready").message.contains("--max-running-checks"), "{:?}", rig.condition("Ready"));
    make_room(&rig);
    rig.run(Duration::from_secs(60)).await;
    assert_eq!(says(&rig, "errors"), Some(CheckResult::Running), "its deadline counts from now");
    assert_eq!(rig.says("Ready"), "True/Serving");
    rig.finish();
}
