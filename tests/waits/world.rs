//! A cluster with the CRD, and who the operator is there.

use anyhow::{Context, Result};
use bluegreen_cluster::{Cluster, Options};
use bluegreen_operator::api;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};

/// Where the operator's Lease is.
pub const NAMESPACE: &str = "bluegreen-system";

/// A cluster of simulated nodes, ready for the operator.
pub struct World {
    pub cluster: Cluster,
}

impl World {
    pub async fn start() -> Result<Self> {
        let world = Self { cluster: Cluster::start(Options { audit: false, ..Options::default() }).await? };
        let crds: Api<CustomResourceDefinition> = Api::all(world.cluster.client()?);
        crds.create(&PostParams::default(), &api::crd()?).await.context("can't create the CRD")?;
        await_condition(crds, "bluegreenapps.bluegreen.dev", conditions::is_crd_established()).await?;
        world.namespace(NAMESPACE).await?;
        Ok(world)
    }

    /// Whoever the operator is to the API server. What it may do is other tests' subject.
    pub async fn operator_config(&self) -> Result<kube::Config> {
        Ok(self.cluster.user("bluegreen-operator", &["system:masters"]).await?.config)
    }

    /// Makes sure that a namespace is there.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.cluster.client()?);
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        match namespaces.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            result => Ok(result.map(|_| ())?),
        }
    }
}

/// An app.
pub fn app(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "bluegreen.dev/v1alpha1",
        "kind": "BlueGreenApp",
        "metadata": {"name": name},
        "spec": spec,
    })
}
