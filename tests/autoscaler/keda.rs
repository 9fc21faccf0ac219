//! A real KEDA, with a real Prometheus behind it.

use std::time::Duration;

use anyhow::{Result, ensure};
use bluegreen_api::Color::Blue;
use bluegreen_cluster::{Cluster, patiently};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::document;
use crate::e2e::harness::World;
use crate::hpa;
use crate::install::{self, kubectl};
use crate::prometheus;
use crate::rig::{APP, LARGE, Rig, SMALL, behavior};

/// Cores for each pod.
const THRESHOLD: &str = "0.01";

const MINUTE: Duration = Duration::from_secs(60);

/// KEDA in the cluster, and the address of Prometheus.
async fn ready() -> Result<(&'static Cluster, &'static str)> {
    static PROMETHEUS: OnceCell<String> = OnceCell::const_new();
    let cluster = install::keda().await?;
    Ok((cluster, PROMETHEUS.get_or_try_init(|| prometheus::start(cluster)).await?))
}

/// Applies the document's ScaledObject, with this spec on top.
async fn scale(rig: &Rig, prometheus: &str, more: Value) -> Result<()> {
    let mut trigger = document::manifest("ScaledObject")?["spec"]["triggers"][0].clone();
    let query = trigger["metadata"]["query"].as_str().unwrap_or_default();
    let query = query.replace("\"shop\"", &format!("\"{}\"", rig.sandbox.namespace)).replace("[1m]", "[30s]");
    trigger["metadata"]["query"] = json!(query);
    trigger["metadata"]["serverAddress"] = json!(format!("http://{prometheus}"));
    trigger["metadata"]["threshold"] = json!(THRESHOLD);
    rig.apply("ScaledObject", json!({"spec": {"triggers": [trigger], "pollingInterval": 5}})).await?;
    let patch = json!({ "spec": more }).to_string();
    let namespace = &rig.sandbox.namespace;
    let arguments = ["-n", namespace, "patch", "scaledobject", APP, "--type=merge", "-p", &patch];
    kubectl(rig.cluster, &arguments).await.map(drop)
}

/// The same result; for one that failed, prints what helps to see why.
async fn explained(cluster: &Cluster, namespace: &str, result: Result<()>) -> Result<()> {
    if result.is_err() {
        for arguments in [
            vec!["-n", namespace, "describe", "scaledobjects,hpa"],
            vec!["-n", namespace, "get", "pods"],
            vec!["-n", "keda", "logs", "deployment/keda-operator", "--tail=30"],
        ] {
            println!("{}", kubectl(cluster, &arguments).await.unwrap_or_default());
        }
    }
    result
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs autoscalers and the sample app's images: `make autoscaler-test`"]
async fn does_keda_grow_and_shrink_an_app_that_is_switched_all_the_time() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let (cluster, prometheus) = ready().await?;
    let rig = Rig::start(cluster, "keda", 30_008, json!({})).await?;
    scale(
        &rig,
        prometheus,
        json!({
            "minReplicaCount": SMALL,
            "maxReplicaCount": LARGE,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior()}},
        }),
    )
    .await?;
    let namespace = rig.sandbox.namespace.clone();
    explained(cluster, &namespace, rig.story("KEDA, Prometheus").await).await
}

/// One that was made for a Deployment.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs autoscalers and the sample app's images: `make autoscaler-test`"]
async fn does_an_app_say_so_whose_deployment_keda_changes() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let (cluster, prometheus) = ready().await?;
    let rig = Rig::start(cluster, "keda-contested", 30_012, json!({})).await?;
    let load = rig.base_load().await?;
    let blue = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-blue"});
    let more = json!({"scaleTargetRef": blue, "minReplicaCount": SMALL + 2, "maxReplicaCount": LARGE});
    scale(&rig, prometheus, more).await?;
    let namespace = rig.sandbox.namespace.clone();
    explained(cluster, &namespace, hpa::is_told(&rig, "scaledobject").await).await?;
    rig.finish_without_loss(load).await
}

/// KEDA's own default is 0.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs autoscalers and the sample app's images: `make autoscaler-test`"]
async fn does_an_app_keep_serving_that_keda_wants_to_scale_to_zero() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let (cluster, prometheus) = ready().await?;
    let rig = Rig::start(cluster, "zero", 30_009, json!({"replicas": 2})).await?;
    let load = rig.base_load().await?;
    let metadata = json!({
        "serverAddress": format!("http://{prometheus}"),
        // No load at all.
        "query": "vector(0)",
        "threshold": "1",
    });
    let idle = json!({
        "minReplicaCount": 0,
        "maxReplicaCount": LARGE,
        "cooldownPeriod": 5,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior()}},
        "triggers": [{"type": "prometheus", "metadata": metadata}],
    });
    scale(&rig, prometheus, idle).await?;
    let namespace = rig.sandbox.namespace.clone();
    explained(cluster, &namespace, refused(&rig).await).await?;
    rig.finish_without_loss(load).await
}

/// KEDA says that it may not, and the app goes on with the one pod that its HorizontalPodAutoscaler leaves it.
async fn refused(rig: &Rig) -> Result<()> {
    let namespace = &rig.sandbox.namespace;
    let one = |world: &World| world.serves(APP, Blue) && world.size(APP, Blue) == Some(1);
    rig.sandbox.within(3 * MINUTE, "one pod is left", one).await?;
    let attempt = async || {
        let arguments = ["-n", namespace, "get", "scaledobject", APP, "-o", "jsonpath={.status.conditions}"];
        let conditions: Value = serde_json::from_str(&kubectl(rig.cluster, &arguments).await?)?;
        let ready =
            conditions.as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
        let ready = ready.cloned().unwrap_or_default();
        ensure!(ready["status"] == "False" && ready["reason"] == "ErrorScalingTarget", "KEDA says {ready}");
        println!("{}", ready["message"]);
        Ok(())
    };
    patiently(MINUTE, attempt).await?;
    let reason = "--field-selector=reason=KEDAScaleTargetDeactivationFailed";
    let events = kubectl(rig.cluster, &["-n", namespace, "get", "events", reason, "-o", "name"]).await?;
    ensure!(!events.is_empty(), "there is no Event about it");
    // For some more of its looks.
    let keeps = |world: &World| world.ready(APP) && world.app(APP).is_some_and(|app| app.spec.replicas == 1);
    rig.sandbox.throughout(Duration::from_secs(20), "one pod serves", keeps).await
}
