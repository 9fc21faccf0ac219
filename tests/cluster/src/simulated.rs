//! Nodes and pods without containers: kwok plays their part, as the annotations on each pod say.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::control_plane::Setup;
use crate::dir::target;
use crate::process::Service;
use crate::tools::Tools;

/// What happens to pods, and the annotations that steer it: see the file.
const STAGES: &str = include_str!("stages.yaml");

const ANNOTATION: &str = "kwok.x-k8s.io/node";

/// Starts kwok and `count` nodes; returns when all are ready.
pub async fn start(setup: &Setup<'_>, client: &Client, count: usize) -> Result<()> {
    let kubeconfig = setup.component_kubeconfig("kwok", "kwok", &["system:masters"])?;
    let stages = setup.config_file("stages.yaml", STAGES)?;
    setup.processes.start(Service::new(
        "kwok",
        &Tools::kwok(&target()?)?,
        [
            format!("--kubeconfig={kubeconfig}"),
            format!("--config={stages}"),
            format!("--manage-nodes-with-annotation-selector={ANNOTATION}=fake"),
            "--cidr=10.244.0.0/16".into(),
            "--node-ip=10.0.0.1".into(),
            // Leases would be renewed all the time, and nothing here looks at them.
            "--node-lease-duration-seconds=0".into(),
        ],
    ))?;
    let nodes: Api<Node> = Api::all(client.clone());
    try_join_all((1..=count).map(|index| create(&nodes, index))).await?;
    setup
        .wait("ready simulated nodes", "kwok", async || {
            let all = nodes.list(&Default::default()).await.ok()?;
            (all.items.iter().filter(|node| ready(node)).count() == count).then_some(())
        })
        .await
}

async fn create(nodes: &Api<Node>, index: usize) -> Result<()> {
    let name = crate::node::name(index);
    let node: Node = serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "annotations": {ANNOTATION: "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "status": {
            "allocatable": {"cpu": "1000", "memory": "1Ti", "pods": "10000"},
            "capacity": {"cpu": "1000", "memory": "1Ti", "pods": "10000"},
        },
    }))?;
    nodes.create(&PostParams::default(), &node).await.with_context(|| format!("cannot create {name}"))?;
    // Admission taints every new node "not-ready", and the controller that takes this away is off here.
    let untainted = json!({"spec": {"taints": null}});
    nodes.patch(&name, &PatchParams::default(), &Patch::Merge(untainted)).await?;
    Ok(())
}

/// Whether a node reports Ready.
pub fn ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
