//! The controller under measurement, as a process of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, UserAccount, free_ports, patiently};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use serde::Deserialize;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::side::Side;

/// The user that the controller acts as, by which the audit log tells its requests from others'.
pub const USER: &str = "contestant";

/// Clock ticks of `/proc/PID/stat` in a second, on every Linux since 2.6.
const TICKS: f64 = 100.0;

/// A running controller.
pub struct Running {
    child: Child,
    pid: u32,
}

impl Running {
    /// Starts it and waits until it leads.
    pub async fn start(side: &dyn Side, cluster: &Cluster) -> Result<Self> {
        let UserAccount { kubeconfig, .. } = cluster.user(USER, &["system:masters"]).await?;
        let namespaces: Api<Namespace> = Api::all(cluster.client()?);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argo-rollouts"}});
        namespaces.patch("argo-rollouts", &PatchParams::apply("bench"), &Patch::Apply(namespace)).await?;

        let log = cluster.dir()?.join("contestant.log");
        let output = File::create(&log)?;
        let child = Command::new(side.program())
            .args(side.arguments(free_ports()?, &kubeconfig))
            // A flag of one, and the environment of the others.
            .env("KUBECONFIG", &kubeconfig)
            .env("BLUEGREEN_CLUSTER_ID", mark(cluster)?)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", side.program().display()))?;
        let pid = child.id().context("it has ended")?;
        let running = Self { child, pid };
        running.says(&log, side.leads()).await?;
        Ok(running)
    }

    async fn says(&self, log: &PathBuf, words: &str) -> Result<()> {
        let attempt = async || {
            let text = fs::read_to_string(log)?;
            let begin = || text.chars().take(2000).collect::<String>();
            ensure!(text.contains(words), "it never said {words:?}; its log: {}", begin());
            Ok(())
        };
        patiently(Duration::from_secs(60), attempt).await
    }

    /// CPU time since its start.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // After the name, which may hold anything, in parentheses: state is field 3, utime 14, stime 15.
        let fields: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index - 3).context("stat")?.parse()?) };
        Ok(Duration::from_secs_f64((ticks(14)? + ticks(15)?) / TICKS))
    }

    /// Resident memory now, in MiB.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.split_whitespace().next().context("VmRSS")?.parse()?;
        Ok(kib / 1024)
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "it has ended by itself");
        Ok(self.child.kill().await?)
    }
}

/// The mark by which the cluster's clean-up finds a process, should this one be killed.
fn mark(cluster: &Cluster) -> Result<String> {
    let state: serde_json::Value = serde_json::from_slice(&fs::read(cluster.dir()?.join("state.json"))?)?;
    Ok(format!("{}.", state["id"].as_str().context("id")?))
}

/// Applies the CRDs in these files and waits until the API server serves them.
pub async fn apply_crds(cluster: &Cluster, files: &[impl AsRef<Path>]) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client()?);
    let mut crds = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)?;
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            crds.extend(Option::<CustomResourceDefinition>::deserialize(document)?);
        }
    }
    for crd in crds {
        let name = crd.name_any();
        // As by `kubectl apply --server-side`: some are too large for an annotation.
        api.patch(&name, &PatchParams::apply("bench").force(), &Patch::Apply(&crd)).await?;
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(Duration::from_secs(30), established).await.context("the CRD")??;
    }
    Ok(())
}
