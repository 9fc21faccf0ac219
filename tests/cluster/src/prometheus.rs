//! Prometheus and promtool: those on the PATH, or else the ones of Debian's package.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::debian::Programs;
use crate::dir::{free_ports, target};
use crate::go::module_folder;
use crate::{Cluster, get, patiently, tail};

const PROMETHEUS: Programs = Programs {
    name: "prometheus",
    packages: &["prometheus"],
    folder: "usr/bin",
    programs: &["prometheus", "promtool"],
    size: 19,
};

const ALERTMANAGER: Programs = Programs {
    name: "alertmanager",
    packages: &["prometheus-alertmanager"],
    folder: "usr/bin",
    programs: &["amtool"],
    size: 11,
};

/// The folder that holds `amtool`, with which Alertmanager checks a configuration.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_amtool(target: &Path) -> Result<PathBuf> {
    ALERTMANAGER.ensure(target)
}

/// The folder that holds `prometheus` and `promtool`.
///
/// # Errors
/// Where they are neither on the PATH nor to be had from a package, with what to do about it.
pub fn ensure(target: &Path) -> Result<PathBuf> {
    PROMETHEUS.ensure(target)
}

impl Cluster {
    /// Starts a real Prometheus where pods reach it; its address, as `IP:PORT`. It ends with the cluster.
    ///
    /// Its process is called [`PROCESS`].
    ///
    /// # Errors
    /// Where there is no Prometheus, or it does not start.
    pub async fn start_prometheus(&self, config: &Value) -> Result<String> {
        let folder = self.dir()?.join(PROCESS);
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config.to_string())?;
        let programs = tokio::task::spawn_blocking(|| ensure(&target()?)).await??;
        // The machine as its pods see it, as the API server is.
        let host = self.admin_config().cluster_url.host().context("the API server's address")?.to_owned();
        let [port] = free_ports()?;
        let address = format!("{host}:{port}");
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={address}"),
            "--log.level=warn".to_owned(),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.start_process(PROCESS, &programs.join("prometheus"), &arguments, &[])?;
        let attempt = async || get(&address, "/-/ready").await;
        let ready = patiently(Duration::from_secs(60), attempt).await;
        ready.with_context(|| self.process_log(PROCESS).map(|log| tail(&log, 20)).unwrap_or_default())?;
        Ok(address)
    }
}

/// The process of [`Cluster::start_prometheus`].
pub const PROCESS: &str = "prometheus";

/// The Prometheus Operator, whose CustomResourceDefinitions are in its Go module.
const OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";
const OPERATOR_SUM: &str = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=";

/// The files of the Prometheus Operator's CustomResourceDefinitions, as far as we ship objects of them.
///
/// # Errors
/// Where its module can't be had.
pub fn operator_crds() -> Result<[PathBuf; 3]> {
    let folder = module_folder(OPERATOR, OPERATOR_SUM)?.join("example/prometheus-operator-crd");
    Ok(["servicemonitors", "podmonitors", "prometheusrules"]
        .map(|name| folder.join(format!("monitoring.coreos.com_{name}.yaml"))))
}
