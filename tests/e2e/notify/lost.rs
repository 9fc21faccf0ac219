//! The node of the notifier is lost: its kubelet does not answer, and its containers go on.

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::patiently;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};

use super::{Pod, SOON};
use crate::harness::Sandbox;

const MANIFEST: &str = include_str!("../../../config/notify/notifier.yaml");

/// The shipped object as one of this kind and name, whose pods the nodes here never confirm as gone: as if there were no kubelet.
fn workload(kind: &str, name: &str) -> Result<Value> {
    let mut object: Value = serde_yaml_ng::from_str(MANIFEST)?;
    object["kind"] = json!(kind);
    object["metadata"] = json!({ "name": name });
    let spec = &mut object["spec"];
    spec["selector"] = json!({"matchLabels": {"app": name}});
    spec["template"]["metadata"] =
        json!({"labels": {"app": name}, "annotations": {"test.bluegreen.dev/stop-after": "1h"}});
    spec["template"]["spec"]["serviceAccountName"] = json!("default");
    if kind == "Deployment" {
        for field in ["serviceName", "podManagementPolicy"] {
            spec.as_object_mut().context("spec")?.remove(field).context(field)?;
        }
        spec["strategy"] = json!({"type": "Recreate"});
    }
    Ok(object)
}

async fn pods(sandbox: &Sandbox, name: &str) -> Result<Vec<Pod>> {
    let api: Api<Pod> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    Ok(api.list(&ListParams::default().labels(&format!("app={name}"))).await?.items)
}

/// The only one that is not told to end.
async fn running(sandbox: &Sandbox, name: &str) -> Result<Pod> {
    let attempt = async || {
        let mut pods = pods(sandbox, name).await?;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        let runs =
            |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
        ensure!(pods.len() == 1 && pods.iter().all(runs), "{} pods of {name}", pods.len());
        pods.pop().context("a pod")
    };
    patiently(SOON, attempt).await
}

#[tokio::test]
async fn does_no_second_notifier_start_while_the_first_may_still_run_on_a_lost_node() -> Result<()> {
    let sandbox = Sandbox::new("notify-lost").await?;
    let api: Api<Pod> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let (shipped, other) = ("shipped", "other");
    for (kind, name) in [("StatefulSet", shipped), ("Deployment", other)] {
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{}-{name}.yaml", sandbox.namespace));
        std::fs::write(&file, serde_yaml_ng::to_string(&workload(kind, name)?)?)?;
        sandbox.kubectl(&["apply", "-f", file.to_str().context("path")?]).await?;
    }
    let first = running(&sandbox, shipped).await?;
    running(&sandbox, other).await?;
    // As the taint of a node without a kubelet does after five minutes.
    for name in [shipped, other] {
        let pod = running(&sandbox, name).await?.metadata.name.context("name")?;
        api.delete(&pod, &DeleteParams::default()).await?;
    }
    // A Deployment, whatever its strategy, now has a second pod, and the first one still runs.
    running(&sandbox, other).await?;
    ensure!(pods(&sandbox, other).await?.len() == 2, "this shows nothing: the first pod is gone");
    let left = pods(&sandbox, shipped).await?;
    let uids: Vec<_> = left.iter().map(|pod| &pod.metadata.uid).collect();
    ensure!(uids == [&first.metadata.uid], "there is a second notifier: {uids:?}");
    ensure!(left.iter().all(|pod| pod.metadata.deletion_timestamp.is_some()), "it was not told to end");
    // Somebody confirms that the first one is gone.
    let name = first.metadata.name.context("name")?;
    api.delete(&name, &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }).await?;
    let second = running(&sandbox, shipped).await?;
    ensure!(second.metadata.uid != first.metadata.uid, "nobody takes its place");
    let all = ["delete", "statefulsets,deployments,replicasets", "--all", "--cascade=orphan"];
    sandbox.kubectl(&all).await?;
    sandbox.kubectl(&["delete", "pods", "--all", "--force", "--grace-period=0"]).await?;
    sandbox.finish().await
}
