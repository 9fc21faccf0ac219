//! What the watches have delivered, by app, and which apps have changed since when.
//!
//! A stream to a browser asks for what has changed since it was last told. So a slow browser gets the newest state, late, and
//! never a queue of old ones.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bluegreen_api::{BlueGreenApp, Phase};
use bluegreen_client::careful::{Careful, Readable};
use bluegreen_core::desired::names;
use bluegreen_view::{Objects, Picture, Row};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::runtime::watcher::Event;
use serde::Serialize;
use tokio::sync::watch;

use super::act;

/// Namespace and name.
pub type Key = (String, String);

/// The objects of one kind, by name; one that can't be decoded is the reason why.
type Kind<K> = BTreeMap<String, Result<Arc<K>, String>>;

/// What belongs to one app.
#[derive(Default)]
pub struct Held {
    apps: Kind<BlueGreenApp>,
    services: Kind<Service>,
    deployments: Kind<Deployment>,
    replica_sets: Kind<ReplicaSet>,
    pods: Kind<Pod>,
    slices: Kind<EndpointSlice>,
    /// The phase that was seen last.
    phase: Option<Phase>,
    /// When its drain was seen to begin.
    draining: Option<Timestamp>,
}

/// A kind that is watched.
pub trait Watched: Readable + Send + Sync + 'static {
    /// Its objects of one app.
    fn of(held: &mut Held) -> &mut Kind<Self>
    where
        Self: Sized;

    /// The app that it belongs to: by the label, except of an app itself.
    fn app(&self) -> Option<String> {
        self.meta().labels.as_ref()?.get(names::APP).cloned()
    }
}

macro_rules! watched {
    ($($kind:ty: $field:ident),*) => {
        $(impl Watched for $kind {
            fn of(held: &mut Held) -> &mut Kind<Self> {
                &mut held.$field
            }
        })*
    };
}

watched!(Service: services, Deployment: deployments, ReplicaSet: replica_sets, Pod: pods, EndpointSlice: slices);

impl Watched for BlueGreenApp {
    fn of(held: &mut Held) -> &mut Kind<Self> {
        &mut held.apps
    }

    fn app(&self) -> Option<String> {
        self.metadata.name.clone()
    }
}

/// A kind that can't be watched now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// The kind's plural.
    pub kind: String,
    /// The user lacks a right; otherwise, the cluster can't be reached.
    pub denied: bool,
    /// Why.
    pub why: String,
}

/// What has changed.
pub struct News {
    /// The version up to which this tells.
    pub version: u64,
    /// The apps that have changed, or are gone.
    pub apps: Vec<Key>,
    /// The kinds that can't be watched.
    pub troubles: Vec<Trouble>,
}

#[derive(Default)]
struct Inner {
    held: HashMap<Key, Held>,
    /// The app for which each object is held, by kind, namespace and name.
    owners: HashMap<(&'static str, String, String), String>,
    /// The version at which each app last changed.
    changed: HashMap<Key, u64>,
    version: u64,
    troubles: BTreeMap<&'static str, Trouble>,
}

/// What all watches have delivered.
pub struct Hub {
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { inner: Mutex::default(), version: watch::Sender::new(0) }
    }
}

impl Hub {
    /// Tells whenever something has changed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Applies one watch event. `listed` collects what a list delivers until it is complete.
    pub fn take<K: Watched>(
        &self,
        kind: &'static str,
        event: Event<Careful<K>>,
        listed: &mut Vec<Careful<K>>,
    ) {
        let mut inner = self.inner();
        if inner.troubles.remove(kind).is_some() {
            inner.version += 1;
        }
        match event {
            Event::Apply(object) => inner.put(kind, object),
            Event::Delete(object) => inner.remove::<K>(kind, &name_of(&object)),
            Event::Init => listed.clear(),
            Event::InitApply(object) => listed.push(object),
            Event::InitDone => {
                let fresh: HashSet<Key> = listed.iter().map(name_of).collect();
                let old = inner.owners.keys().filter(|(of, ..)| *of == kind);
                let old: Vec<Key> =
                    old.map(|(_, namespace, name)| (namespace.clone(), name.clone())).collect();
                for gone in old.iter().filter(|old| !fresh.contains(*old)) {
                    inner.remove::<K>(kind, gone);
                }
                listed.drain(..).for_each(|object| inner.put(kind, object));
            }
        }
        self.tell(inner);
    }

    /// Notes that a kind can't be watched, or that it can again.
    pub fn trouble(&self, kind: &'static str, trouble: Option<Trouble>) {
        let mut inner = self.inner();
        match trouble {
            Some(trouble) if inner.troubles.get(kind) == Some(&trouble) => return,
            Some(trouble) => inner.troubles.insert(kind, trouble),
            None => inner.troubles.remove(kind),
        };
        inner.version += 1;
        self.tell(inner);
    }

