//! How an app gets into each state. Every edit is a release by Helm, unless somebody else makes it.

pub mod checks;

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::e2e::harness::{App, Kind, World, app, pods};
use crate::helm::RELEASE;
use crate::stage::Stage;

/// Longer than any look at a state.
const LONG: i32 = 600;

fn hello() -> App {
    app(RELEASE)
}

/// New pods never get ready.
fn never() -> Value {
    pods(json!({"ready": "never"}))
}

/// As the API server refuses it.
fn unacceptable() -> Value {
    json!({"template": {"metadata": {"labels": {"team": "no such value!"}}}})
}

fn green_v3() -> App {
    hello().with(json!({"green": {"tag": "v3"}}))
}

fn to_green(app: App) -> App {
    app.with(json!({"active": "green"}))
}

pub async fn new(stage: &mut Stage) -> Result<()> {
    stage.operator = None;
    stage.release(&hello()).await
}

pub async fn first_color(stage: &mut Stage) -> Result<()> {
    stage.release(&hello().with(never())).await?;
    stage
        .until("it waits for its first color", |world| {
            world.condition(RELEASE, "Ready", "False", "WaitingForTarget")
        })
        .await
}

pub async fn unseen_edit(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.operator = None;
    stage.release(&to_green(hello())).await
}

pub async fn target_starts(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&to_green(green_v3().with(never()))).await?;
    stage
        .until("it waits for green", |world| {
            world.condition(RELEASE, "Reconciling", "True", "WaitingForTarget")
                && world.image(RELEASE, Green).as_deref() == Some("team/hello:v3")
        })
        .await
}

/// A quota lets the EndpointSlice controller create no slice, and the live Service has lost its own: nothing shows that the
/// endpoints follow.
pub async fn switching(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    let (client, namespace) = (stage.sandbox.client.clone(), stage.sandbox.namespace.clone());
    let quota: ResourceQuota = serde_json::from_value(json!({
        "metadata": {"name": "no-slices"}, "spec": {"hard": {"count/endpointslices.discovery.k8s.io": "0"}},
    }))?;
    Api::namespaced(client.clone(), &namespace).create(&PostParams::default(), &quota).await?;
    let slices: Api<EndpointSlice> = Api::namespaced(client, &namespace);
    let live = ListParams::default().labels(&format!("kubernetes.io/service-name={RELEASE}"));
    // The quota takes effect a moment after it is there.
    let mut absent = 0;
    while absent < 10 {
        slices.delete_collection(&DeleteParams::default(), &live).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        absent = if slices.list(&live).await?.items.is_empty() { absent + 1 } else { 0 };
    }
    stage.release(&to_green(hello())).await?;
    stage
        .until("the endpoints follow", |world| {
            world.selects(RELEASE) == "green" && world.condition(RELEASE, "Ready", "False", "Switching")
        })
        .await
}

pub async fn standby_rolls(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&green_v3().with(never())).await?;
    stage
        .until("green rolls", |world| world.condition(RELEASE, "Reconciling", "True", "StandbyUpdating"))
        .await
}

pub async fn live_rolls(stage: &mut Stage) -> Result<()> {
    let rolling = hello().with(json!({"activeUpdatePolicy": "RollingUpdate"}));
    stage.serve(&rolling).await?;
    stage.release(&rolling.with(json!({"blue": {"tag": "v1.1"}})).with(never())).await?;
    stage.until("blue rolls", |world| world.condition(RELEASE, "Reconciling", "True", "Updating")).await
}

pub async fn live_fails(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.unready(Blue).await?;
    stage.until("blue fails", |world| world.condition(RELEASE, "Ready", "False", "LiveNotReady")).await
}

pub async fn draining(stage: &mut Stage) -> Result<()> {
    let slow = hello().drain(LONG);
    stage.serve(&slow).await?;
    stage.release(&to_green(slow)).await?;
    stage
        .until("blue drains", |world| {
            world.ready(RELEASE) && world.status(RELEASE).is_some_and(|status| status.switch.is_some())
        })
        .await
}

