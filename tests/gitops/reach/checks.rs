//! How an app with checks gets into each state.

use anyhow::Result;
use bluegreen_api::CheckResult;
use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use super::{green_v3, hello, never, stuck, to_green};
use crate::e2e::harness::{App, World, check};
use crate::helm::RELEASE;
use crate::stage::Stage;

/// The app with one check, whose pod ends with this exit code; `None`: not while anybody looks.
fn checked(app: App, when: &str, exit: Option<&str>) -> App {
    checked_within(3600, app, when, exit)
}

/// As [`checked`], with a deadline.
fn checked_within(seconds: i32, app: App, when: &str, exit: Option<&str>) -> App {
    let behavior = exit.map_or_else(|| json!({}), |code| json!({ "exit": code }));
    let mut check = check("smoke", when, &behavior);
    check["deadlineSeconds"] = json!(seconds);
    app.with(json!({"checks": [check]}))
}

/// Blue serves, and the switch to green is asked for under this check.
async fn switch(stage: &mut Stage, app: App) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&to_green(app)).await
}

fn says(world: &World, result: CheckResult) -> bool {
    world.status(RELEASE).is_some_and(|status| status.checks.iter().any(|check| check.result == result))
}

async fn is_checking(stage: &Stage, live: &'static str) -> Result<()> {
    stage
        .until("it is being checked", |world| {
            world.selects(RELEASE) == live
                && says(world, CheckResult::Running)
                && world.condition(RELEASE, "Reconciling", "True", "Checking")
        })
        .await
}

pub async fn before(stage: &mut Stage) -> Result<()> {
    switch(stage, checked(hello(), "Before", None)).await?;
    is_checking(stage, "blue").await
}

pub async fn before_failed(stage: &mut Stage) -> Result<()> {
    switch(stage, checked(hello(), "Before", Some("1"))).await?;
    stuck(stage, "CheckFailed").await
}

pub async fn before_can_not_tell(stage: &mut Stage) -> Result<()> {
    switch(stage, checked_within(5, hello(), "Before", None)).await?;
    stuck(stage, "CheckInconclusive").await
}

pub async fn after(stage: &mut Stage) -> Result<()> {
    switch(stage, checked(hello(), "After", None)).await?;
    is_checking(stage, "green").await
}

pub async fn taken_back(stage: &mut Stage) -> Result<()> {
    switch(stage, checked(hello(), "After", Some("1"))).await?;
    stage
        .until("blue is live again", |world| {
            world.selects(RELEASE) == "blue"
                && world.status(RELEASE).is_some_and(|status| status.switch.is_none())
                && world.stalled(RELEASE, "CheckFailed")
        })
        .await
}

/// The pods of blue have turned unready while green was checked.
pub async fn no_way_back(stage: &mut Stage) -> Result<()> {
    after(stage).await?;
    stage.unready(Blue).await?;
    stage.end_job("1").await?;
    stage
        .until("it can't go back", |world| {
            world.selects(RELEASE) == "green" && world.stalled(RELEASE, "CheckFailed")
        })
        .await
}

pub async fn after_can_not_tell(stage: &mut Stage) -> Result<()> {
    switch(stage, checked_within(5, hello(), "After", None)).await?;
    stage
        .until("green serves", |world| says(world, CheckResult::Inconclusive) && world.serves(RELEASE, Green))
        .await
}

/// A check does not begin before the color is ready.
pub async fn before_ready(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&to_green(checked(green_v3().with(never()), "Before", None))).await?;
    stage
        .until("it waits for green", |world| {
            world.condition(RELEASE, "Reconciling", "True", "WaitingForTarget")
                && world.image(RELEASE, Green).as_deref() == Some("team/hello:v3")
        })
        .await
}
