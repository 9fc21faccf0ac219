//! The real kubectl, as a person or a pipeline runs it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::Cluster;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Longer than any switch takes, on the busiest machine.
const PATIENCE: &str = "--timeout=150s";

/// kubectl in one namespace.
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
}

impl Kubectl {
    pub fn new(cluster: &Cluster, namespace: &str) -> Self {
        Self {
            program: cluster.tool("kubectl"),
            kubeconfig: cluster.kubeconfig().to_owned(),
            namespace: namespace.to_owned(),
        }
    }

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
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("kubectl does not start")?;
        let mut stdin = child.stdin.take().context("kubectl has no input")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let output = child.wait_with_output().await?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {} failed: {words}", arguments.join(" "));
        Ok(())
    }
}
