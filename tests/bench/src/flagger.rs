//! Flagger without a mesh: blue-green by Kubernetes' own Services, otherwise at the defaults of its chart.

use std::path::Path;

use anyhow::Result;
use bluegreen_bench::peer::Built;
use bluegreen_cluster::Cluster;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::program::apply_crds;
use crate::side::{Kind, Served, Side, pod};

/// Flagger.
///
/// A user edits a plain Deployment. Flagger lets it run beside a copy of its own, the primary, which the live Service always selects; where
/// the new version is good, it gives the primary the same template, and that rolls. So an app has moved once the primary has rolled.
pub struct Flagger {
    /// The controller.
    pub built: Built,
}

impl Side for Flagger {
    fn name(&self) -> &'static str {
        "Flagger"
    }

    fn program(&self) -> &Path {
        &self.built.program
    }

    fn arguments(&self, [port, metrics]: [u16; 2], kubeconfig: &Path) -> Vec<String> {
        vec![
            format!("-kubeconfig={}", kubeconfig.display()),
            format!("-port={port}"),
            // It asks whether there is a Prometheus, and goes on if there is none.
            format!("-metrics-server=http://127.0.0.1:{metrics}"),
            "-mesh-provider=kubernetes".to_owned(),
            "-log-level=info".to_owned(),
        ]
    }

    fn leads(&self) -> &'static str {
        "Started operator workers"
    }

    fn install<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>> {
        Box::pin(apply_crds(cluster, &self.built.crds))
    }

    fn kind(&self) -> Kind {
        ("flagger.app", "v1beta1", "Canary")
    }

    fn edited(&self) -> Kind {
        ("apps", "v1", "Deployment")
    }

    fn app(&self, name: &str, pods: i32) -> Vec<Value> {
        vec![
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
                "spec": {
                    "replicas": pods, "selector": {"matchLabels": {"app": name}},
                    "template": {"metadata": {"labels": {"app": name}}, "spec": pod("v1")},
                },
            }),
            json!({
                "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": name},
                "spec": {
                    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                    "service": {"port": 8080, "targetPort": "http"},
                    // The shortest that it takes, and no checks, which the others have none of, either.
                    "analysis": {"interval": "10s", "threshold": 1, "iterations": 1},
                    "skipAnalysis": true,
                },
            }),
        ]
    }

    fn deploy(&self, version: &str) -> Value {
        json!({"spec": {"template": {"spec": pod(version)}}})
    }

    fn back(&self) -> Value {
        self.deploy("v1")
    }

    fn verdict(&self) -> fn(&Value) -> bool {
        |app| ["Initialized", "Succeeded"].iter().any(|phase| app["status"]["phase"] == *phase)
    }

    fn served(&self) -> Served {
        Served { kind: ("apps", "v1", "Deployment"), version: Box::new(rolled) }
    }
}

/// The version of a primary all of whose pods are of it.
fn rolled(deployment: &Value) -> Option<(String, String)> {
    let app = deployment["metadata"]["name"].as_str()?.strip_suffix("-primary")?;
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let wanted = spec["replicas"].as_i64().filter(|wanted| *wanted > 0)?;
    let all = ["replicas", "updatedReplicas", "availableReplicas"];
    let rolled = status["observedGeneration"] == deployment["metadata"]["generation"]
        && all.iter().all(|count| status[count].as_i64() == Some(wanted));
    let image = spec["template"]["spec"]["containers"][0]["image"].as_str()?;
    rolled.then(|| (app.to_owned(), image.to_owned()))
}
