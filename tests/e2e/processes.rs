//! What happens to the operator itself: killed, replaced, doubled, frozen.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_operator::api::Color::{Blue, Green};
use serde_json::json;

use crate::harness::{Kind, Sandbox, app, pods};

const LEADS: Duration = Duration::from_secs(20);

#[tokio::test]
async fn does_a_switch_go_on_after_the_operator_was_killed_in_its_middle() -> Result<()> {
    let (sandbox, operator) = Sandbox::serving("killed", &app("hello").drain(4)).await?;
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

#[tokio::test]
async fn do_kills_at_any_moment_of_a_switch_break_no_promise() -> Result<()> {
    let (sandbox, mut operator) = Sandbox::serving("kills", &app("hello")).await?;
    let mut color = Blue;
    for (turn, moment) in [0, 40, 120, 300, 600, 1000].into_iter().enumerate() {
        color = color.other();
        let image = format!("team/hello:v1{turn}");
        sandbox.edit("hello", json!({"active": color, color.as_str(): {"tag": format!("v1{turn}")}})).await?;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        operator.kill()?;
        operator = sandbox.operator()?;
        sandbox
            .until(&format!("{color} serves after a kill at {moment} ms"), |world| {
                world.serves("hello", color) && world.image("hello", color).as_ref() == Some(&image)
            })
            .await?;
        assert_eq!(sandbox.guard().switches.last().map(|switch| switch.image.clone()), Some(image));
    }
    assert_eq!(sandbox.guard().switches.len(), 7);
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
async fn does_the_standby_take_over_from_a_killed_leader() -> Result<()> {
    let (sandbox, leader) = Sandbox::serving("takeover", &app("hello")).await?;
    let standby = sandbox.operator()?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert!(!standby.log(100).contains("leading"), "one acts at a time");
    leader.kill()?;
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert!(standby.log(1000).contains("leading"));
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_leader_that_is_told_to_stop_hand_over_at_once() -> Result<()> {
    let (sandbox, leader) = Sandbox::serving("handover", &app("hello")).await?;
    let standby = sandbox.operator()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    sandbox.activate("hello", Green).await?;
    let status = leader.terminate().await?;
    assert!(status.success(), "{status}");
    // Less than the Lease lasts.
    standby.says("leading", Duration::from_secs(4)).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_leader_that_was_frozen_do_no_harm_when_it_wakes() -> Result<()> {
    let (sandbox, mut frozen) = Sandbox::serving("frozen", &app("hello")).await?;
    let standby = sandbox.operator()?;
    frozen.freeze()?;
    sandbox.activate("hello", Green).await?;
    standby.says("leading", LEADS).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    frozen.thaw()?;
    let status = frozen.ended(Duration::from_secs(10)).await?;
    assert!(!status.success(), "it must say that it lost the Lease");
    sandbox.throughout(Duration::from_secs(2), "green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_an_operator_of_another_installation_change_nothing() -> Result<()> {
    let (sandbox, first) = Sandbox::serving("two-operators", &app("hello")).await?;
    let objects = || {
        let world = sandbox.world();
        [(Kind::Service, "hello"), (Kind::Deployment, "hello-blue"), (Kind::Deployment, "hello-green")].map(
            |(kind, name)| {
                world.raw(kind, name).map(|o| (o["metadata"]["labels"].clone(), o["spec"].clone()))
            },
        )
    };
    let before = objects();
    let _second = sandbox.operator_of("another")?;
    sandbox.until("it says so", |world| world.stalled("hello", "TwoOperators")).await?;
    let (_, message) = sandbox.world().says("hello", "Stalled").context("stalled")?;
    assert!(message.contains(&format!("{}/bluegreen-operator", sandbox.namespace)), "{message}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(objects(), before);

    // The first one is removed, and the second is told to take over.
    first.terminate().await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("the second changes nothing", |world| world.stalled("hello", "TwoOperators")).await?;
    assert_eq!(sandbox.world().selects("hello"), "blue");
    let take_over = json!({"metadata": {"annotations": {"bluegreen.dev/operator": null}}});
    sandbox.patch(Kind::Service, "hello", take_over).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn do_two_operators_fight_over_the_status() -> Result<()> {
    let (sandbox, _first) = Sandbox::serving("fight", &app("hello")).await?;
    let _second = sandbox.operator_of("another")?;
    sandbox.until("it is noticed", |world| world.stalled("hello", "TwoOperators")).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let version = |sandbox: &Sandbox| {
        sandbox.world().raw(Kind::App, "hello").map(|app| app["metadata"]["resourceVersion"].to_string())
    };
    let before = version(&sandbox);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(version(&sandbox), before, "the status comes to rest");
    sandbox.finish().await
}
