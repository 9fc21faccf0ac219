//! A HorizontalPodAutoscaler on the app, run by Kubernetes' own controller.

mod metrics;

use std::time::Duration;

use anyhow::Result;
use bluegreen_api::Color::{self, Blue, Green};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::harness::{Sandbox, World, app, cluster};
use metrics::Metrics;

/// It looks every few seconds, and at a new kind of object only after its discovery has been refreshed.
const PATIENCE: Duration = Duration::from_secs(120);

/// From two to eight pods of 100 MiB each.
async fn autoscale(sandbox: &Sandbox) -> Result<()> {
    let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": "hello"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "hello"},
            "minReplicas": 2,
            "maxReplicas": 8,
            "metrics": [{"type": "Resource", "resource": {
                "name": "memory", "target": {"type": "AverageValue", "averageValue": "100Mi"},
            }}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    }))?;
    Api::namespaced(sandbox.client.clone(), &sandbox.namespace)
        .create(&PostParams::default(), &autoscaler)
        .await?;
    Ok(())
}

fn asks_for(world: &World, size: i32) -> bool {
    world.app("hello").is_some_and(|app| app.spec.replicas == size)
}

fn selector(color: Color) -> String {
    format!("bluegreen.dev/app=hello,bluegreen.dev/color={color}")
}

#[tokio::test]
async fn does_an_autoscaler_follow_the_live_color_through_a_switch() -> Result<()> {
    if cluster().await?.dir().is_err() {
        eprintln!("skipped: this cluster may have a metrics API of its own");
        return Ok(());
    }
    let (sandbox, _operator) = Sandbox::serving("hpa", &app("hello")).await?;
    let metrics = Metrics::start(&sandbox.client, &sandbox.namespace).await?;
    let result = follow(&sandbox, &metrics).await;
    metrics::unregister(&sandbox.client).await?;
    result?;
    sandbox.finish().await
}

async fn follow(sandbox: &Sandbox, metrics: &Metrics) -> Result<()> {
    // Blue's two pods carry 200 MiB each; with green's counted in, all would be well.
    metrics.set_load(400);
    autoscale(sandbox).await?;
    sandbox.within(PATIENCE, "four are asked for", |world| asks_for(world, 4)).await?;
    let grown = |world: &World| {
        world.serves("hello", Blue)
            && [Blue, Green].iter().all(|&color| world.size("hello", color) == Some(4))
            && world.says("hello", "StandbyReady").is_some()
    };
    sandbox.until("both colors have four", grown).await?;
    let foreign: Vec<String> = metrics.asked().into_iter().filter(|asked| *asked != selector(Blue)).collect();
    assert!(foreign.is_empty(), "blue is live: {foreign:?}");

    // Through the switch and for some more of its looks, the size is the same.
    sandbox.activate("hello", Green).await?;
    let keeps = |world: &World| asks_for(world, 4) && world.status("hello").is_none_or(|s| s.replicas == 4);
    sandbox.throughout(Duration::from_secs(20), "the size stays", keeps).await?;
    assert!(sandbox.world().serves("hello", Green));
    assert!(metrics.asked().contains(&selector(Green)), "{:?}", metrics.asked());

    metrics.set_load(100);
    sandbox.within(PATIENCE, "two are asked for", |world| asks_for(world, 2)).await?;
    sandbox
        .until("green has two", |world| world.serves("hello", Green) && world.size("hello", Green) == Some(2))
        .await
}
