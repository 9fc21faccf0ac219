//! From one color to the other.

use anyhow::{Context, Result};
use bluegreen_operator::api::Color::{Blue, Green};

use crate::harness::{Sandbox, app};

#[tokio::test]
async fn does_a_switch_move_the_service_and_keep_the_old_color_warm() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("switch", &app("hello").replicas(3).drain(2)).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.ready("hello")).await?;
    assert_eq!(sandbox.world().selects("hello"), "green", "Ready means that it serves");
    sandbox.until("blue has drained", |world| world.serves("hello", Green)).await?;

    let status = sandbox.world().status("hello").context("status")?;
    assert_eq!(status.history.len(), 2);
    assert_eq!(status.history[0].from, Some(Blue));
    assert_eq!(status.history[0].image, "team/hello:v2");
    assert_eq!(sandbox.world().size("hello", Blue), Some(3));
    sandbox.finish().await
}
