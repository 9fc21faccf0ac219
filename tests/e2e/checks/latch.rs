//! What was refused, and what ends that.

use std::time::Duration;

use anyhow::Result;
use bluegreen_api::CheckResult::{Failed, Passed, Running};
use serde_json::json;

use super::{APP, Jobs, asked, is, is_refused, job, serves_green};
use crate::harness::{World, app};

/// An autoscaler, a GitOps tool that applies the same again, a restart by hand: none of it is another wish.
#[tokio::test]
async fn does_nothing_but_another_wish_try_again_what_was_refused() -> Result<()> {
    let check = job("smoke", "Before", &json!({"exit": "1"}));
    let (sandbox, _operator) = asked("latch", std::slice::from_ref(&check)).await?;
    is_refused(&sandbox, "CheckFailed").await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    sandbox.kubectl(&["scale", "bga/hello", "--replicas=3"]).await?;
    sandbox.apply(&app(APP).replicas(3).with(json!({"active": "green", "checks": [check]}))).await?;
    sandbox.kubectl(&["annotate", "bga", APP, "example.com/note=x"]).await?;
    let refused = |world: &World| world.selects(APP) == "blue" && is(world, "smoke", Failed);
    sandbox.until("it is told again", |world| world.stalled(APP, "CheckFailed")).await?;
    sandbox.throughout(Duration::from_secs(4), "it stays refused", refused).await?;
    assert_eq!(jobs.only("smoke").await?, name, "no other Job");
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_new_text_in_the_block_try_again() -> Result<()> {
    let (sandbox, _operator) = asked("latch-retry", &[job("smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let first = jobs.only("smoke").await?;
    jobs.exit(&first, 1).await?;
    is_refused(&sandbox, "CheckFailed").await?;
    sandbox.edit(APP, json!({"green": {"revision": "2"}})).await?;
    let second = jobs.next("smoke", &[&first]).await?;
    sandbox.until("it runs again", |world| is(world, "smoke", Running)).await?;
    jobs.exit(&second, 0).await?;
    serves_green(&sandbox).await?;
    assert!(is(&sandbox.world(), "smoke", Passed));
    sandbox.finish().await
}

/// The way forward in an emergency.
#[tokio::test]
async fn does_a_check_that_is_no_longer_enforced_let_the_switch_pass() -> Result<()> {
    let mut check = job("smoke", "Before", &json!({"exit": "1"}));
    let (sandbox, _operator) = asked("latch-force", &[check.clone()]).await?;
    is_refused(&sandbox, "CheckFailed").await?;
    check["enforce"] = json!(false);
    sandbox.edit(APP, json!({ "checks": [check] })).await?;
    serves_green(&sandbox).await?;
    sandbox.finish().await
}
