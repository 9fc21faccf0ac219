//! Argo Rollouts, with its blue-green strategy and otherwise at its defaults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, target};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::apply_crds;
use crate::say;
use crate::side::Side;

const GO_MOD: &str = include_str!("../argo/go.mod");
const GO_SUM: &str = include_str!("../argo/go.sum");
const MODULE: &str = "github.com/argoproj/argo-rollouts";

/// The CRDs without which its controller does not start.
const CRDS: [&str; 5] =
    ["rollout", "analysis-run", "analysis-template", "cluster-analysis-template", "experiment"];

/// Argo Rollouts.
pub struct Argo {
    /// The controller.
    pub program: PathBuf,
}

/// Builds the controller from its pinned module, once.
pub fn build() -> Result<PathBuf> {
    let mut hash = Sha256::new();
    hash.update(GO_MOD);
    hash.update(GO_SUM);
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = target()?.join("bench").join(hash);
    let program = folder.join("rollouts-controller");
    if !program.exists() {
        say("building Argo Rollouts once, about 5 min on 2 cores …");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("go.mod"), GO_MOD)?;
        fs::write(folder.join("go.sum"), GO_SUM)?;
        let unfinished = folder.join("unfinished");
        let package = format!("{MODULE}/cmd/rollouts-controller");
        go(
            &folder,
            &["build", "-trimpath", "-buildvcs=false", "-o", &unfinished.display().to_string(), &package],
        )?;
        for crd in CRDS {
            let file = Path::new(&go(&folder, &["list", "-m", "-f", "{{.Dir}}", MODULE])?)
                .join(format!("manifests/crds/{crd}-crd.yaml"));
            fs::write(folder.join(format!("{crd}.yaml")), fs::read(file)?)?;
        }
        fs::rename(unfinished, &program)?;
    }
    Ok(program)
}

fn go(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("go");
    let output = command
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .current_dir(folder)
        .args(arguments)
        .output()
        .context("no usable Go here")?;
    ensure!(output.status.success(), "go {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn pod(version: &str) -> Value {
    json!({"containers": [{
        "name": "app", "image": format!("hello:{version}"), "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
    }]})
}

impl Side for Argo {
    fn name(&self) -> &'static str {
        "Argo Rollouts"
    }

    fn program(&self) -> &Path {
        &self.program
    }

    fn arguments(&self, [metrics, health]: [u16; 2]) -> Vec<String> {
        [format!("--metricsPort={metrics}"), format!("--healthzPort={health}")].into()
    }

    fn leads(&self) -> &'static str {
        "Started controller"
    }

    fn install<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            let folder = self.program.parent().context("the program's folder")?;
            let read = |crd| fs::read_to_string(folder.join(format!("{crd}.yaml")));
            let crds: Vec<String> = CRDS.into_iter().map(read).collect::<Result<_, _>>()?;
            apply_crds(cluster, &crds).await
        })
    }

    fn kind(&self) -> (&'static str, &'static str, &'static str) {
        ("argoproj.io", "v1alpha1", "Rollout")
    }

    fn app(&self, name: &str, pods: i32) -> Vec<Value> {
        let service = |name: &str, app: &str| {
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": app}},
                "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 8080, "targetPort": "http"}]},
            })
        };
        let preview = format!("{name}-preview");
        vec![
            service(name, name),
            service(&preview, name),
            json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name},
                "spec": {
                    "replicas": pods, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": pod("v1")},
                    "strategy": {"blueGreen": {"activeService": name, "previewService": preview}},
                },
            }),
        ]
    }

    fn deploy(&self, version: &str) -> Value {
        // A merge patch replaces the list of containers, so all of it is named again.
        json!({"spec": {"template": {"spec": pod(version)}}})
    }

    fn back(&self) -> Value {
        self.deploy("v1")
    }

    fn verdict(&self) -> fn(&Value) -> bool {
        |app| {
            let generation = app["metadata"]["generation"].to_string();
            app["status"]["phase"] == "Healthy" && app["status"]["observedGeneration"] == generation.as_str()
        }
    }

    fn key(&self) -> &'static str {
        "rollouts-pod-template-hash"
    }
}
