//! The idle color's size over time.

use std::time::{Duration, Instant};

use anyhow::Result;
use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use crate::harness::{Sandbox, app};

#[tokio::test]
async fn does_a_reduced_standby_grow_to_full_size_before_a_switch() -> Result<()> {
    let reduced = app("hello").replicas(3).with(json!({"standby": {"replicas": 1}}));
    let (sandbox, _operator) = Sandbox::serving("reduced", &reduced).await?;
    sandbox
        .until("green is reduced", |world| world.condition("hello", "StandbyReady", "True", "Reduced"))
        .await?;
    assert_eq!(sandbox.world().size("hello", Green), Some(1));
    sandbox.activate("hello", Green).await?;
    // The guard sees to it that green has three pods when it is selected.
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox
        .until("blue is reduced", |world| {
            world.condition("hello", "StandbyReady", "True", "Reduced")
                && world.size("hello", Blue) == Some(1)
        })
        .await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_the_old_color_stay_warm_for_as_long_as_asked_and_then_go_to_sleep() -> Result<()> {
    let sleepy = app("hello").with(json!({"standby": {"scaleDownAfterSeconds": 10}}));
    let (sandbox, _operator) = Sandbox::serving("sleepy", &sleepy).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.selects("hello") == "green").await?;
    let start = Instant::now();
    sandbox.until("blue sleeps", |world| world.size("hello", Blue) == Some(0)).await?;
    assert!(start.elapsed() > Duration::from_secs(9), "{:?}", start.elapsed());
    sandbox
        .until("it says so", |world| world.condition("hello", "StandbyReady", "False", "ScaledDown"))
        .await?;
    assert!(sandbox.world().serves("hello", Green), "a standby that sleeps is no fault");

    // An edit of its block wakes it, and it goes to sleep again.
    sandbox.edit("hello", json!({"blue": {"tag": "v3"}})).await?;
    sandbox.until("blue is awake", |world| world.says("hello", "StandbyReady").is_some()).await?;
    sandbox.until("blue sleeps", |world| world.size("hello", Blue) == Some(0)).await?;

    // So does a switch, to full size.
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(sandbox.guard().switches[2].image, "team/hello:v3");
    sandbox.finish().await
}
