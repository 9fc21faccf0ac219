//! Watches the kinds that the dashboard shows, with the rights of the user, and says of each that can't be watched why.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::Careful;
use bluegreen_core::desired::names;
use bluegreen_core::harmless::harmless;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher::{self, Error, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::hub::{APPS, Hub, Trouble, Watched};
use crate::cluster::within;

/// Pause before a watch that has failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A watch that works is silent while nothing happens. One that has failed, and then has been silent for so long, is asked about.
const SILENCE: Duration = Duration::from_secs(2);

/// Objects of a page of a list.
const PAGE: u32 = 250;

/// How many bytes of an error are told.
const MOST: usize = 400;

/// Starts all watches, in one namespace or in all. They end when the set is dropped.
pub fn start(client: &Client, namespace: Option<&str>, hub: &Arc<Hub>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    let (scope, hub) = ((client.clone(), namespace.map(str::to_owned)), hub.clone());
    watches.spawn(follow::<BlueGreenApp>(scope.clone(), hub.clone(), APPS));
    watches.spawn(follow::<Service>(scope.clone(), hub.clone(), "services"));
    watches.spawn(follow::<Deployment>(scope.clone(), hub.clone(), "deployments"));
    watches.spawn(follow::<ReplicaSet>(scope.clone(), hub.clone(), "replicasets"));
    watches.spawn(follow::<Pod>(scope.clone(), hub.clone(), "pods"));
    watches.spawn(follow::<EndpointSlice>(scope, hub, "endpointslices"));
    watches
}

async fn follow<K>((client, namespace): (Client, Option<String>), hub: Arc<Hub>, kind: &'static str)
where
    K: Watched + Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<Careful<K>> = match &namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let config = watcher::Config::default().page_size(PAGE);
    let config = if kind == APPS { config } else { config.labels(names::APP) };
    let mut events = pin!(watcher(api, config));
    let mut listed = Vec::new();
    let mut fails = false;
    loop {
        let next = match fails {
            true => tokio::time::timeout(SILENCE, events.next()).await,
            false => Ok(events.next().await),
        };
        match next {
            Ok(None) => return,
            Ok(Some(Ok(event))) => {
                fails = false;
                hub.take(kind, event, &mut listed);
            }
            // The API server has forgotten where this watch was. It begins with a list again.
            Ok(Some(Err(Error::WatchError(status)))) if status.code == 410 => {}
            Ok(Some(Err(error))) => {
                fails = true;
                hub.trouble(kind, Some(trouble(kind, namespace.as_deref(), &error)));
                tokio::time::sleep(PAUSE).await;
            }
            // Neither an error nor an event: if the API server answers at all, the watch works.
            Err(_) if within(client.apiserver_version()).await.is_ok() => {
                fails = false;
                hub.trouble(kind, None);
            }
            Err(_) => {}
        }
    }
}

/// A failure of a watch, for a person.
fn trouble(kind: &str, namespace: Option<&str>, error: &Error) -> Trouble {
    let all = || "all namespaces; name one with -n".to_owned();
    let place = namespace.map_or_else(all, |name| format!("namespace {name}"));
    let api = match error {
        Error::InitialListFailed(error) | Error::WatchStartFailed(error) | Error::WatchFailed(error) => {
            match error {
                kube::Error::Api(status) => Some(status),
                _ => None,
            }
        }
        Error::WatchError(status) => Some(status),
        Error::NoResourceVersion => None,
    };
    let verb = if matches!(error, Error::InitialListFailed(_)) { "list" } else { "watch" };
    match api.map(|status| (status.code, status)) {
        Some((401 | 403, status)) => Trouble {
            kind: kind.to_owned(),
            denied: true,
            why: format!(
                "{kind} are not shown: you lack the right to {verb} them in {place} ({})",
                harmless(&status.message, MOST)
            ),
        },
        Some((404, _)) if kind == APPS => Trouble {
            kind: kind.to_owned(),
            denied: true,
            why: "this cluster has no kind BlueGreenApp: install the operator's CRD".to_owned(),
        },
        Some((_, status)) => lost(kind, &status.message),
        None => lost(kind, &root(error)),
    }
}

fn lost(kind: &str, words: &str) -> Trouble {
    Trouble { kind: kind.to_owned(), denied: false, why: format!("no connection: {}", harmless(words, MOST)) }
}

/// The innermost cause: the outer ones only say that a request failed.
fn root(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
