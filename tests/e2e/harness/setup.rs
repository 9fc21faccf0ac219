//! Once per test binary: the cluster, the CRD, the operator's rights.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::BlueGreenApp;
use bluegreen_cluster::{Cluster, Node, Options, UserAccount, patiently};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::OnceCell;

const CRD: &str = include_str!("../../../crds/bluegreen.dev_bluegreenapps.yaml");

const LIMITS: [&str; 2] = [
    include_str!("../../../config/own-writes/policy.yaml"),
    include_str!("../../../config/own-writes/binding.yaml"),
];

const RIGHTS: &str = include_str!("../../../config/rbac/role.yaml");
const ELECTION: &str = include_str!("../../../config/rbac/leader_election_role.yaml");

/// The Lease of the operator under test.
pub const LEASE: &str = "bluegreen-operator";

/// The Lease of another installation.
pub const OTHER_LEASE: &str = "another";

/// The ClusterRole that each sandbox binds in its namespace.
pub const ROLE: &str = "bluegreen-operator-e2e";

/// The cluster, with the CRD and the operator's ClusterRole in it.
pub async fn cluster() -> Result<&'static Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = Cluster::shared().await?;
    INSTALLED.get_or_try_init(|| async { install(cluster).await }).await?;
    Ok(cluster)
}

/// A cluster with a real node, of this test binary's own.
pub async fn real_node() -> Result<&'static Cluster> {
    static REAL: OnceCell<Cluster> = OnceCell::const_new();
    let started = REAL.get_or_try_init(|| async {
        let cluster = Cluster::start(Options { node: Node::Real { count: 1 }, ..Options::default() }).await?;
        install(&cluster).await?;
        Ok(cluster)
    });
    started.await
}

/// How the names of the operators' users begin: each sandbox has one of its own.
pub const OPERATOR: &str = "operator-";

/// The CRD, the operator's ClusterRole, and what limits its account, in effect when this returns.
pub async fn install(cluster: &Cluster) -> Result<()> {
    let client = &cluster.client()?;
    let crd: CustomResourceDefinition = serde_yaml_ng::from_str(CRD)?;
    apply(&Api::all(client.clone()), &crd).await?;
    apply(&Api::all(client.clone()), &role()?).await?;
    limit(cluster).await?;
    // Established comes a moment before the first request succeeds.
    listed(&Api::all(client.clone())).await.context("the CRD is not served")
}

/// Gives a user the rights of a ClusterRole in this namespace; returns when they are in effect.
pub async fn allow(client: &Client, namespace: &str, user: &UserAccount, role: &str) -> Result<()> {
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": binding_of(user, role)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name}],
    }))?;
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &binding).await?;
    listed(&Api::namespaced(user.client()?, namespace)).await.context("no rights")
}

/// A namespace may have one for each of several users.
fn binding_of(user: &UserAccount, role: &str) -> String {
    format!("{role}-{}", user.name)
}

/// Takes the rights of [`allow`] away; returns when they have no effect any more.
pub async fn withdraw(client: &Client, namespace: &str, user: &UserAccount, role: &str) -> Result<()> {
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    bindings.delete(&binding_of(user, role), &DeleteParams::default()).await?;
    let apps: Api<BlueGreenApp> = Api::namespaced(user.client()?, namespace);
    let attempt = async || {
        let answer = apps.list(&ListParams::default()).await;
        ensure!(
            matches!(&answer, Err(kube::Error::Api(status)) if status.code == 403),
            "the rights are still there"
        );
        Ok(())
    };
    patiently(Duration::from_secs(30), attempt).await
}

/// Every test's operator works below the policy that is shipped for its account. Only the account's name is another.
async fn limit(cluster: &Cluster) -> Result<()> {
    let client = cluster.client()?;
    let [policy, binding] = LIMITS;
    let mut policy: ValidatingAdmissionPolicy = serde_yaml_ng::from_str(policy)?;
    let binding: ValidatingAdmissionPolicyBinding = serde_yaml_ng::from_str(binding)?;
    let conditions = policy.spec.as_mut().and_then(|spec| spec.match_conditions.as_mut());
    let condition = conditions.and_then(|conditions| conditions.first_mut()).context("a condition")?;
    condition.expression = format!("request.userInfo.username.startsWith('{OPERATOR}')");
    apply(&Api::all(client.clone()), &policy).await?;
    apply(&Api::all(client.clone()), &binding).await?;
    let probe: Api<Service> = Api::namespaced(as_operator(cluster, "probe")?, "kube-system");
    let service: Service =
        serde_json::from_value(json!({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 1}]}}))?;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let attempt = async || {
        let answer = probe.create(&params, &service).await.err().map(|error| error.to_string());
        answer.filter(|words| words.contains("the operator may write nothing")).context("no limit")
    };
    patiently(Duration::from_secs(30), attempt).await.map(drop)
}

/// The account of the operator of a namespace, with every right that there is: what still stops it is the policy.
pub fn as_operator(cluster: &Cluster, namespace: &str) -> Result<Client> {
    let mut config = cluster.admin_config();
    config.auth_info.impersonate = Some(format!("{OPERATOR}{namespace}"));
    config.auth_info.impersonate_groups = Some(vec!["system:masters".to_owned()]);
    Ok(Client::try_from(config)?)
}

async fn listed(apps: &Api<BlueGreenApp>) -> Result<()> {
    let attempt = async || Ok(apps.list(&ListParams::default()).await?);
    patiently(Duration::from_secs(30), attempt).await.map(drop)
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

/// What is shipped, both roles in one: the operator runs with exactly these rights, here in a single namespace.
fn role() -> Result<ClusterRole> {
    let mut role: ClusterRole = serde_yaml_ng::from_str(RIGHTS)?;
    role.metadata = ObjectMeta { name: Some(ROLE.to_owned()), ..ObjectMeta::default() };
    let election: Role = serde_yaml_ng::from_str(ELECTION)?;
    let mut rules = election.rules.unwrap_or_default();
    for names in rules.iter_mut().filter_map(|rule| rule.resource_names.as_mut()) {
        names.push(OTHER_LEASE.to_owned());
    }
    role.rules.get_or_insert_default().append(&mut rules);
    Ok(role)
}
