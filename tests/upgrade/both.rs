//! The two programs, one after the other, on the same app: as `helm upgrade` and `helm rollback` have it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::Green;

use crate::files::{self, previous};
use crate::harness::operator::PROGRAM;
use crate::harness::{Sandbox, cluster};
use crate::moments::{Moment, looked, running, told_once, written};

/// The program of the release before.
fn older() -> Result<PathBuf> {
    let path = PathBuf::from(std::env::var_os("BLUEGREEN_PREVIOUS").context("run `make upgrade-test`")?);
    ensure!(path.is_file(), "{} is missing", path.display());
    Ok(path)
}

fn newer() -> PathBuf {
    PathBuf::from(PROGRAM)
}

/// `first` brings the app to this moment, with `then` as its standby already; it ends, and `then` goes on.
async fn hand_over(moment: Moment, direction: &str, first: &Path, then: &Path) -> Result<()> {
    let audit = cluster().await?.audit()?;
    let sandbox = Sandbox::new(&format!("{direction}-{}", moment.name())).await?;
    let leader = sandbox.operator_from(first)?;
    sandbox.apply(&moment.app()).await?;
    sandbox.until("it rests", |world| Moment::Resting.is_now(world)).await?;
    moment.begin(&sandbox).await?;
    let standby = sandbox.operator_from(then)?;
    standby.says("waiting for leadership", Duration::from_secs(40)).await?;
    let rolls = matches!(moment, Moment::Switching).then_some(Green);
    let before = running(&sandbox.world(), rolls);
    ensure!(leader.terminate().await?.success(), "it ends in order");
    let since = audit.end()?;
    looked(&standby).await?;
    if matches!(moment, Moment::Resting) {
        told_once(&sandbox, since).await?;
    }
    moment.end(&sandbox).await?;
    println!("{direction}, {}: {:?}", moment.name(), written(&sandbox, since).await?);
    assert_eq!(running(&sandbox.world(), rolls), before, "no pod and no template was touched");
    sandbox.finish().await
}

async fn upgrade(moment: Moment) -> Result<()> {
    hand_over(moment, "up", &older()?, &newer()).await
}

async fn downgrade(moment: Moment) -> Result<()> {
    hand_over(moment, "down", &newer(), &older()?).await
}

#[tokio::test]
#[ignore = "builds the release before: `make upgrade-test`"]
async fn does_an_upgrade_at_rest_write_only_the_status_once() -> Result<()> {
    upgrade(Moment::Resting).await
}

#[tokio::test]
#[ignore = "builds the release before: `make upgrade-test`"]
async fn does_an_upgrade_finish_a_switch() -> Result<()> {
    upgrade(Moment::Switching).await
}

#[tokio::test]
#[ignore = "builds the release before: `make upgrade-test`"]
async fn does_an_upgrade_in_a_drain_leave_the_rollback_instant() -> Result<()> {
    upgrade(Moment::Draining).await
}

#[tokio::test]
#[ignore = "builds the release before: `make upgrade-test`"]
async fn does_a_downgrade_at_rest_write_only_the_status_once() -> Result<()> {
    downgrade(Moment::Resting).await
}

#[tokio::test]
#[ignore = "builds the release before: `make upgrade-test`"]
async fn does_a_downgrade_finish_a_switch() -> Result<()> {
    downgrade(Moment::Switching).await
}

#[tokio::test]
#[ignore = "builds the release before: `make upgrade-test`"]
async fn does_a_downgrade_in_a_drain_leave_the_rollback_instant() -> Result<()> {
    downgrade(Moment::Draining).await
}

/// What `recorded.rs` reads. Only with `RECORD=1`: a file that is written anew with each run shows nothing.
#[tokio::test]
#[ignore = "builds the release before: `RECORD=1 make upgrade-test`"]
async fn record_what_the_older_release_leaves() -> Result<()> {
    if std::env::var("RECORD").as_deref() != Ok("1") {
        return Ok(());
    }
    for moment in Moment::ALL {
        let sandbox = Sandbox::new(&format!("record-{}", moment.name())).await?;
        let _operator = sandbox.operator_from(&older()?)?;
        sandbox.apply(&moment.app()).await?;
        sandbox.until("it rests", |world| Moment::Resting.is_now(world)).await?;
        moment.begin(&sandbox).await?;
        files::record(moment, &sandbox.world())?;
        sandbox.finish().await?;
    }
    println!("recorded from {}", previous());
    Ok(())
}
