//! Reads one app and the objects that belong to it.

use std::fmt::Debug;

use bluegreen_core::desired::names;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::cluster::{Cluster, RequestError, within};
use bluegreen_view::Objects;

/// The objects of an app. Kinds that the user is not allowed to list are left out, and named in `unreadable`.
///
/// # Errors
/// When the app itself can't be read, or the cluster can't be reached.
pub async fn objects(cluster: &Cluster, name: &str) -> Result<Objects, RequestError> {
    let ours = ListParams::default().labels(&format!("{}={name}", names::APP));
    let apps = cluster.apps();
    let (app, services, deployments, replica_sets, pods) = tokio::try_join!(
        within(apps.get(name)),
        list(cluster, &ours),
        list(cluster, &ours),
        list(cluster, &ours),
        list(cluster, &ours),
    )?;
    let mut unreadable = Vec::new();
    Ok(Objects {
        app,
        services: readable(services, &mut unreadable),
        deployments: readable(deployments, &mut unreadable),
        replica_sets: readable(replica_sets, &mut unreadable),
        pods: readable(pods, &mut unreadable),
        unreadable,
    })
}

type Readable<K> = Result<Vec<K>, String>;

async fn list<K>(cluster: &Cluster, ours: &ListParams) -> Result<Readable<K>, RequestError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    match within(api.list(ours)).await {
        Ok(found) => Ok(Ok(found.items)),
        Err(RequestError::Final(kube::Error::Api(status))) if status.code == 403 => {
            Ok(Err(format!("no permission to list {}", K::plural(&()))))
        }
        Err(other) => Err(other),
    }
}

fn readable<K>(found: Readable<K>, unreadable: &mut Vec<String>) -> Vec<K> {
    found.unwrap_or_else(|why| {
        unreadable.push(why);
        Vec::new()
    })
}
