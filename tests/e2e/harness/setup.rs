//! Once per test binary: the cluster, the CRD, the operator's rights.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bluegreen_cluster::Cluster;
use bluegreen_operator::api::BlueGreenApp;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::OnceCell;

const CRD: &str = include_str!("../../../crds/bluegreen.dev_bluegreenapps.yaml");

/// The ClusterRole that each sandbox binds in its namespace.
pub const ROLE: &str = "bluegreen-operator-e2e";

/// The cluster, with the CRD and the operator's ClusterRole in it.
pub async fn cluster() -> Result<&'static Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = Cluster::shared().await?;
    INSTALLED.get_or_try_init(|| async { install(&cluster.client()?).await }).await?;
    Ok(cluster)
}

async fn install(client: &Client) -> Result<()> {
    let crd: CustomResourceDefinition = serde_yaml_ng::from_str(CRD)?;
    apply(&Api::all(client.clone()), &crd).await?;
    apply(&Api::all(client.clone()), &role()?).await?;
    // Established comes a moment before the first request succeeds.
    let apps: Api<BlueGreenApp> = Api::all(client.clone());
    let start = Instant::now();
    while let Err(error) = apps.list(&ListParams::default()).await {
        if start.elapsed() > Duration::from_secs(30) {
            bail!("the CRD is not served: {error}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn apply<K>(api: &Api<K>, object: &K) -> Result<()>
where
    K: kube::Resource + Serialize + DeserializeOwned + Clone + std::fmt::Debug,
    K::DynamicType: Default,
{
    let params = PatchParams::apply("bluegreen-e2e").force();
    api.patch(&object.name_any(), &params, &Patch::Apply(object)).await.context("cannot install")?;
    Ok(())
}

/// Exactly what the operator may do. A request beyond it fails its test.
fn role() -> Result<ClusterRole> {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let children = ["get", "list", "watch", "create", "patch", "delete"];
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE},
        "rules": [
            rule("bluegreen.dev", &["bluegreenapps"], &["get", "list", "watch"]),
            rule("bluegreen.dev", &["bluegreenapps/status"], &["update"]),
            rule("apps", &["deployments", "controllerrevisions"], &children),
            rule("", &["services"], &children),
            rule("discovery.k8s.io", &["endpointslices"], &["get", "list", "watch"]),
            rule("apps", &["replicasets"], &["get", "list"]),
            rule("", &["pods"], &["get", "list"]),
            rule("events.k8s.io", &["events"], &["create", "patch"]),
            rule("coordination.k8s.io", &["leases"], &["get", "create", "update"]),
        ],
    });
    Ok(serde_json::from_value(role)?)
}
