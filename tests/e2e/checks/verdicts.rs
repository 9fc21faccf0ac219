//! How a Job ends, and what that means for the switch: the table of docs/checks.md, row by row.

use anyhow::{Result, ensure};
use bluegreen_api::CheckResult::{Inconclusive, Passed, Running};
use bluegreen_api::Phase;
use futures::future::try_join_all;
use kube::ResourceExt;
use kube::api::{EvictParams, Patch, PatchParams};
use serde_json::json;

use super::{APP, Jobs, asked, entry, is, is_refused, job, job_within, message, serves_green};

#[tokio::test]
async fn does_a_switch_wait_for_exit_code_0() -> Result<()> {
    let (sandbox, _operator) = asked("check-0", &[job("smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    sandbox.until("it says so", |world| world.condition(APP, "Ready", "False", "Checking")).await?;
    let pod = jobs.running(&name).await?;
    let world = sandbox.world();
    assert_eq!(
        (world.selects(APP), world.status(APP).and_then(|it| it.phase)),
        ("blue", Some(Phase::Checking))
    );
    // Its pod is ready, and is behind none of the app's Services.
    for service in ["hello", "hello-blue", "hello-green"] {
        let endpoints = world.endpoints(service);
        assert!(
            !endpoints.is_empty() && endpoints.iter().all(|endpoint| endpoint.pod != pod),
            "{endpoints:?}"
        );
    }
    jobs.exit(&name, 0).await?;
    serves_green(&sandbox).await?;
    assert!(is(&sandbox.world(), "smoke", Passed));
    sandbox.finish().await
}

#[tokio::test]
async fn does_exit_code_1_refuse_the_switch_at_once() -> Result<()> {
    let (sandbox, _operator) = asked("check-1", &[job("smoke", "Before", &json!({"exit": "1"}))]).await?;
    is_refused(&sandbox, "CheckFailed").await?;
    let words = message(&sandbox, "Stalled")?;
    for part in ["Check smoke failed for green", "exit code 1", "blue stays live", "spec.green.revision"] {
        ensure!(words.contains(part), "{words}");
    }
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    assert_eq!(jobs.ended(&name).await?, ("Failed".to_owned(), "PodFailurePolicy".to_owned()));
    assert_eq!(jobs.pods(&name).await?.len(), 1, "it was not tried again");
    sandbox.finish().await
}

/// 75: the program says so. 126 to 128: it was never started. 137 and 143: it was killed.
#[tokio::test]
async fn is_each_exit_code_that_cannot_tell_tried_again() -> Result<()> {
    let codes = [75, 126, 127, 128, 137, 143];
    let name = |code: i32| format!("code-{code}");
    let checks = codes.map(|code| job(&name(code), "Before", &json!({})));
    let (sandbox, _operator) = asked("check-again", &checks).await?;
    let jobs = Jobs::of(&sandbox);
    let each = codes.map(async |code| {
        let job = jobs.only(&name(code)).await?;
        let first = jobs.exit(&job, code).await?;
        let second = jobs.exit(&job, 0).await?;
        ensure!(first != second, "{code}: no other pod");
        anyhow::Ok(())
    });
    try_join_all(each).await?;
    serves_green(&sandbox).await?;
    for code in codes {
        let name = name(code);
        let found = entry(&sandbox.world(), &name);
        assert!(found.is_some_and(|entry| (entry.result, entry.attempts) == (Passed, 1)), "{name}");
    }
    sandbox.finish().await
}

/// The Job controller waits from the end of the last pod on, so pods that ended long ago are tried again without a wait.
#[tokio::test]
async fn does_a_check_that_could_never_tell_end_with_the_backoff_limit() -> Result<()> {
    let long_ago = json!({"exit": "75", "exited-at": "2000-01-01T00:00:00Z"});
    let (sandbox, _operator) = asked("check-75", &[job("smoke", "Before", &long_ago)]).await?;
    is_refused(&sandbox, "CheckInconclusive").await?;
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains("backoff limit"), "{words}");
    let jobs = Jobs::of(&sandbox);
    assert_eq!(jobs.pods(&jobs.only("smoke").await?).await?.len(), 6, "one, and five more");
    sandbox.finish().await
}

/// The node is drained: the program is told to stop, and fails in its own way.
#[tokio::test]
async fn does_a_pod_that_was_evicted_say_nothing_about_the_color() -> Result<()> {
    let slow = json!({"stop-after": "20s"});
    let (sandbox, _operator) = asked("check-drained", &[job("smoke", "Before", &slow)]).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    let pod = jobs.running(&name).await?;
    jobs.pods.evict(&pod, &EvictParams::default()).await?;
    let failed = json!({"status": {"phase": "Failed", "containerStatuses": [{
        "name": "c", "image": "team/check", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 1, "finishedAt": "2000-01-01T00:00:00Z"}},
    }]}});
    let failed = jobs.pods.patch_status(&pod, &PatchParams::default(), &Patch::Strategic(failed)).await?;
    let conditions = failed.status.and_then(|status| status.conditions).unwrap_or_default();
    ensure!(conditions.iter().any(|it| it.type_ == "DisruptionTarget"), "it was not evicted: {conditions:?}");
    let second = jobs.running(&name).await?;
    ensure!(second != pod, "no other pod");
    assert!(is(&sandbox.world(), "smoke", Running));
    jobs.exit(&name, 0).await?;
    serves_green(&sandbox).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_pod_that_never_ends_tell_nothing_at_the_deadline() -> Result<()> {
    let (sandbox, _operator) = asked("check-late", &[job_within(4, "smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    is_refused(&sandbox, "CheckInconclusive").await?;
    // By the operator's clock or by the Job controller's, whichever is read first.
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains("no verdict within 4 seconds") || words.contains("deadline"), "{words}");
    // Nothing of it goes on.
    match jobs.jobs.get_opt(&name).await? {
        Some(_) => assert_eq!(jobs.ended(&name).await?.1, "DeadlineExceeded"),
        None => assert_eq!(jobs.pods(&name).await?.iter().map(ResourceExt::name_any).count(), 0),
    }
    sandbox.finish().await
}

/// Its deadline is the Job's own, too, so it ends also while no operator runs.
#[tokio::test]
async fn does_a_job_end_at_its_deadline_without_an_operator() -> Result<()> {
    let (sandbox, operator) = asked("check-alone", &[job_within(6, "smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    operator.terminate().await?;
    assert_eq!(jobs.ended(&name).await?, ("Failed".to_owned(), "DeadlineExceeded".to_owned()));
    let _operator = sandbox.operator()?;
    is_refused(&sandbox, "CheckInconclusive").await?;
    assert!(is(&sandbox.world(), "smoke", Inconclusive));
    sandbox.finish().await
}
