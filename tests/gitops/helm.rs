//! The real Helm 4, with the chart of `examples/gitops/helm`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bluegreen_cluster::{Cluster, Tools, target};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::root;
use crate::verdict::Verdict;

/// The name of the release, and of the app.
pub const RELEASE: &str = "hello";

/// Helm in one namespace.
pub struct Helm {
    pub program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
    /// Scratch.
    pub folder: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Answer {
    pub ok: bool,
    pub words: String,
    pub took: Duration,
}

impl Helm {
    pub async fn new(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let program = tokio::task::spawn_blocking(|| Tools::helm(&target()?)).await??;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm").join(namespace);
        std::fs::create_dir_all(&folder)?;
        let kubeconfig = cluster.kubeconfig().to_owned();
        Ok(Self { program, kubeconfig, namespace: namespace.to_owned(), folder })
    }

    /// `helm upgrade --install`, with this spec.
    pub async fn upgrade(&self, spec: &Value, more: &[&str]) -> Result<Answer> {
        let values = self.folder.join("values.json");
        let mut app = spec.clone();
        for color in ["blue", "green"] {
            if app.get(color).is_none() {
                // Or it would be as in the chart's own values, which are an example.
                app[color] = Value::Null;
            }
        }
        std::fs::write(&values, json!({ "app": app }).to_string())?;
        let (chart, values) =
            (root().join("examples/gitops/helm").display().to_string(), values.display().to_string());
        let mut arguments = vec!["upgrade", "--install", RELEASE, &chart, "--values", &values];
        arguments.extend(more);
        self.run(&arguments).await
    }

    pub async fn run(&self, arguments: &[&str]) -> Result<Answer> {
        let start = Instant::now();
        let output = Command::new(&self.program)
            .args(arguments)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--namespace", &self.namespace])
            .env("HELM_CACHE_HOME", self.folder.join("cache"))
            .env("HELM_CONFIG_HOME", self.folder.join("config"))
            .env("HELM_DATA_HOME", self.folder.join("data"))
            .kill_on_drop(true)
            .output()
            .await
            .context("Helm does not start")?;
        let words =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        Ok(Answer { ok: output.status.success(), words, took: start.elapsed() })
    }
}

impl Answer {
    /// That it worked.
    pub fn worked(self) -> Result<Self> {
        ensure!(self.ok, "{}", self.words);
        Ok(self)
    }

    /// What `--wait` said.
    pub fn verdict(&self) -> Result<Verdict> {
        if self.ok {
            return Ok(Verdict::Done);
        }
        match () {
            () if self.words.contains("context deadline exceeded") => Ok(Verdict::Waits),
            () if self.words.contains("status: Failed") => Ok(Verdict::Failed),
            () => bail!("Helm failed otherwise: {}", self.words),
        }
    }
}