pub async fn stable(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await
}

pub async fn one_color(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello().without(Green)).await?;
    stage
        .until("there is no green", |world| world.condition(RELEASE, "StandbyReady", "False", "Absent"))
        .await
}

pub async fn waits_for_person(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.serve(&green_v3()).await?;
    stage
        .until("v3 is warm", |world| {
            world.image(RELEASE, Green).as_deref() == Some("team/hello:v3")
                && world.condition(RELEASE, "StandbyReady", "True", "Warm")
        })
        .await
}

pub async fn standby_asleep(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello().with(json!({"standby": {"scaleDownAfterSeconds": 1}}))).await?;
    stage.until("green sleeps", |world| world.condition(RELEASE, "StandbyReady", "False", "ScaledDown")).await
}

pub async fn standby_broken(stage: &mut Stage) -> Result<()> {
    let quick = json!({"progressDeadlineSeconds": 4});
    stage.serve(&hello().with(quick.clone())).await?;
    stage.release(&green_v3().with(quick).with(never())).await?;
    stage
        .until("green is given up", |world| {
            world.settled(RELEASE)
                && world.condition(RELEASE, "StandbyReady", "False", "ProgressDeadlineExceeded")
        })
        .await
}

pub async fn standby_refused(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&green_v3().with(unacceptable())).await?;
    stage
        .until("green is refused", |world| {
            world.settled(RELEASE) && world.condition(RELEASE, "StandbyReady", "False", "Refused")
        })
        .await
}

pub async fn paused(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&hello().with(json!({"paused": true}))).await?;
    stage.until("it is paused", |world| world.condition(RELEASE, "Ready", "True", "Paused")).await
}

pub async fn held(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&hello().with(json!({"blue": {"tag": "v1.1"}}))).await?;
    stuck(stage, "LiveColorEditHeld").await
}

pub async fn too_late(stage: &mut Stage) -> Result<()> {
    let quick = json!({"progressDeadlineSeconds": 4});
    stage.serve(&hello().with(quick.clone())).await?;
    stage.release(&to_green(green_v3().with(quick).with(never()))).await?;
    stuck(stage, "ProgressDeadlineExceeded").await
}

pub async fn paused_midway(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&to_green(hello().with(json!({"paused": true})))).await?;
    stuck(stage, "Paused").await
}

pub async fn refused(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.release(&to_green(green_v3().with(unacceptable()))).await?;
    stuck(stage, "Refused").await
}

pub async fn port_taken(stage: &mut Stage) -> Result<()> {
    let taken = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "other"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 31_917}]},
    });
    stage.sandbox.create(Kind::Service, taken).await?;
    stage.release(&hello().with(json!({"service": {"type": "NodePort", "nodePort": 31_917}}))).await?;
    // Refused again and again, it comes to the idle color late.
    stage.until("green is warm", |world| world.says(RELEASE, "StandbyReady").is_some()).await?;
    stuck(stage, "Refused").await
}

pub async fn name_taken(stage: &mut Stage) -> Result<()> {
    let labels = json!({"app": "other"});
    let container = json!({"name": "app", "image": "other:v1"});
    let other = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hello-blue"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    });
    stage.sandbox.create(Kind::Deployment, other).await?;
    stage.release(&hello()).await?;
    stuck(stage, "NameConflict").await
}

pub async fn two_operators(stage: &mut Stage) -> Result<()> {
    stage.serve(&hello()).await?;
    stage.operator.take().context("an operator")?.terminate().await?;
    stage.other = Some(stage.sandbox.other_operator()?);
    stage.release(&to_green(hello())).await?;
    stuck(stage, "TwoOperators").await
}

async fn stuck(stage: &Stage, reason: &str) -> Result<()> {
    stage.until(&format!("it is stalled: {reason}"), |world: &World| world.stalled(RELEASE, reason)).await
}
