//! Watches: turn what happens to objects into apps to reconcile. The queue, and the rule that an app has at most one pass
//! at a time, are kube's.

#[cfg(test)]
mod lead_tests;
#[cfg(test)]
mod tests;

mod follow;
mod lead;
mod scope;
mod sight;
mod tasks;
mod waiting;

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::watcher;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use self::lead::Leading;
pub use self::lead::Told;
use self::scope::Complete;
pub use self::scope::{Failed, Scope, Seen, Watched};
pub use self::sight::Sight;
pub use self::tasks::{Tasks, WatchEnded};
use crate::health::Health;
use crate::metrics::watches::{self, Watching};
use crate::stores::{ByApp, Cache, Reduce};
use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::Readable;
use bluegreen_core::desired::names;

/// Number of kinds that must be listed once before this replica is ready: the app, its four kinds of children, and Jobs.
const KINDS: usize = 6;

/// Objects of a page, where an object may be large.
const LARGE_PAGE: u32 = 20;

/// Objects of a page, where an object has at most some 100 kB.
const SMALL_PAGE: u32 = 100;

/// The stores that the watches feed. Every replica fills them, so that one that does not lead takes over with warm stores.
pub struct Watches {
    /// The stores of the children.
    pub cache: Arc<Cache>,
    apps: Store<BlueGreenApp>,
    /// Set while this replica leads.
    leading: Mutex<Option<Leading>>,
    /// The kinds that have been listed: a set, because one kind may be listed twice before another is listed at all.
    listed: Mutex<HashSet<String>>,
    synced: watch::Sender<bool>,
    /// Where passes may run.
    complete: Arc<Complete>,
    sight: Sight,
    health: Arc<Health>,
}

impl Watches {
    /// Starts watching these namespaces. The watches run until the [`Tasks`] are dropped.
    pub fn start(client: &Client, scope: &Scope, health: Arc<Health>) -> (Arc<Self>, Tasks) {
        let (watches, writer) = Self::new(health.clone());
        let mut tasks = Tasks::default();
        let apps = scope.watch(client, &watched(LARGE_PAGE), health);
        tasks.spawn(&BlueGreenApp::kind(&()), watches.clone().follow_apps(apps, writer));
        watches.start_kind::<Service>(&mut tasks, client, scope, SMALL_PAGE, |c| &c.services);
        watches.start_kind::<Deployment>(&mut tasks, client, scope, LARGE_PAGE, |c| &c.deployments);
        watches.start_kind::<ControllerRevision>(&mut tasks, client, scope, LARGE_PAGE, |c| &c.revisions);
        watches.start_kind::<EndpointSlice>(&mut tasks, client, scope, SMALL_PAGE, |c| &c.slices);
        watches.start_kind::<Job>(&mut tasks, client, scope, SMALL_PAGE, |c| &c.jobs);
        (watches, tasks)
    }

    fn new(health: Arc<Health>) -> (Arc<Self>, Writer<BlueGreenApp>) {
        let (apps, writer) = reflector::store();
        let watches = Self {
            cache: Arc::default(),
            apps,
            leading: Mutex::default(),
            listed: Mutex::default(),
            synced: watch::Sender::new(false),
            complete: Arc::default(),
            sight: Sight::default(),
            health,
        };
        (Arc::new(watches), writer)
    }

    fn start_kind<K>(
        self: &Arc<Self>,
        tasks: &mut Tasks,
        client: &Client,
        scope: &Scope,
        page: u32,
        store: fn(&Cache) -> &ByApp<K>,
    ) where
        K: Readable
            + Reduce
            + Resource<Scope = NamespaceResourceScope>
            + Default
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static,
    {
        let config = watched(page).labels(names::APP);
        let events = scope.watch::<K>(client, &config, self.health.clone());
        tasks.spawn(&K::kind(&()), self.clone().follow(events, store));
    }

    /// Every app in the store.
    pub fn apps(&self) -> Vec<Arc<BlueGreenApp>> {
        self.apps.state()
    }

    /// What this replica sees of the cluster, for the metrics.
    pub fn watching(&self) -> Watching {
        let state =
            |(watch, errors)| watches::WatchState { failing: self.health.failing(&watch), watch, errors };
        Watching {
            watches: self.sight.failures().into_iter().map(state).collect(),
            unreadable: self.sight.unreadable(),
            oldest_unobserved: self.sight.oldest_unobserved(Instant::now()),
        }
    }

    fn note_synced(&self, kind: &str) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.insert(kind.to_owned());
        if listed.len() == KINDS {
            self.health.set_ready();
            self.synced.send_replace(true);
        }
        tracing::debug!(kind, "listed");
    }

    /// Notes that this kind is listed in a namespace, or in all that are watched. With the last kind, its apps begin.
    fn note_listed(&self, kind: &str, namespace: Option<Arc<str>>) {
        if !self.complete.listed(kind, namespace.clone()) {
            return;
        }
        if let Some(namespace) = namespace.as_deref() {
            tracing::info!(namespace, "watching a namespace");
        }
        let is_there = |app: &BlueGreenApp| {
            namespace.is_none() || app.metadata.namespace.as_deref() == namespace.as_deref()
        };
        for app in self.apps().iter().filter(|app| is_there(app)) {
            self.trigger(ObjectRef::from_obj(app.as_ref()));
        }
    }

    /// Waits until every kind was listed once: a child that is not in the stores yet would look deleted.
    pub async fn synced(&self) {
        // It can't fail: the sender lives as long as `self`.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }
}

/// Lists come in pages, because a whole page is in memory at once, as text and decoded, and a tenant's object has up to 1.5 MB.
fn watched(page: u32) -> watcher::Config {
    watcher::Config::default().page_size(page)
}
