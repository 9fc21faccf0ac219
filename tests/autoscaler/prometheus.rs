//! A real Prometheus that asks the kubelet what the pods use. It ends with the cluster.

use anyhow::{Context, Result};
use bluegreen_cluster::Cluster;
use serde_json::json;

/// Starts it where pods reach it; its address.
pub async fn start(cluster: &Cluster) -> Result<String> {
    let pki = cluster.dir()?.join("pki");
    let node = cluster.node_address().context("a real node")?;
    let config = json!({
        "global": {"scrape_interval": "5s"},
        "scrape_configs": [{
            "job_name": "kubelet",
            "scheme": "https",
            "metrics_path": "/metrics/resource",
            "tls_config": {
                "ca_file": pki.join("ca.crt"),
                "cert_file": pki.join("kubelet-client.crt"),
                "key_file": pki.join("kubelet-client.key"),
            },
            "static_configs": [{"targets": [format!("{node}:10250")]}],
        }],
    });
    cluster.start_prometheus(&config).await
}
