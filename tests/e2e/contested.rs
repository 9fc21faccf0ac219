//! Somebody who undoes what the operator writes, so that a write is accepted and has no effect.

mod plugins;
pub mod webhook;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::patiently;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::json;

use crate::harness::{Sandbox, World, app, cluster};
use webhook::{KEEPS_THE_IMAGE, Webhook};

/// Waits that do not grow would make dozens of writes in this time.
const WATCHED: Duration = Duration::from_secs(12);

#[tokio::test]
async fn does_an_app_whose_image_a_webhook_takes_back_say_so_and_wait_and_recover() -> Result<()> {
    if cluster().await?.dir().is_err() {
        eprintln!("skipped: this cluster's API server may not reach a webhook here");
        return Ok(());
    }
    let (sandbox, _operator) = Sandbox::serving("contested", &app("hello")).await?;
    let result = contest(&sandbox).await;
    Webhook::unregister(&sandbox).await?;
    result?;
    // Nothing tells that it is gone: the next try does.
    let new = |world: &World| {
        world.serves("hello", Green) && world.image("hello", Green).as_deref() == Some("team/hello:v3")
    };
    sandbox.until("green serves what was asked for", new).await?;
    ensure!(sandbox.guard().switches[1].image == "team/hello:v3");
    sandbox.finish().await
}

async fn contest(sandbox: &Sandbox) -> Result<()> {
    let webhook = Webhook::start(sandbox, KEEPS_THE_IMAGE, "hello-green").await?;
    let pods = sandbox.world().pods("hello", Blue);
    let blue_serves = |world: &World| world.selects("hello") == "blue" && world.pods("hello", Blue) == pods;

    sandbox.edit("hello", json!({"green": {"tag": "v3"}})).await?;
    // Of this very generation: whoever waits for it is told.
    let no_standby = |world: &World| {
        world.ready("hello") && world.condition("hello", "StandbyReady", "False", "Contested")
    };
    sandbox.until("the standby is called contested", no_standby).await?;
    let note = contested(sandbox, "hello").await?;
    let named = "Deployment hello-green: spec.template.spec.containers[app].image should be \"team/hello:v3\", but is";
    ensure!(note.contains(named), "{note}");
    let before = webhook.changed();
    sandbox
        .throughout(WATCHED, "blue serves, without a standby", |world| {
            no_standby(world) && blue_serves(world)
        })
        .await?;
    let tries = webhook.changed() - before;
    ensure!((1..20).contains(&tries), "it backs off, and does not give up: {tries} writes in {WATCHED:?}");

    sandbox.activate("hello", Green).await?;
    let stalls = |world: &World| world.stalled("hello", "Contested");
    sandbox.until("it can't have green", stalls).await?;
    sandbox
        .throughout(Duration::from_secs(3), "blue serves on", |world| stalls(world) && blue_serves(world))
        .await
}

/// What the Event about the app says, once there is one.
async fn contested(sandbox: &Sandbox, app: &str) -> Result<String> {
    let events: Api<Event> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let is_it = |event: &Event| {
        event.reason.as_deref() == Some("Contested")
            && event.type_.as_deref() == Some("Warning")
            && event.regarding.as_ref().is_some_and(|about| about.name.as_deref() == Some(app))
    };
    let attempt = async || {
        let event = events.list(&ListParams::default()).await?.items.into_iter().find(is_it);
        event.and_then(|event| event.note).context("no Event says that it is contested")
    };
    patiently(Duration::from_secs(45), attempt).await
}
