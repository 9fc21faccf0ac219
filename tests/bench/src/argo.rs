//! Argo Rollouts, with its blue-green strategy and otherwise at its defaults.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bluegreen_bench::rollouts;
use bluegreen_cluster::Cluster;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::program::apply_crds;
use crate::side::Side;

/// Argo Rollouts.
pub struct Argo {
    /// The controller.
    pub program: PathBuf,
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
            let crds: Vec<String> = rollouts::CRDS.into_iter().map(read).collect::<Result<_, _>>()?;
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
