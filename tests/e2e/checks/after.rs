//! Checks after a switch, and the way back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::CheckResult::{Failed, Inconclusive, Passed, Running};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::{Cause, Phase};
use serde_json::json;

use super::{APP, Jobs, asked, is, job, job_within, message, serves_green};
use crate::harness::operator::Operator;
use crate::harness::{Sandbox, World};

/// Green was made live a moment ago, and its check runs.
async fn watched(name: &str) -> Result<(Sandbox, Operator, String)> {
    let (sandbox, operator) = asked(name, &[job("errors", "After", &json!({}))]).await?;
    sandbox.until("green is selected", |world| world.selects(APP) == "green").await?;
    let job = Jobs::of(&sandbox).only("errors").await?;
    sandbox.until("its check runs", |world| is(world, "errors", Running)).await?;
    Ok((sandbox, operator, job))
}

fn is_back(world: &World) -> bool {
    world.selects(APP) == "blue" && world.stalled(APP, "CheckFailed")
}

#[tokio::test]
async fn is_an_app_ready_only_once_the_check_after_its_switch_has_passed() -> Result<()> {
    let (sandbox, _operator, job) = watched("after-0").await?;
    let ready = tokio::time::timeout(
        Duration::from_secs(3),
        sandbox.kubectl(&["wait", "bga/hello", "--for=condition=Ready", "--timeout=60s"]),
    );
    ensure!(ready.await.is_err(), "kubectl wait returns before the verdict");
    let status = sandbox.world().status(APP).context("status")?;
    assert_eq!(status.phase, Some(Phase::Checking));
    assert!(status.green.is_some_and(|green| green.unproven_revision.is_some()));
    Jobs::of(&sandbox).exit(&job, 0).await?;
    serves_green(&sandbox).await?;
    let status = sandbox.world().status(APP).context("status")?;
    assert!(is(&sandbox.world(), "errors", Passed));
    assert!(status.green.is_some_and(|green| green.unproven_revision.is_none()));
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_failure_after_the_switch_take_it_back_to_the_same_pods() -> Result<()> {
    let (sandbox, _operator, job) = watched("after-1").await?;
    let pods = sandbox.world().pods(APP, Blue);
    Jobs::of(&sandbox).exit(&job, 1).await?;
    sandbox.until("blue is live again", is_back).await?;
    let world = sandbox.world();
    assert_eq!(world.pods(APP, Blue), pods);
    let words = message(&sandbox, "Stalled")?;
    for part in ["Check errors failed for green", "exit code 1", "blue was made live again"] {
        ensure!(words.contains(part), "{words}");
    }
    let status = world.status(APP).context("status")?;
    assert_eq!((status.history[0].to, status.history[0].cause), (Blue, Cause::Check));
    assert!(is(&world, "errors", Failed));
    // Nothing else moves by itself.
    sandbox.throughout(Duration::from_secs(5), "it stays there", is_back).await?;
    let moves: Vec<_> = sandbox.guard().switches.iter().map(|switch| switch.to).collect();
    assert_eq!(moves, [Blue, Green, Blue]);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_check_that_cannot_tell_after_the_switch_leave_it() -> Result<()> {
    let checks = [job_within(5, "errors", "After", &json!({}))];
    let (sandbox, _operator) = asked("after-late", &checks).await?;
    serves_green(&sandbox).await?;
    assert!(is(&sandbox.world(), "errors", Inconclusive));
    let words = message(&sandbox, "Ready")?;
    ensure!(words.contains("errors") && words.contains("can't tell"), "{words}");
    let stays = |world: &World| world.serves(APP, Green);
    sandbox.throughout(Duration::from_secs(4), "green serves", stays).await?;
    sandbox.finish().await
}

/// The verdict comes while no operator runs.
#[tokio::test]
async fn does_the_next_operator_take_a_switch_back_that_failed_before_it_came() -> Result<()> {
    let (sandbox, operator, job) = watched("after-killed").await?;
    operator.kill()?;
    let jobs = Jobs::of(&sandbox);
    jobs.exit(&job, 1).await?;
    assert_eq!(jobs.ended(&job).await?.1, "PodFailurePolicy");
    assert_eq!(sandbox.world().selects(APP), "green");
    let _operator = sandbox.operator()?;
    sandbox.until("blue is live again", is_back).await?;
    sandbox.finish().await
}

/// Until the verdict, what serves next to nobody is what a switch back needs.
#[tokio::test]
async fn is_the_old_color_kept_as_it_is_until_the_verdict() -> Result<()> {
    let (sandbox, _operator, job) = watched("after-held").await?;
    let pods = sandbox.world().pods(APP, Blue);
    sandbox.edit(APP, json!({"blue": {"tag": "v9"}, "standby": {"replicas": 0}})).await?;
    let kept = |world: &World| world.pods(APP, Blue) == pods && world.selects(APP) == "green";
    sandbox.throughout(Duration::from_secs(5), "blue is as it was, past its drain", kept).await?;
    Jobs::of(&sandbox).exit(&job, 1).await?;
    sandbox.until("blue is live again", |world| world.selects(APP) == "blue").await?;
    let world = sandbox.world();
    assert_eq!(world.image(APP, Blue).as_deref(), Some("team/hello:v1"));
    assert_eq!(world.pods(APP, Blue), pods);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_way_back_by_hand_wait_for_nothing() -> Result<()> {
    let (sandbox, _operator, job) = watched("after-hand").await?;
    sandbox.activate(APP, Blue).await?;
    sandbox.until("blue serves", |world| world.serves(APP, Blue)).await?;
    Jobs::of(&sandbox).gone(&job).await?;
    sandbox.finish().await
}
