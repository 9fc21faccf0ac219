//! A real Prometheus that scrapes every pod of the sample app, once a second.
//!
//! Debian's has no service discovery of Kubernetes, so a task lists the pods and writes them into a file that Prometheus watches.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::side::Side;
use crate::stage::Stage;

/// How often the pods are listed.
const OFTEN: Duration = Duration::from_millis(500);

/// The Prometheus and its targets. Dropping it ends the list.
pub struct Scraped {
    address: String,
    task: JoinHandle<()>,
}

impl Scraped {
    /// Starts it.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let file = stage.cluster.dir()?.join("targets.json");
        fs::write(&file, "[]")?;
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{
                "job_name": "apps",
                "file_sd_configs": [{"files": [file], "refresh_interval": "1s"}],
            }],
        });
        let address = stage.cluster.start_prometheus(&config).await?;
        let task = tokio::spawn(follow(stage.client.clone(), file));
        Ok(Self { address, task })
    }

    /// Its address, as `IP:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Scraped {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(client: Client, file: PathBuf) {
    loop {
        if let Err(error) = write(&client, &file).await {
            eprintln!("Prometheus keeps its targets: {error:#}");
        }
        tokio::time::sleep(OFTEN).await;
    }
}

async fn write(client: &Client, file: &Path) -> Result<()> {
    let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await?;
    let targets: Vec<Value> = pods.items.iter().filter_map(target).collect();
    // In one step: half a file is none.
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, Value::from(targets).to_string())?;
    Ok(fs::rename(unfinished, file)?)
}

/// A pod of the sample app, with the labels that the queries of both sides select by.
fn target(pod: &Pod) -> Option<Value> {
    let hash = pod.labels().get(Side::Argo.key());
    if hash.is_none() && !pod.labels().contains_key(Side::Ours.key()) {
        return None;
    }
    let address = pod.status.as_ref()?.pod_ip.as_ref()?;
    let labels =
        json!({"namespace": pod.namespace(), "pod": pod.name_any(), "hash": hash.map_or("", String::as_str)});
    Some(json!({"targets": [format!("{address}:8888")], "labels": labels}))
}
