//! What happens to the operator itself: killed, replaced, doubled, frozen.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_proxy::{Answer, Effect, Proxy, Request, Rule};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Kind, Sandbox, app, pods};

const LEADS: Duration = Duration::from_secs(30);

#[tokio::test]
async fn does_a_switch_go_on_after_the_operator_was_killed_in_its_middle() -> Result<()> {
    let (sandbox, operator) =
        Sandbox::new("killed").await?.with_a_short_lease().serve(&app("hello").drain(4)).await?;
    let slow = pods(json!({"ready-after": "3s"}));
    sandbox
        .edit("hello", json!({"active": "green", "green": {"tag": "v3"}, "template": slow["template"]}))
        .await?;
    sandbox
        .until("green is being rolled", |world| {
            world.image("hello", Green).as_deref() == Some("team/hello:v3")
                && world.status("hello").is_some_and(|status| status.switch.is_some())
        })
        .await?;
    operator.kill()?;
    let operator = sandbox.operator()?;
    sandbox.until("green serves, blue drains", |world| world.ready("hello")).await?;
    // Again, in the drain: it begins anew, and blue rests for all of it.
    operator.kill()?;
    let _operator = sandbox.operator()?;
    sandbox.edit("hello", json!({"blue": {"tag": "v4"}})).await?;
    sandbox.until("blue has drained", |world| world.serves("hello", Green)).await?;
    sandbox.until("blue is updated", |world| world.says("hello", "StandbyReady").is_some()).await?;
    assert_eq!(sandbox.world().image("hello", Blue).as_deref(), Some("team/hello:v4"));
    assert_eq!(sandbox.guard().switches.len(), 2);
    let history = sandbox.world().status("hello").context("status")?.history;
    assert_eq!(history.len(), 2, "{history:?}");
    sandbox.finish().await
}

/// The record of the quarters that have passed is in the status, so the next leader goes on from there.
#[tokio::test]
async fn does_a_drain_go_on_where_the_leader_before_had_written_that_it_was() -> Result<()> {
    const DRAIN: Duration = Duration::from_secs(60);
    let (sandbox, operator) =
        Sandbox::new("drains").await?.with_a_short_lease().serve(&app("hello").drain(60)).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green is selected", |world| world.selects("hello") == "green").await?;
    let began = Instant::now();
    // Past the second quarter.
    sleep(DRAIN / 2 + Duration::from_secs(2)).await;
    operator.kill()?;
    let ended = began.elapsed();
    let _operator = sandbox.operator()?;
    sandbox.within(2 * DRAIN, "blue has drained", |world| world.serves("hello", Green)).await?;
    let took = began.elapsed();
    assert!(took >= DRAIN, "blue rests for all of the drain: {took:?}");
    // Begun anew, it would take all of the drain from here.
    assert!(took < ended + DRAIN, "{took:?}, of which {ended:?} were before the end of the first leader");
    sandbox.finish().await
}

#[tokio::test]
async fn is_everything_collected_when_an_app_is_deleted() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("deleted", &app("hello")).await?;
    assert_eq!(sandbox.world().children("hello").len(), 7);
    sandbox.delete(Kind::App, "hello").await?;
    sandbox
        .until("nothing is left", |world| {
            world.children("hello").is_empty() && world.all(Kind::Pod).next().is_none()
        })
        .await?;

    // Another of its name, while the first one's children may still be there.
    sandbox.apply(&app("hello")).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.delete(Kind::App, "hello").await?;
    sandbox.apply(&app("hello").with(json!({"active": "green"}))).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_the_other_replica_take_over_from_a_killed_leader() -> Result<()> {
    let (sandbox, leader) = Sandbox::new("takeover").await?.with_a_short_lease().serve(&app("hello")).await?;
    let other = sandbox.operator()?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert!(!other.log(100).contains("leading"), "one acts at a time");
    leader.kill()?;
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert!(other.log(1000).contains("leading"));
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_leader_that_is_told_to_stop_hand_over_at_once() -> Result<()> {
    let (sandbox, leader) = Sandbox::serving("handover", &app("hello")).await?;
    let other = sandbox.operator()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    sandbox.activate("hello", Green).await?;
    let status = leader.terminate().await?;
    assert!(status.success(), "{status}");
    // Less than the Lease lasts.
    other.says("leading", Duration::from_secs(10)).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// As where the CustomResourceDefinition is not installed.
#[tokio::test]
async fn does_a_leader_that_can_read_no_apps_stop_when_it_is_told_to() -> Result<()> {
    let sandbox = Sandbox::new("blind").await?;
    let proxy = Proxy::start(sandbox.user.config.clone(), 0).await?;
    let of_apps = |request: &Request| request.resource == "bluegreenapps";
    proxy.script().add(Rule::new(of_apps, Effect::Answer(Answer::code(404))));
    let operator = sandbox.operator_behind(&proxy)?;
    operator.says("the CustomResourceDefinition is not installed", LEADS).await?;
    operator.says("leading", LEADS).await?;
    let status = operator.terminate().await?;
    assert!(status.success(), "{status}");
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_leader_that_was_frozen_do_no_harm_when_it_wakes() -> Result<()> {
    let (sandbox, mut frozen) =
        Sandbox::new("frozen").await?.with_a_short_lease().serve(&app("hello")).await?;
    let other = sandbox.operator()?;
    frozen.freeze()?;
    sandbox.activate("hello", Green).await?;
    other.says("leading", LEADS).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    frozen.thaw()?;
    let status = frozen.ended(LEADS).await?;
    assert!(!status.success(), "it must say that it lost the Lease");
    sandbox.throughout(Duration::from_secs(2), "green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}
