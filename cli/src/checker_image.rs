//! Finds the image that the operator runs short forms of checks with, as far as the user may read that.

use bluegreen_api::BlueGreenApp;
use bluegreen_api::version::VERSION;
use bluegreen_client::careful::{Careful, Readable};
use bluegreen_core::desired::names;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::cluster::{Cluster, RequestError, within};

/// The container of the operator in its pod, and the flag that names the image.
const CONTAINER: &str = "operator";
const FLAG: &str = "--check-image=";

/// Returns the image that the operator of this app uses: the app's Service names the operator's Lease, the Lease the pod that
/// leads, and that pod the image.
///
/// # Errors
/// In words, when it can't be found out.
pub async fn find(cluster: &Cluster, app: &BlueGreenApp) -> Result<String, String> {
    let refused = |why: String| {
        format!(
            "can't find out which image the operator runs http and prometheus checks with: {why}; name it with --check-image, such \
             as bluegreen-operator:{VERSION}"
        )
    };
    read(cluster, &names::live_service_name(&app.name_any())).await.map_err(refused)
}

async fn read(cluster: &Cluster, service: &str) -> Result<String, String> {
    let service: Service = get(cluster, &cluster.namespace, service).await?;
    let lease = service.annotations().get(names::OPERATOR).and_then(|lease| lease.split_once('/'));
    let (namespace, lease) =
        lease.ok_or_else(|| format!("Service {} names no operator", service.name_any()))?;
    let holder = get::<Lease>(cluster, namespace, lease).await?.spec.and_then(|spec| spec.holder_identity);
    // What follows the pod's name tells one start of the process from another.
    let holder = holder.unwrap_or_default();
    let pod = holder.rsplit_once('_').map_or(holder.as_str(), |(pod, _)| pod);
    if pod.is_empty() {
        return Err(format!("Lease {namespace}/{lease} has no holder"));
    }
    let pod: Pod = get(cluster, namespace, pod).await?;
    image(&pod).ok_or_else(|| format!("pod {namespace}/{} runs no operator", pod.name_any()))
}

/// The image that the operator in this pod uses: the one that its flag names, or else its own.
fn image(pod: &Pod) -> Option<String> {
    let containers = &pod.spec.as_ref()?.containers;
    let operator = containers.iter().find(|container| container.name == CONTAINER).or(containers.first())?;
    let mut words = operator.args.iter().chain(&operator.command).flatten();
    let flag = words.find_map(|word| word.strip_prefix(FLAG)).filter(|image| !image.is_empty());
    flag.map(ToOwned::to_owned).or_else(|| operator.image.clone())
}

async fn get<K>(cluster: &Cluster, namespace: &str, name: &str) -> Result<K, String>
where
    K: Readable + Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<Careful<K>> = Api::namespaced(cluster.client.clone(), namespace);
    let kind = K::kind(&());
    match within(api.get(name)).await {
        Ok(object) => object.0.map_err(|why| format!("{kind} {namespace}/{name} can't be read: {why}")),
        Err(RequestError::Final(kube::Error::Api(status))) => Err(status.message.clone()),
        Err(error @ (RequestError::Final(_) | RequestError::Passing(_))) => {
            Err(format!("{kind} {namespace}/{name}: {:#}", error.in_words(name, namespace)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_flag_of_the_operator_comes_before_its_own_image() {
        let of = |container: Value| -> Option<String> {
            let proxy = json!({ "name": "proxy", "image": "envoy:1" });
            let pod = json!({ "metadata": {}, "spec": { "containers": [proxy, container] } });
            image(&serde_json::from_value(pod).unwrap())
        };
        let own = json!({ "name": "operator", "image": "r/op:1", "args": ["--replicas=2"] });
        assert_eq!(of(own).as_deref(), Some("r/op:1"));
        let flag = json!({ "name": "operator", "image": "r/op:1", "args": ["--check-image=mirror/op:1"] });
        assert_eq!(of(flag).as_deref(), Some("mirror/op:1"));
    }
}
