//! The image of this very pod.

use std::time::Duration;

use bluegreen_client::objects;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;

use crate::config::VERSION;

/// How long to ask: nobody may lead meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// The container of the operator in its own pod.
const CONTAINER: &str = "operator";

/// Returns the image that the short forms of checks run: that of the pod of this name, so that whoever installs the operator
/// from a registry of their own need not name it twice. Outside of a pod, or without the right to read it, it is the name that
/// the manifests have.
pub async fn find(kube: &kube::Config, pod: Option<&str>) -> String {
    let image = tokio::time::timeout(PATIENCE, read(kube, pod)).await.ok().flatten();
    image.unwrap_or_else(|| format!("bluegreen-operator:{VERSION}"))
}

async fn read(kube: &kube::Config, pod: Option<&str>) -> Option<String> {
    let client = Client::try_from(kube.clone()).ok()?;
    let pod = objects::get::<Pod>(&client, &kube.default_namespace, pod?).await.ok()??.0.ok()?;
    let containers = pod.spec?.containers;
    let operator = containers.iter().find(|container| container.name == CONTAINER).or(containers.first());
    operator?.image.clone()
}
