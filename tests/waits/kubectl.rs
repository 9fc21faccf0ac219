//! The real kubectl, as a person or a pipeline runs it.

use anyhow::Result;
use bluegreen_cluster::{Cluster, fed};
use serde_json::Value;

/// Longer than any switch takes, on the busiest machine.
const PATIENCE: &str = "--timeout=150s";

/// kubectl in one namespace.
pub struct Kubectl<'a> {
    pub cluster: &'a Cluster,
    pub namespace: &'a str,
}

impl Kubectl<'_> {
    pub async fn apply(&self, object: &Value) -> Result<()> {
        self.run(&["apply", "--server-side", "-f", "-"], &object.to_string()).await
    }

    pub async fn patch(&self, app: &str, patch: &Value) -> Result<()> {
        self.run(&["patch", "bluegreenapp", app, "--type=merge", "--patch", &patch.to_string()], "").await
    }

    pub async fn wait_ready(&self, app: &str) -> Result<()> {
        self.run(&["wait", "--for=condition=Ready", PATIENCE, &format!("bluegreenapp/{app}")], "").await
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Result<()> {
        let arguments = [&["--namespace", self.namespace], arguments].concat();
        fed(self.cluster.kubectl(&arguments), input).await.map(drop)
    }
}
