//! What people do to children by hand.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_operator::api::Color::{Blue, Green};
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
        selector(json!({"bluegreen.dev/app": "another"})),
        selector(json!({"tier": "web"})),
        selector(json!({"bluegreen.dev/color": "none"})),
        selector(Value::Null),
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

#[tokio::test]
async fn do_children_that_were_deleted_come_back_as_they_were() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("children", &app("hello")).await?;
    // Serve with both once, so that both keep what they run, and change what a new rendering would give.
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.activate("hello", Blue).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.edit("hello", json!({"template": {"metadata": {"labels": {"team": "new"}}}})).await?;
    sandbox.until("that changes nothing", as_before).await?;

    for (kind, name) in [
        (Kind::Deployment, "hello-blue"),
        (Kind::Deployment, "hello-green"),
        (Kind::Service, "hello-blue"),
        (Kind::Service, "hello-green"),
    ] {
        sandbox.delete(kind, name).await?;
        sandbox.until(&format!("{kind:?} {name} is back"), |world| world.raw(kind, name).is_some()).await?;
        sandbox.until("all is as before", as_before).await?;
    }
    for color in [Blue, Green] {
        let deployment = sandbox.world().deployment("hello", color).context("a Deployment")?;
        let labels = deployment.spec.and_then(|spec| spec.template.metadata?.labels).unwrap_or_default();
        assert!(!labels.contains_key("team"), "{color} was rendered anew");
    }
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_lost_revision_recovered_without_touching_a_pod() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("revision", &app("hello")).await?;
    let pods = |world: &World| (world.pods("hello", Blue), world.pods("hello", Green));
    let before = pods(&sandbox.world());
    for name in ["hello-blue-1", "hello-green-1"] {
        sandbox.delete(Kind::Revision, name).await?;
        sandbox.until(&format!("{name} is back"), |world| world.raw(Kind::Revision, name).is_some()).await?;
        sandbox.until("all is as before", as_before).await?;
    }
    // Both at once.
    sandbox.delete(Kind::Revision, "hello-blue-1").await?;
    sandbox.delete(Kind::Revision, "hello-green-1").await?;
    sandbox
        .until("both are back", |world| {
            as_before(world)
                && world.children("hello").iter().filter(|c| c.starts_with("Revision")).count() == 2
        })
        .await?;
    assert_eq!(pods(&sandbox.world()), before);
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_an_image_set_on_a_deployment_by_hand_taken_back() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("image", &app("hello")).await?;
    for name in ["hello-green", "hello-blue"] {
        sandbox.set_image(name, "evil/image:v666").await?;
        sandbox.until(&format!("{name} is healed"), as_before).await?;
    }
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_hand_edited_target_never_switched_to() -> Result<()> {
    let (sandbox, operator) = Sandbox::serving("edited-target", &app("hello")).await?;
    // While nobody looks: the edited pods get ready, and the switch is asked for.
    operator.kill()?;
    sandbox.set_image("hello-green", "evil/image:v666").await?;
    sandbox
        .until("the edited pods are ready", |world| {
            world.image("hello", Green).as_deref() == Some("evil/image:v666")
                && world.rolled_out("hello", Green)
        })
        .await?;
    sandbox.activate("hello", Green).await?;
    let _operator = sandbox.operator()?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(sandbox.guard().switches[1].image, "team/hello:v2");
    sandbox.finish().await
}

#[tokio::test]
async fn are_deployments_that_were_scaled_by_hand_brought_back_to_size() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("scaled", &app("hello")).await?;
    for (name, size) in [("hello-blue", 1), ("hello-blue", 4), ("hello-green", 0), ("hello-green", 3)] {
        sandbox.patch(Kind::Deployment, name, json!({"spec": {"replicas": size}})).await?;
        sandbox.until(&format!("{name} is healed after {size}"), as_before).await?;
    }
    sandbox.finish().await
}

#[tokio::test]
async fn are_the_labels_by_which_children_are_found_put_back() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("labels", &app("hello")).await?;
    let without = json!({"metadata": {"labels": {"bluegreen.dev/app": null}}});
    for (kind, name) in [
        (Kind::Service, "hello"),
        (Kind::Service, "hello-blue"),
        (Kind::Deployment, "hello-blue"),
        (Kind::Deployment, "hello-green"),
    ] {
        sandbox.patch(kind, name, without.clone()).await?;
        sandbox
            .until(&format!("{kind:?} {name} has its label"), |world| {
                world.raw(kind, name).is_some_and(|o| o["metadata"]["labels"]["bluegreen.dev/app"] == "hello")
            })
            .await?;
        sandbox.until("all is as before", as_before).await?;
    }
    sandbox.finish().await
}
