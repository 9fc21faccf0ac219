//! A HorizontalPodAutoscaler, run by Kubernetes' own controller, with metrics-server and a real kubelet behind it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::Blue;
use bluegreen_cluster::Cluster;
use serde_json::json;

use crate::e2e::harness::World;
use crate::install;
use crate::rig::{APP, LARGE, Rig, SMALL, behavior};

/// It looks every few seconds; the operator answers it less and less often.
const PATIENCE: Duration = Duration::from_secs(180);

/// Percent of the 20 millicores that each pod asks for: what the low load stays far below with three pods, and what the high
/// load exceeds with six.
const TARGET: i32 = 50;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs autoscalers and the sample app's images: `make autoscaler-test`"]
async fn does_an_autoscaler_grow_and_shrink_an_app_that_is_switched_all_the_time() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = install::cluster().await?;
    let rig = Rig::start(cluster, "hpa", 30_007, json!({})).await?;
    let target = json!({"type": "Utilization", "averageUtilization": TARGET});
    rig.apply(
        "HorizontalPodAutoscaler",
        json!({"spec": {
            "minReplicas": SMALL,
            "maxReplicas": LARGE,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": behavior(),
        }}),
    )
    .await?;
    let namespace = rig.sandbox.namespace.clone();
    let result = rig.story("HorizontalPodAutoscaler, metrics-server").await;
    if result.is_err() {
        for what in ["describe", "get"] {
            let arguments = ["-n", &namespace, what, "hpa,pods"];
            println!("{}", install::kubectl(cluster, &arguments).await.unwrap_or_default());
        }
        println!(
            "{}",
            install::kubectl(cluster, &["-n", &namespace, "top", "pods"]).await.unwrap_or_default()
        );
    }
    result
}

/// The operator owns the size of a Deployment, so the two would undo each other's writes for ever.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs autoscalers and the sample app's images: `make autoscaler-test`"]
async fn does_an_app_say_so_whose_deployment_an_autoscaler_changes() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = install::cluster().await?;
    let rig = Rig::start(cluster, "contested", 30_011, json!({})).await?;
    let load = rig.base_load().await?;
    let blue = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-blue"});
    let edit = json!({"spec": {"scaleTargetRef": blue, "minReplicas": SMALL + 2}});
    rig.apply("HorizontalPodAutoscaler", edit).await?;
    is_told(&rig, "hpa").await?;
    rig.finish_without_loss(load).await
}

/// The app says who changes its Deployment and what to do, until this autoscaler is deleted.
pub async fn is_told(rig: &Rig, autoscaler: &str) -> Result<()> {
    let says = |world: &World| {
        let all = world.status(APP).map(|status| status.conditions).unwrap_or_default();
        all.into_iter().find(|condition| condition.reason == "Contested")
    };
    rig.sandbox.within(PATIENCE, "the app says so", |world| says(world).is_some()).await?;
    let said = says(&rig.sandbox.world()).context("it said so a moment ago")?;
    println!("  {} {}: {}", said.type_, said.status, said.message);
    for words in
        ["the field manager kube-controller-manager", "keeps changing spec.replicas", "at BlueGreenApp hello"]
    {
        ensure!(said.message.contains(words), "{}", said.message);
    }
    // Nobody is told to look where nothing is wrong any more.
    let namespace = &rig.sandbox.namespace;
    install::kubectl(rig.cluster, &["-n", namespace, "delete", autoscaler, APP]).await?;
    let well = |world: &World| world.serves(APP, Blue) && says(world).is_none();
    rig.sandbox.within(PATIENCE, "the app serves as before", well).await
}
