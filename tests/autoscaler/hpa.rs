//! A HorizontalPodAutoscaler, run by Kubernetes' own controller, with metrics-server and a real kubelet behind it.

use anyhow::Result;
use bluegreen_cluster::Cluster;
use serde_json::json;

use crate::install;
use crate::rig::{LARGE, Rig, SMALL, behavior};

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
