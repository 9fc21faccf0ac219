//! What happens in the middle of something else: while a target rolls, while the old color drains, while paused.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_operator::api::Color::{self, Blue, Green};
use bluegreen_operator::api::Phase;
use serde_json::{Value, json};

use crate::harness::operator::Operator;
use crate::harness::{App, Kind, Sandbox, World, app, pods};

/// Long before anything is looked at for no reason.
const SOON: Duration = Duration::from_secs(20);

/// Green `v3` is to serve, and its pods take so long to get ready.
async fn rolling(name: &str, seconds: u32) -> Result<(Sandbox, Operator)> {
    let (sandbox, operator) = Sandbox::serving(name, &app("hello")).await?;
    let slow = pods(json!({"ready-after": format!("{seconds}s")}));
    let commit = json!({"active": "green", "green": {"tag": "v3"}, "template": slow["template"]});
    sandbox.edit("hello", commit).await?;
    let rolls = |world: &World| {
        world.image("hello", Green).as_deref() == Some("team/hello:v3")
            && world.says("hello", "Reconciling").is_some()
    };
    sandbox.until("green is being rolled", rolls).await?;
    Ok((sandbox, operator))
}

/// Green serves, and blue drains.
async fn draining(name: &str, app: &App) -> Result<(Sandbox, Operator)> {
    let (sandbox, operator) = Sandbox::serving(name, app).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("blue drains", drains).await?;
    Ok((sandbox, operator))
}

fn drains(world: &World) -> bool {
    world.status("hello").is_some_and(|status| status.phase == Some(Phase::Draining))
}

/// Everything that was asked for is there, the idle color included.
fn all_up(world: &World) -> bool {
    world.settled("hello") && world.says("hello", "StandbyReady").is_some()
}

fn runs(world: &World, color: Color, tag: &str) -> bool {
    world.image("hello", color) == Some(format!("team/hello:{tag}"))
}

/// The images of the colors that were selected, in their order.
fn served(sandbox: &Sandbox) -> Vec<String> {
    sandbox.guard().switches.into_iter().map(|switch| switch.image).collect()
}

fn select(color: &str) -> Value {
    json!({"spec": {"selector": {"bluegreen.dev/color": color}}})
}

