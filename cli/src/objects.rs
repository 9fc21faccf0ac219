//! Reads one app and the objects that belong to it.

use std::fmt::Debug;

use bluegreen_client::careful::{Careful, Readable};
use bluegreen_core::desired::names;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::cluster::{Cluster, RequestError, within};
use bluegreen_view::Objects;

/// Reads the objects of an app. Kinds that the user is not allowed to list, and objects that can't be decoded, are left out, and
/// named in `unreadable`.
///
/// # Errors
/// When the app itself can't be read, or the cluster can't be reached.
pub async fn read(cluster: &Cluster, name: &str) -> Result<Objects, RequestError> {
    let ours = ListParams::default().labels(&format!("{}={name}", names::APP));
    let (app, services, deployments, replica_sets, pods) = tokio::try_join!(
        cluster.read(name),
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

/// Objects of one kind, and what is not among them.
type Found<K> = (Vec<K>, Vec<String>);

async fn list<K>(cluster: &Cluster, ours: &ListParams) -> Result<Found<K>, RequestError>
where
    K: Readable + Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<Careful<K>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    match within(api.list(ours)).await {
        Ok(found) => {
            let (mut objects, mut unreadable) = (Vec::new(), Vec::new());
            for object in found.items {
                match object.0 {
                    Ok(object) => objects.push(object),
                    Err(why) => {
                        let name = why.metadata.name.as_deref().unwrap_or_default();
                        unreadable.push(format!("{} {name} can't be read: {why}", K::kind(&())));
                    }
                }
            }
            Ok((objects, unreadable))
        }
        Err(RequestError::Final(kube::Error::Api(status))) if status.code == 403 => {
            Ok((Vec::new(), vec![format!("no permission to list {}", K::plural(&()))]))
        }
        Err(other) => Err(other),
    }
}

fn readable<K>((objects, left_out): Found<K>, unreadable: &mut Vec<String>) -> Vec<K> {
    unreadable.extend(left_out);
    objects
}
