//! What people do to children by hand.

use anyhow::Result;
use bluegreen_operator::api::Color::Blue;
use serde_json::json;

use crate::harness::{Kind, Sandbox, app};

#[tokio::test]
async fn is_a_selector_that_somebody_edited_put_back_at_once() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("selector", &app("hello")).await?;
    let green = json!({"spec": {"selector": {"bluegreen.dev/color": "green"}}});
    sandbox.patch(Kind::Service, "hello", green).await?;
    sandbox.until("blue is selected again", |world| world.selects("hello") == "blue").await?;
    sandbox.until("the app is ready", |world| world.serves("hello", Blue)).await?;
    sandbox.finish().await
}