#[tokio::test]
async fn can_the_other_color_be_asked_for_before_anything_serves() -> Result<()> {
    let sandbox = Sandbox::new("first-changed").await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello").pods(json!({"ready-after": "4s"}))).await?;
    sandbox.until("blue is being prepared", |world| world.says("hello", "Reconciling").is_some()).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v2"], "blue was never selected");
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_tag_that_is_edited_again_while_it_rolls_the_one_that_serves() -> Result<()> {
    let (sandbox, _operator) = rolling("again", 3).await?;
    sandbox.edit("hello", json!({"green": {"tag": "v4"}})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v1", "team/hello:v4"]);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_size_that_is_raised_while_the_target_rolls_count_for_the_switch() -> Result<()> {
    let (sandbox, _operator) = rolling("raised", 3).await?;
    sandbox.edit("hello", json!({"replicas": 4})).await?;
    // The guard sees to it that green has as many ready pods as blue when it is selected.
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    for color in Color::ALL {
        let what = format!("{color} has four");
        sandbox.until(&what, |world| all_up(world) && world.size("hello", color) == Some(4)).await?;
    }
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_selector_edited_while_the_target_rolls_put_back_first() -> Result<()> {
    let (sandbox, _operator) = rolling("select-rolling", 8).await?;
    sandbox.patch(Kind::Service, "hello", select("green")).await?;
    sandbox.within(SOON, "blue is selected", |world| world.selects("hello") == "blue").await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v1", "team/hello:v3"]);
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_service_deleted_while_the_target_rolls_back_with_the_committed_color() -> Result<()> {
    let (sandbox, _operator) = rolling("delete-rolling", 8).await?;
    sandbox.delete(Kind::Service, "hello").await?;
    sandbox.within(SOON, "blue is selected", |world| world.selects("hello") == "blue").await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v1", "team/hello:v3"]);
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_target_deleted_while_it_rolls_made_again_before_the_switch() -> Result<()> {
    let (sandbox, _operator) = rolling("target-deleted", 4).await?;
    sandbox.delete(Kind::Deployment, "hello-green").await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v1", "team/hello:v3"]);
    sandbox.finish().await
}

#[tokio::test]
async fn is_the_live_color_healed_while_the_target_rolls() -> Result<()> {
    let (sandbox, _operator) = rolling("heal-rolling", 8).await?;
    sandbox.set_image("hello-blue", "evil/image:v666").await?;
    let healed = |world: &World| runs(world, Blue, "v1") && world.selects("hello") == "blue";
    sandbox.within(SOON, "blue is healed before the switch", healed).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_the_old_color_grow_in_its_drain_and_shrink_only_after_it() -> Result<()> {
    let (sandbox, _operator) = draining("scale-drain", &app("hello").drain(8)).await?;
    for count in [4, 1] {
        sandbox.edit("hello", json!({"replicas": count})).await?;
        sandbox
            .until(&format!("green has {count} and blue has grown to four"), |world| {
                world.size("hello", Green) == Some(count) && world.size("hello", Blue) == Some(4)
            })
            .await?;
    }
    // The guard sees to it that this comes after the drain.
    sandbox.until("blue has one", |world| all_up(world) && world.size("hello", Blue) == Some(1)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_pause_in_a_drain_keep_the_old_color_as_it_is() -> Result<()> {
    let (sandbox, _operator) = draining("pause-drain", &app("hello").drain(4)).await?;
    sandbox.edit("hello", json!({"standby": {"replicas": 0}})).await?;
    sandbox.edit("hello", json!({"paused": true})).await?;
    let paused =
        |world: &World| world.status("hello").is_some_and(|status| status.phase == Some(Phase::Paused));
    sandbox.until("it is paused", paused).await?;
    let untouched = |world: &World| world.size("hello", Blue) == Some(2) && world.selects("hello") == "green";
    sandbox.throughout(Duration::from_secs(7), "blue has its pods, long after the drain", untouched).await?;
    sandbox.edit("hello", json!({"paused": false})).await?;
    sandbox.until("blue sleeps", |world| world.size("hello", Blue) == Some(0)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_drain_that_is_cut_short_end_at_once() -> Result<()> {
    let (sandbox, _operator) = draining("cut", &app("hello").drain(600)).await?;
    sandbox.edit("hello", json!({"drainSeconds": 0})).await?;
    sandbox.within(SOON, "the drain is over", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_block_that_is_removed_in_a_drain_kept_until_its_end() -> Result<()> {
    let (sandbox, _operator) = draining("remove-drain", &app("hello").drain(6)).await?;
    sandbox.edit("hello", json!({"blue": null})).await?;
    sandbox.until("it is seen", |world| world.status("hello").is_some()).await?;
    assert_eq!(sandbox.world().pods("hello", Blue).len(), 2, "connections may still be open");
    let gone = |world: &World| {
        world.settled("hello") && world.children("hello").iter().all(|child| !child.contains("hello-blue"))
    };
    // The guard sees to it that this comes after the drain.
    sandbox.until("all of blue is gone", gone).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_deployment_deleted_in_its_drain_made_again() -> Result<()> {
    let (sandbox, _operator) = draining("delete-drain", &app("hello").drain(10)).await?;
    sandbox.delete(Kind::Deployment, "hello-blue").await?;
    sandbox.within(SOON, "blue is there again", |world| runs(world, Blue, "v1")).await?;
    sandbox.until("blue is warm", all_up).await?;
    assert_eq!(sandbox.world().size("hello", Blue), Some(2));
    sandbox.finish().await
}

#[tokio::test]
async fn is_an_image_set_by_hand_in_a_drain_taken_back_only_after_it() -> Result<()> {
    let (sandbox, _operator) = draining("image-drain", &app("hello").drain(6)).await?;
    sandbox.set_image("hello-blue", "evil/image:v666").await?;
    // A roll would cut more connections; the guard sees to it that none comes in the drain.
    sandbox.until("blue is healed", |world| all_up(world) && runs(world, Blue, "v1")).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_selector_edited_in_a_drain_put_back_and_the_drain_begun_anew() -> Result<()> {
    let (sandbox, _operator) =
        draining("select-drain", &app("hello").drain(6).with(json!({"standby": {"replicas": 0}}))).await?;
    sandbox.patch(Kind::Service, "hello", select("blue")).await?;
    sandbox.within(SOON, "green is selected", |world| world.selects("hello") == "green").await?;
    // Blue had connections again: the guard counts its drain from the end of those.
    sandbox.until("blue sleeps", |world| world.size("hello", Blue) == Some(0)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v1", "team/hello:v2"]);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_switch_back_to_a_new_tag_wait_for_the_end_of_the_drain() -> Result<()> {
    let (sandbox, _operator) = draining("back-new", &app("hello").drain(6)).await?;
    sandbox.edit("hello", json!({"active": "blue", "blue": {"tag": "v4"}})).await?;
    sandbox
        .until("it says that blue is rendered", |world| world.says("hello", "Reconciling").is_some())
        .await?;
    assert!(runs(&sandbox.world(), Blue, "v1"), "blue drains");
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v1", "team/hello:v2", "team/hello:v4"]);
    sandbox.finish().await
}

#[tokio::test]
async fn can_a_switch_back_that_has_to_wait_be_taken_back() -> Result<()> {
    let (sandbox, _operator) = draining("back-again", &app("hello").drain(600)).await?;
    let pods: Vec<String> = {
        let world = sandbox.world();
        world
            .all(Kind::Pod)
            .map(|(name, _)| name.to_owned())
            .filter(|n| n.starts_with("hello-blue-"))
            .collect()
    };
    for pod in pods {
        let never = json!({"metadata": {"annotations": {"test.bluegreen.dev/ready": "never"}}});
        sandbox.patch(Kind::Pod, &pod, never).await?;
    }
    sandbox
        .until("blue fails", |world| world.endpoints("hello-blue").iter().all(|endpoint| !endpoint.ready))
        .await?;
    sandbox.activate("hello", Blue).await?;
    sandbox.until("it waits", |world| world.says("hello", "Reconciling").is_some()).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("blue drains on", drains).await?;
    assert_eq!(sandbox.world().selects("hello"), "green");
    assert_eq!(served(&sandbox), ["team/hello:v1", "team/hello:v2"]);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_switch_let_an_edit_pass_that_was_held() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("held-switch", &app("hello").drain(3)).await?;
    sandbox.edit("hello", json!({"blue": {"tag": "v9"}})).await?;
    sandbox.until("it is held", |world| world.stalled("hello", "LiveColorEditHeld")).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("blue runs it", |world| all_up(world) && runs(world, Blue, "v9")).await?;
    assert_eq!(sandbox.world().selects("hello"), "green");
    sandbox.finish().await
}

#[tokio::test]
async fn is_nothing_put_back_while_paused() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("paused-edit", &app("hello")).await?;
    sandbox.edit("hello", json!({"paused": true})).await?;
    sandbox.until("it is paused", |world| world.condition("hello", "Ready", "True", "Paused")).await?;
    sandbox.patch(Kind::Service, "hello", select("green")).await?;
    sandbox.until("it says what it would do", |world| world.stalled("hello", "Paused")).await?;
    let untouched = |world: &World| world.selects("hello") == "green";
    sandbox.throughout(Duration::from_secs(2), "nothing is written", untouched).await?;
    let status = sandbox.world().status("hello").context("status")?;
    assert_eq!(status.active, Some(Blue), "what was committed");
    sandbox.edit("hello", json!({"paused": false})).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(served(&sandbox), ["team/hello:v1"]);
    sandbox.finish().await
}
