//! The stores: what the watches said last, children grouped by app, so that a pass touches only its own app's
//! objects however many apps there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use crate::api::{BlueGreenApp, PerColor};
use crate::desired::names;
use crate::observe::Snapshot;
use crate::observe::read::of_service;

/// Namespace and name of an app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The app that a child belongs to, by its label.
    pub fn of_child<K: Resource>(child: &K) -> Option<Self> {
        Some(Self { namespace: child.namespace()?, name: child.labels().get(names::APP)?.clone() })
    }

    /// The key of an app.
    pub fn of(app: &BlueGreenApp) -> Self {
        Self { namespace: app.namespace().unwrap_or_default(), name: app.name_any() }
    }
}

/// Objects of one kind by app, then by name.
#[derive(Debug)]
pub struct ByApp<K> {
    objects: RwLock<HashMap<Key, BTreeMap<String, Arc<K>>>>,
    /// What a re-list has brought so far; it replaces everything at its end.
    relisting: RwLock<HashMap<Key, BTreeMap<String, Arc<K>>>>,
}

impl<K> Default for ByApp<K> {
    fn default() -> Self {
        Self { objects: RwLock::default(), relisting: RwLock::default() }
    }
}

impl<K: Resource> ByApp<K> {
    /// Takes in one event; returns the apps that it concerns.
    pub fn take(&self, event: Event<K>) -> Vec<Key> {
        match event {
            Event::Apply(object) => put(&mut write(&self.objects), object).into_iter().collect(),
            Event::Delete(object) => {
                let Some(key) = Key::of_child(&object) else { return Vec::new() };
                let mut objects = write(&self.objects);
                if let Some(of_app) = objects.get_mut(&key) {
                    of_app.remove(&object.name_any());
                    if of_app.is_empty() {
                        objects.remove(&key);
                    }
                }
                vec![key]
            }
            Event::Init => {
                write(&self.relisting).clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                put(&mut write(&self.relisting), object);
                Vec::new()
            }
            Event::InitDone => {
                let fresh = std::mem::take(&mut *write(&self.relisting));
                let mut objects = write(&self.objects);
                // Whatever was lost while the watch was down shows as an app that is only in the old set.
                let concerned = objects.keys().chain(fresh.keys()).cloned().collect();
                *objects = fresh;
                concerned
            }
        }
    }

    fn get(&self, key: &Key, name: &str) -> Option<Arc<K>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.get(key)?.get(name).cloned()
    }

    fn all(&self, key: &Key) -> Vec<Arc<K>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.get(key).map(|of_app| of_app.values().cloned().collect()).unwrap_or_default()
    }
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn put<K: Resource>(objects: &mut HashMap<Key, BTreeMap<String, Arc<K>>>, object: K) -> Option<Key> {
    let key = Key::of_child(&object)?;
    objects.entry(key.clone()).or_default().insert(object.name_any(), Arc::new(object));
    Some(key)
}

/// Every kind of child.
#[derive(Debug, Default)]
pub struct Cache {
    /// Live and per-color Services.
    pub services: ByApp<Service>,
    /// Deployments of both colors.
    pub deployments: ByApp<Deployment>,
    /// Stored renderings.
    pub revisions: ByApp<ControllerRevision>,
    /// EndpointSlices of all three Services.
    pub slices: ByApp<EndpointSlice>,
}

impl Cache {
    /// One app's objects as the watches last said.
    pub fn snapshot(&self, app: &Arc<BlueGreenApp>) -> Snapshot {
        let (key, name) = (Key::of(app), app.name_any());
        let slices = self.slices.all(&key);
        Snapshot {
            app: app.clone(),
            service: self.services.get(&key, &name),
            color_services: PerColor::from_fn(|c| {
                self.services.get(&key, &names::color_service_name(&name, c))
            }),
            deployments: PerColor::from_fn(|c| self.deployments.get(&key, &names::deployment_name(&name, c))),
            stored: Snapshot::sort_revisions(app, self.revisions.all(&key)),
            live_slices: of_service(&slices, &name),
            color_slices: PerColor::from_fn(|c| of_service(&slices, &names::color_service_name(&name, c))),
            proof: PerColor::default(),
        }
    }
}