    /// What has changed since this version.
    pub fn news(&self, since: u64) -> News {
        let inner = self.inner();
        let apps = inner.changed.iter().filter(|(_, version)| **version > since).map(|(key, _)| key.clone());
        News {
            version: inner.version,
            apps: apps.collect(),
            troubles: inner.troubles.values().cloned().collect(),
        }
    }

    /// An app as a line; none if it is gone.
    pub fn row(&self, key: &Key) -> Option<Row> {
        let app = self.inner().held.get(key)?.apps.values().next().cloned()?;
        let (namespace, name) = key;
        Some(app.map_or_else(|why| Row::unreadable(namespace, name, &why), |app| Row::of(&app)))
    }

    /// An app as a picture, or why it can't be read; none if it is gone.
    pub fn picture(&self, key: &Key, now: Timestamp) -> Option<Result<Picture, String>> {
        let inner = self.inner();
        let held = inner.held.get(key)?;
        let app = match held.apps.values().next()? {
            Ok(app) => app,
            Err(why) => return Some(Err(why.clone())),
        };
        let mut unreadable = Vec::new();
        let objects = Objects {
            app: BlueGreenApp::clone(app),
            services: readable("Service", &held.services, &mut unreadable),
            deployments: readable("Deployment", &held.deployments, &mut unreadable),
            replica_sets: readable("ReplicaSet", &held.replica_sets, &mut unreadable),
            pods: readable("Pod", &held.pods, &mut unreadable),
            unreadable: Vec::new(),
        };
        let slices: Vec<Arc<EndpointSlice>> =
            held.slices.values().filter_map(|slice| slice.as_ref().ok().cloned()).collect();
        let draining = held.draining;
        drop(inner);
        let before = act::goes_back(&objects.app);
        Some(Ok(Picture::of(&Objects { unreadable, ..objects }, &slices, draining, before, now)))
    }

    /// Lets everybody know, outside of the lock.
    fn tell(&self, inner: MutexGuard<'_, Inner>) {
        let version = inner.version;
        drop(inner);
        self.version.send_if_modified(|told| std::mem::replace(told, version) != version);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put<K: Watched>(&mut self, kind: &'static str, object: Careful<K>) {
        let (namespace, name) = name_of(&object);
        let app = match &object.0 {
            Ok(object) => object.app(),
            // Of an app itself, only the name is known.
            Err(unreadable) => unreadable.metadata.labels.as_ref().and_then(|it| it.get(names::APP).cloned()),
        };
        let app = app.or_else(|| (kind == APPS).then(|| name.clone()));
        let before = self.owners.get(&(kind, namespace.clone(), name.clone())).cloned();
        if before != app {
            self.remove::<K>(kind, &(namespace.clone(), name.clone()));
        }
        let Some(app) = app else { return };
        self.owners.insert((kind, namespace.clone(), name.clone()), app.clone());
        let key = (namespace, app);
        let held = self.held.entry(key.clone()).or_default();
        let object = object.0.map(Arc::new).map_err(|unreadable| unreadable.why);
        K::of(held).insert(name, object);
        held.note_drain();
        self.touch(key);
    }

    fn remove<K: Watched>(&mut self, kind: &'static str, (namespace, name): &Key) {
        let Some(app) = self.owners.remove(&(kind, namespace.clone(), name.clone())) else { return };
        let key = (namespace.clone(), app);
        if let Some(held) = self.held.get_mut(&key) {
            K::of(held).remove(name);
            if held.is_empty() {
                self.held.remove(&key);
            }
        }
        self.touch(key);
    }

    fn touch(&mut self, key: Key) {
        self.version += 1;
        self.changed.insert(key, self.version);
    }
}

impl Held {
    fn is_empty(&self) -> bool {
        let Self { apps, services, deployments, replica_sets, pods, slices, phase: _, draining: _ } = self;
        apps.is_empty()
            && services.is_empty()
            && deployments.is_empty()
            && replica_sets.is_empty()
            && pods.is_empty()
            && slices.is_empty()
    }

    /// Notes when a drain begins, because the status does not say it. A drain that is under way when the dashboard starts began at an
    /// unknown time.
    fn note_drain(&mut self) {
        let app = self.apps.values().next().and_then(|app| app.as_ref().ok());
        let phase = app.and_then(|app| app.status.as_ref()?.phase);
        let before = std::mem::replace(&mut self.phase, phase);
        if phase != Some(Phase::Draining) {
            self.draining = None;
        } else if before.is_some_and(|before| before != Phase::Draining) {
            self.draining = Some(Timestamp::now());
        }
    }
}

/// The plural of apps.
pub const APPS: &str = "bluegreenapps";

fn name_of<K: Readable>(object: &Careful<K>) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn readable<K: Clone>(kind: &str, objects: &Kind<K>, unreadable: &mut Vec<String>) -> Vec<K> {
    let mut all = Vec::new();
    for (name, object) in objects {
        match object {
            Ok(object) => all.push(K::clone(object)),
            Err(why) => unreadable.push(format!("{kind} {name} can't be read: {why}")),
        }
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "hub_tests.rs"]
mod tests;
