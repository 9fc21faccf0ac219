//! Which color a failed check may lead back to: to what served, unless its own check found it to be bad or was not over.

use std::time::Duration;

use anyhow::{Result, ensure};
use bluegreen_api::CheckResult::{Failed, Inconclusive, Running};
use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use super::{APP, Jobs, entry, is, job, message};
use crate::harness::operator::Operator;
use crate::harness::{Sandbox, World, app};

/// Blue is the first color that was ever live, and its check runs.
async fn first(name: &str) -> Result<(Sandbox, Operator, Jobs, String)> {
    let checks = json!({"checks": [job("errors", "After", &json!({}))]});
    let (sandbox, operator) = Sandbox::serving(name, &app(APP).with(checks)).await?;
    let jobs = Jobs::of(&sandbox);
    let job = jobs.only("errors").await?;
    sandbox.until("it is recorded", |world| is(world, "errors", Running)).await?;
    Ok((sandbox, operator, jobs, job))
}

/// The switch to green is asked for, and its check fails.
async fn green_fails(sandbox: &Sandbox, jobs: &Jobs, before: &[&str]) -> Result<()> {
    sandbox.activate(APP, Green).await?;
    let is_about_green = |world: &World| {
        entry(world, "errors").is_some_and(|entry| entry.color == Green && entry.job.is_some())
    };
    sandbox.until("green is checked", is_about_green).await?;
    for job in before {
        jobs.gone(job).await?;
    }
    jobs.exit(&jobs.only("errors").await?, 1).await?;
    sandbox.until("it has failed", |world| world.stalled(APP, "CheckFailed")).await
}

#[tokio::test]
async fn does_a_failure_lead_back_to_a_first_color_whose_check_could_not_tell() -> Result<()> {
    let (sandbox, _operator, jobs, job) = first("back-to-first").await?;
    let pods = sandbox.world().pods(APP, Blue);
    // Its Job is gone twice.
    jobs.delete(&job).await?;
    let second = jobs.next("errors", &[&job]).await?;
    let is_second = |world: &World| entry(world, "errors").is_some_and(|entry| entry.attempts == 2);
    sandbox.until("the second counts", is_second).await?;
    jobs.delete(&second).await?;
    sandbox.until("it can't tell", |world| is(world, "errors", Inconclusive)).await?;
    let stays = |world: &World| world.serves(APP, Blue);
    sandbox.throughout(Duration::from_secs(3), "that moves nothing", stays).await?;

    green_fails(&sandbox, &jobs, &[]).await?;
    sandbox.until("blue is live again", |world| world.selects(APP) == "blue").await?;
    assert_eq!(sandbox.world().pods(APP, Blue), pods, "the very pods that served before");
    let moves: Vec<_> = sandbox.guard().switches.iter().map(|switch| switch.to).collect();
    assert_eq!(moves, [Blue, Green, Blue]);
    sandbox.finish().await
}

#[tokio::test]
async fn does_nothing_lead_back_to_what_its_own_check_has_failed() -> Result<()> {
    let (sandbox, _operator, jobs, job) = first("bad-first").await?;
    jobs.exit(&job, 1).await?;
    sandbox.until("it has failed", |world| is(world, "errors", Failed)).await?;

    green_fails(&sandbox, &jobs, &[&job]).await?;
    let stays = |world: &World| world.selects(APP) == "green" && world.stalled(APP, "CheckFailed");
    sandbox.throughout(Duration::from_secs(5), "green stays live", stays).await?;
    let words = message(&sandbox, "Stalled")?;
    let why = "blue can't be made live again yet: the checks after the last switch to blue failed or did not finish";
    ensure!(words.contains(why), "{words}");
    // A person may.
    sandbox.activate(APP, Blue).await?;
    sandbox.until("blue is selected", |world| world.selects(APP) == "blue").await?;
    sandbox.finish().await
}
