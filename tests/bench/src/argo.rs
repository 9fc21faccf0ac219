//! Argo Rollouts, with its blue-green strategy and otherwise at its defaults.

use std::path::Path;

use anyhow::Result;
use bluegreen_bench::peer::Built;
use bluegreen_cluster::Cluster;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::program::apply_crds;
use crate::side::{Kind, Served, Side, pod, selects};

/// Argo Rollouts.
pub struct Argo {
    /// The controller.
    pub built: Built,
}

impl Side for Argo {
    fn name(&self) -> &'static str {
        "Argo Rollouts"
    }

    fn program(&self) -> &Path {
        &self.built.program
    }

    fn arguments(&self, [metrics, health]: [u16; 2], _: &Path) -> Vec<String> {
        [format!("--metricsPort={metrics}"), format!("--healthzPort={health}")].into()
    }

    fn leads(&self) -> &'static str {
        "Started controller"
    }

    fn install<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>> {
        Box::pin(apply_crds(cluster, &self.built.crds))
    }

    fn kind(&self) -> Kind {
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

    fn served(&self) -> Served {
        selects("rollouts-pod-template-hash")
    }
}
