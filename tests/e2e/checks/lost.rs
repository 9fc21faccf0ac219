//! Jobs that are removed, and operators that die: a verdict is in the status before anything follows from it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::CheckResult::{Failed, Inconclusive, Passed};
use serde_json::json;

use super::{APP, Jobs, asked, entry, is, is_refused, job, message, serves_green};

#[tokio::test]
async fn is_a_job_that_is_removed_before_its_verdict_made_again_once() -> Result<()> {
    let (sandbox, _operator) = asked("check-removed", &[job("smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let first = jobs.only("smoke").await?;
    sandbox.until("it is recorded", |world| entry(world, "smoke").is_some()).await?;
    jobs.delete(&first).await?;
    let second = jobs.next("smoke", &[&first]).await?;
    sandbox
        .until("it counts", |world| entry(world, "smoke").is_some_and(|entry| entry.attempts == 2))
        .await?;
    jobs.delete(&second).await?;
    is_refused(&sandbox, "CheckInconclusive").await?;
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains("deleted twice"), "{words}");
    assert!(jobs.all("smoke").await?.is_empty());
    sandbox.finish().await
}

/// `ttlSecondsAfterFinished` comes from a policy of the cluster: the Job is gone before any operator has read its end.
#[tokio::test]
async fn is_a_job_that_ttl_removes_before_its_verdict_is_read_made_again() -> Result<()> {
    let (sandbox, operator) = asked("check-ttl", &[job("smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let first = jobs.only("smoke").await?;
    sandbox.until("it is recorded", |world| entry(world, "smoke").is_some()).await?;
    operator.kill()?;
    jobs.patch(&first, json!({"spec": {"ttlSecondsAfterFinished": 0}})).await?;
    jobs.exit(&first, 0).await?;
    jobs.gone(&first).await?;
    assert_eq!(sandbox.world().selects(APP), "blue");
    let _operator = sandbox.operator()?;
    let second = jobs.next("smoke", &[&first]).await?;
    jobs.exit(&second, 0).await?;
    serves_green(&sandbox).await?;
    let found = entry(&sandbox.world(), "smoke").context("smoke")?;
    assert_eq!((found.result, found.attempts), (Passed, 2));
    sandbox.finish().await
}

/// Also with another operator, which has seen nothing of it.
#[tokio::test]
async fn does_a_verdict_outlive_its_job_and_the_operator() -> Result<()> {
    let (sandbox, operator) =
        asked("check-verdict", &[job("smoke", "Before", &json!({"exit": "1"}))]).await?;
    is_refused(&sandbox, "CheckFailed").await?;
    let jobs = Jobs::of(&sandbox);
    let before = entry(&sandbox.world(), "smoke");
    jobs.patch(&jobs.only("smoke").await?, json!({"spec": {"ttlSecondsAfterFinished": 0}})).await?;
    jobs.gone(&before.clone().and_then(|entry| entry.job).context("job")?).await?;
    operator.kill()?;
    let _operator = sandbox.operator()?;
    let stays = |world: &crate::harness::World| {
        world.selects(APP) == "blue" && world.stalled(APP, "CheckFailed") && entry(world, "smoke") == before
    };
    sandbox.throughout(Duration::from_secs(8), "it stays refused", stays).await?;
    assert!(is(&sandbox.world(), "smoke", Failed));
    assert!(jobs.all("smoke").await?.is_empty(), "nothing is tried by itself");
    sandbox.finish().await
}

/// What happens while no operator runs is found by the next one.
#[tokio::test]
async fn does_a_switch_go_on_where_a_killed_operator_left_it() -> Result<()> {
    let (sandbox, operator) = asked("check-killed", &[job("smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    operator.kill()?;
    jobs.exit(&name, 0).await?;
    jobs.ended(&name).await?;
    assert_eq!(sandbox.world().selects(APP), "blue");
    let _operator = sandbox.operator()?;
    serves_green(&sandbox).await?;
    assert_eq!(jobs.only("smoke").await?, name, "the same Job, and no other");
    sandbox.finish().await
}

/// A failure of one ends the others: nothing of them goes on.
#[tokio::test]
async fn does_the_first_failure_end_the_other_jobs() -> Result<()> {
    let checks = [job("smoke", "Before", &json!({"exit": "3"})), job("load", "Before", &json!({}))];
    let (sandbox, _operator) = asked("check-others", &checks).await?;
    is_refused(&sandbox, "CheckFailed").await?;
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains("smoke") && words.contains("exit code 3"), "{words}");
    assert!(is(&sandbox.world(), "load", Inconclusive));
    let jobs = Jobs::of(&sandbox);
    let left = entry(&sandbox.world(), "load").and_then(|entry| entry.job);
    if let Some(left) = left {
        jobs.gone(&left).await?;
    }
    assert_eq!(jobs.all("smoke").await?.len(), 1, "its log is kept");
    sandbox.finish().await
}
