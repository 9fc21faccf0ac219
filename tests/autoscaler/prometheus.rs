//! A real Prometheus that asks the kubelet what the pods use. It ends with the cluster.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_cluster::{Cluster, free_ports, get, patiently, prometheus, tail, target};
use serde_json::json;

/// Starts it where pods reach it; its address.
pub async fn start(cluster: &Cluster) -> Result<String> {
    let folder = cluster.dir()?.join("prometheus");
    std::fs::create_dir_all(&folder)?;
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
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config.to_string())?;
    let programs = tokio::task::spawn_blocking(|| prometheus::ensure(&target()?)).await??;
    // The machine as its pods see it, as the API server is.
    let host = cluster.admin_config().cluster_url.host().context("the API server's address")?.to_owned();
    let [port] = free_ports()?;
    let address = format!("{host}:{port}");
    let arguments = [
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address={address}"),
        "--log.level=warn".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    cluster.start_process("prometheus", &programs.join("prometheus"), &arguments, &[])?;
    let attempt = async || get(&address, "/-/ready").await;
    let ready = patiently(Duration::from_secs(60), attempt).await;
    ready.with_context(|| cluster.process_log("prometheus").map(|log| tail(&log, 20)).unwrap_or_default())?;
    Ok(address)
}
