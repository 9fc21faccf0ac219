//! One operator for all namespaces of a cluster.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bluegreen_cluster::{Cluster, UserAccount};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{Api, Patch, PatchParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::e2e::harness::operator::{Operator, PROGRAM};
use crate::e2e::harness::setup::{self, ROLE};

/// Where the operator's Lease is.
const NAMESPACE: &str = "bluegreen-system";
pub const USER: &str = "bluegreen-operator";

/// A cluster with the CRD, and the operator's user in it.
pub async fn start() -> Result<(&'static Cluster, UserAccount)> {
    let cluster = setup::cluster().await?;
    namespace(cluster, NAMESPACE).await?;
    let binding = json!({
        "metadata": {"name": USER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
    });
    apply(&Api::<ClusterRoleBinding>::all(cluster.client()?), USER, binding).await?;
    Ok((cluster, cluster.user(USER, &[]).await?))
}

/// Starts the operator as the user of that kubeconfig; its log is called `name`.
pub fn operator(kubeconfig: &Path, name: &str, more: &[&str]) -> Result<Operator> {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
    program(Path::new(PROGRAM), kubeconfig, &log, more)
}

/// Starts this program as the user of that kubeconfig.
pub fn program(program: &Path, kubeconfig: &Path, log: &Path, more: &[&str]) -> Result<Operator> {
    let arguments = [
        "--lease-namespace",
        NAMESPACE,
        "--health-addr",
        "127.0.0.1:0",
        "--metrics-addr",
        "127.0.0.1:0",
        "--log-format",
        "text",
    ];
    let arguments: Vec<_> = arguments.iter().chain(more).map(|argument| (*argument).to_owned()).collect();
    let environment = [("KUBECONFIG".to_owned(), kubeconfig.display().to_string())];
    Operator::start_program(program, &arguments, &environment, log)
}

/// Makes sure that a namespace is there.
pub async fn namespace(cluster: &Cluster, name: &str) -> Result<()> {
    apply(&Api::<Namespace>::all(cluster.client()?), name, json!({"metadata": {"name": name}})).await
}

async fn apply<K>(api: &Api<K>, name: &str, mut object: Value) -> Result<()>
where
    K: kube::Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + std::fmt::Debug,
{
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(K::kind(&()));
    api.patch(name, &PatchParams::apply("waits").force(), &Patch::Apply(object)).await?;
    Ok(())
}
