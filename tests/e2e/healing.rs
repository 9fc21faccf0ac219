//! What people do to children by hand.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World, app};

/// Long before anything is looked at for no reason.
const SOON: Duration = Duration::from_secs(20);

/// All is as it was at first: blue `v1` serves, green `v2` is warm.
fn as_before(world: &World) -> bool {
    world.serves("hello", Blue)
        && world.says("hello", "StandbyReady").is_some()
        && world.image("hello", Blue).as_deref() == Some("team/hello:v1")
        && world.image("hello", Green).as_deref() == Some("team/hello:v2")
        && [Blue, Green]
            .iter()
            .all(|&color| world.size("hello", color) == Some(2) && world.rolled_out("hello", color))
}

#[tokio::test]
async fn is_a_selector_that_somebody_edited_put_back_at_once() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("selector", &app("hello")).await?;
    let selector = |patch: Value| json!({"spec": {"selector": patch}});
    for edit in [
        selector(json!({"bluegreen.dev/color": "green"})),
        // Without it, both colors would serve.
        selector(json!({"bluegreen.dev/color": null})),
        // The record of what was committed, together with the selector.
        json!({
            "metadata": {"annotations": {"bluegreen.dev/active": "green"}},
            "spec": {"selector": {"bluegreen.dev/color": "green"}},
        }),
    ] {
        sandbox.patch(Kind::Service, "hello", edit.clone()).await?;
        let put_back = |world: &World| world.selects("hello") == "blue";
        sandbox.within(SOON, &format!("blue is selected after {edit}"), put_back).await?;
        sandbox.until("all is as before", as_before).await?;
    }
    assert_eq!(sandbox.guard().switches.len(), 1);
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_live_service_that_was_deleted_come_back_with_its_addresses() -> Result<()> {
    let (sandbox, _operator) =
        Sandbox::serving("service", &app("hello").with(json!({"service": {"type": "NodePort"}}))).await?;
    let addresses = |world: &World| -> Option<(Option<String>, Option<i32>)> {
        let spec = world.service("hello")?.spec?;
        Some((spec.cluster_ip, spec.ports?.first()?.node_port))
    };
    let before = addresses(&sandbox.world()).context("a Service")?;
    sandbox.delete(Kind::Service, "hello").await?;
    sandbox.within(SOON, "blue is selected", |world| world.selects("hello") == "blue").await?;
    sandbox.until("all is as before", as_before).await?;
    assert_eq!(addresses(&sandbox.world()), Some(before));
    // It still knows which revision served: a switch there and back makes no pod anew.
    let pods = sandbox.world().pods("hello", Blue);
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    assert_eq!(sandbox.world().pods("hello", Blue), pods);
    sandbox.finish().await
}
