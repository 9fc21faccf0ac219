//! bluegreen-operator.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bluegreen_cluster::Cluster;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::program::apply_crds;
use crate::side::{Kind, Served, Side, selects};

const CRD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds/bluegreen.dev_bluegreenapps.yaml");

/// The operator of this repository.
pub struct Ours {
    /// The program.
    pub program: PathBuf,
}

impl Side for Ours {
    fn name(&self) -> &'static str {
        "bluegreen-operator"
    }

    fn program(&self) -> &Path {
        &self.program
    }

    fn arguments(&self, [health, metrics]: [u16; 2], _: &Path) -> Vec<String> {
        let ports =
            [format!("--health-addr=127.0.0.1:{health}"), format!("--metrics-addr=127.0.0.1:{metrics}")];
        ["--lease-namespace=default".to_owned()].into_iter().chain(ports).collect()
    }

    fn leads(&self) -> &'static str {
        "leading"
    }

    fn install<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>> {
        Box::pin(apply_crds(cluster, &[CRD]))
    }

    fn kind(&self) -> Kind {
        ("bluegreen.dev", "v1alpha1", "BlueGreenApp")
    }

    fn app(&self, name: &str, pods: i32) -> Vec<Value> {
        vec![json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": name},
            // The other color comes with the new version, as the other side's does.
            "spec": {
                "active": "blue", "image": "hello", "blue": {"tag": "v1"}, "replicas": pods, "port": 8080,
                "service": {"type": "ClusterIP"},
                // As in a real app of either side: it must not keep the next deployment waiting.
                "drainSeconds": 1,
            },
        })]
    }

    fn deploy(&self, version: &str) -> Value {
        json!({"spec": {"active": "green", "green": {"tag": version}}})
    }

    fn back(&self) -> Value {
        json!({"spec": {"active": "blue"}})
    }

    fn verdict(&self) -> fn(&Value) -> bool {
        |app| {
            let generation = &app["metadata"]["generation"];
            let ready = |condition: &Value| {
                condition["type"] == "Ready"
                    && condition["status"] == "True"
                    && condition["observedGeneration"] == *generation
            };
            app["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(ready))
        }
    }

    fn served(&self) -> Served {
        selects("bluegreen.dev/color")
    }

    fn trial(&self, app: &str) -> Option<String> {
        Some(format!("{app}-green"))
    }
}
