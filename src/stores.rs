//! The stores: the newest version of each child object that the watches have delivered, indexed by app, so that a pass
//! reads only its own app's objects however many apps there are.

mod kept;
mod reduce;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bluegreen_api::{BlueGreenApp, PerColor};
use bluegreen_core::desired::names;
use bluegreen_core::observe::job_ended;
use bluegreen_core::observe::snapshot::{Snapshot, of_service};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use self::kept::Kept;
pub use self::reduce::Reduce;

/// Namespace and name of an app, or of one of its objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// The app that a child belongs to, by its label `bluegreen.dev/app`.
    pub fn of_child<K: Resource>(child: &K) -> Option<Self> {
        Some(Self { namespace: child.namespace()?, name: child.labels().get(names::APP)?.clone() })
    }

    /// The namespace and name of an app.
    pub fn of(app: &BlueGreenApp) -> Self {
        Self::of_object(app)
    }

    /// The namespace and name of any object.
    pub fn of_object<K: Resource>(object: &K) -> Self {
        Self { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
    }

    fn sibling(&self, name: &str) -> Self {
        Self { namespace: self.namespace.clone(), name: name.to_owned() }
    }
}

/// The store of one kind of child.
///
/// An object is stored under its own name, so that there is one version of it, whatever becomes of its labels. The index
/// by app follows the label `bluegreen.dev/app`.
#[derive(Debug)]
pub struct ByApp<K> {
    objects: RwLock<Objects<K>>,
    /// What a list that is under way has delivered so far. It replaces everything when the list is complete.
    relisting: Mutex<Objects<K>>,
}

impl<K> Default for ByApp<K> {
    fn default() -> Self {
        Self { objects: RwLock::default(), relisting: Mutex::default() }
    }
}

impl<K: Reduce> ByApp<K> {
    /// Applies one watch event; returns the apps to reconcile because of it.
    ///
    /// An object whose label names another app than before concerns both: the app that it is labeled with now, and the
    /// app that has lost it and sets the label back.
    pub fn take(&self, event: Event<K>) -> HashSet<Key> {
        match event {
            Event::Apply(object) => {
                let mut objects = self.write();
                let before = objects.remove(&Key::of_object(&object));
                before.into_iter().chain(objects.put(object)).collect()
            }
            Event::Delete(object) => {
                let before = self.write().remove(&Key::of_object(&object));
                before.into_iter().chain(Key::of_child(&object)).collect()
            }
            Event::Init => {
                *self.relisting() = Objects::default();
                HashSet::new()
            }
            Event::InitApply(object) => {
                self.relisting().put(object);
                HashSet::new()
            }
            Event::InitDone => {
                let fresh = std::mem::take(&mut *self.relisting());
                let mut objects = self.write();
                // An object that was deleted while the watch was down shows only in the old set.
                let concerned = objects.of_app.keys().chain(fresh.of_app.keys()).cloned().collect();
                *objects = fresh;
                concerned
            }
        }
    }

    /// The object of this name, whichever app its label names, as a live read by name would return it.
    fn get(&self, app: &Key, name: &str) -> Option<Arc<K>> {
        self.read().by_name.get(&app.sibling(name)).and_then(|stored| stored.object.get())
    }

    /// Every object whose label names this app.
    fn all(&self, app: &Key) -> Vec<Arc<K>> {
        let objects = self.read();
        let names = objects.of_app.get(app).into_iter().flatten();
        names.filter_map(|name| objects.by_name.get(&app.sibling(name))?.object.get()).collect()
    }

    /// Shows every object.
    fn each(&self, mut see: impl FnMut(&Key, &K)) {
        for (key, stored) in &self.read().by_name {
            if let Some(object) = stored.object.get() {
                see(key, &object);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Objects<K>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Objects<K>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn relisting(&self) -> MutexGuard<'_, Objects<K>> {
        self.relisting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Objects of one kind.
#[derive(Debug)]
struct Objects<K> {
    /// Every object, by its own namespace and name.
    by_name: HashMap<Key, StoredObject<K>>,
    /// The names of each app's objects.
    of_app: HashMap<Key, BTreeSet<String>>,
}

/// An object and the app under which the index lists it.
#[derive(Debug)]
struct StoredObject<K> {
    object: Kept<K>,
    app: Key,
}

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self { by_name: HashMap::new(), of_app: HashMap::new() }
    }
}

impl<K: Reduce> Objects<K> {
    /// Adds an object that is not there; returns its app. One that carries no app's label is left out.
    fn put(&mut self, mut object: K) -> Option<Key> {
        let app = Key::of_child(&object)?;
        object.reduce(&app.name);
        self.of_app.entry(app.clone()).or_default().insert(object.name_any());
        let key = Key::of_object(&object);
        self.by_name.insert(key, StoredObject { app: app.clone(), object: Kept::new(object) });
        Some(app)
    }

    /// Removes the object of this name; returns the app that it was stored for.
    fn remove(&mut self, object: &Key) -> Option<Key> {
        let StoredObject { app, .. } = self.by_name.remove(object)?;
        if let Some(names) = self.of_app.get_mut(&app) {
            names.remove(&object.name);
            if names.is_empty() {
                self.of_app.remove(&app);
            }
        }
        Some(app)
    }
}

/// The stores of all kinds of children.
#[derive(Debug, Default)]
pub struct Cache {
    /// Live and per-color Services.
    pub services: ByApp<Service>,
    /// Deployments of both colors.
    pub deployments: ByApp<Deployment>,
    /// Revisions: the stored renderings of the pod templates.
    pub revisions: ByApp<ControllerRevision>,
    /// EndpointSlices of all three Services.
    pub slices: ByApp<EndpointSlice>,
    /// Jobs of checks.
    pub jobs: ByApp<Job>,
}

impl Cache {
    /// Returns true if as many Jobs of checks run as may. A namespace that runs fewer than its share is never kept waiting:
    /// the Jobs of one tenant stop nobody else.
    pub fn checks_are_full(&self, namespace: &str, most: usize) -> bool {
        let mut running: HashMap<String, usize> = HashMap::from([(namespace.to_owned(), 0)]);
        self.jobs.each(|key, job| {
            if job_ended(job).is_none() {
                *running.entry(key.namespace.clone()).or_default() += 1;
            }
        });
        let share = (most / running.len().max(1)).max(1);
        let own = running.get(namespace).copied().unwrap_or(0);
        running.values().sum::<usize>() >= most && own >= share
    }

    /// Returns true if the app has a Service of its idle color.
    pub fn has_preview(&self, app: &BlueGreenApp) -> bool {
        self.services.get(&Key::of(app), &names::preview_service_name(&app.name_any())).is_some()
    }

    /// One app's objects as the stores hold them (a cached read).
    pub fn snapshot(&self, app: &Arc<BlueGreenApp>) -> Snapshot {
        let (key, name) = (Key::of(app), app.name_any());
        let slices = self.slices.all(&key);
        Snapshot {
            app: app.clone(),
            service: self.services.get(&key, &name),
            preview: self.services.get(&key, &names::preview_service_name(&name)),
            color_services: PerColor::from_fn(|c| {
                self.services.get(&key, &names::color_service_name(&name, c))
            }),
            deployments: PerColor::from_fn(|c| self.deployments.get(&key, &names::deployment_name(&name, c))),
            stored: Snapshot::sort_revisions(app, self.revisions.all(&key)),
            live_slices: of_service(&slices, &name),
            color_slices: PerColor::from_fn(|c| of_service(&slices, &names::color_service_name(&name, c))),
            jobs: Some(self.jobs.all(&key)),
            proof: PerColor::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, app: Option<&str>, version: &str) -> Service {
        let labels = app.map(|app| json!({ (names::APP): app }));
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "shop", "resourceVersion": version, "labels": labels},
        }))
        .unwrap()
    }

    fn key(name: &str) -> Key {
        Key { namespace: "shop".to_owned(), name: name.to_owned() }
    }

    fn keys(names: &[&str]) -> HashSet<Key> {
        names.iter().map(|name| key(name)).collect()
    }

    fn names_of(store: &ByApp<Service>, app: &str) -> Vec<String> {
        store.all(&key(app)).iter().map(|service| service.name_any()).collect()
    }

    #[test]
    fn a_relabeled_object_leaves_its_app_and_wakes_both_apps() {
        let store = ByApp::default();
        assert_eq!(store.take(Event::Apply(service("hello", Some("hello"), "1"))), keys(&["hello"]));
        assert_eq!(store.take(Event::Apply(service("hello", Some("other"), "2"))), keys(&["hello", "other"]));
        assert!(names_of(&store, "hello").is_empty());
        assert_eq!(names_of(&store, "other"), ["hello"]);
        assert_eq!(store.take(Event::Apply(service("hello", Some("hello"), "3"))), keys(&["hello", "other"]));
        assert_eq!(names_of(&store, "hello"), ["hello"]);
        assert!(names_of(&store, "other").is_empty());
    }

    /// As a live read, which gets Services and Deployments by name: only so is the wrong label seen, and set back.
    #[test]
    fn a_snapshot_holds_the_newest_version_of_a_relabeled_service() {
        let cache = Cache::default();
        cache.services.take(Event::Apply(service("hello", Some("hello"), "1")));
        cache.services.take(Event::Apply(service("hello", Some("other"), "2")));
        let app = serde_json::from_value(json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": "hello", "namespace": "shop"},
            "spec": {"active": "blue", "blue": {"tag": "1"}, "green": {"tag": "1"}, "replicas": 1,
                "image": "hello", "port": 80},
        }));
        let seen = cache.snapshot(&Arc::new(app.unwrap()));
        assert_eq!(seen.service.unwrap().resource_version().as_deref(), Some("2"));
    }

    #[test]
    fn an_object_whose_label_is_removed_is_deleted_from_the_store_of_its_app() {
        let store = ByApp::default();
        store.take(Event::Apply(service("hello", Some("hello"), "1")));
        // The API server ends the watch of an object that the selector matches no longer with DELETED.
        assert_eq!(store.take(Event::Delete(service("hello", None, "2"))), keys(&["hello"]));
        assert!(names_of(&store, "hello").is_empty());
        assert_eq!(store.get(&key("hello"), "hello"), None);
    }

    /// Whoever may create Deployments can label as many as they want, and fill them.
    #[test]
    fn of_an_object_that_no_app_owns_only_metadata_is_kept() {
        let stored = |name: &str, metadata: serde_json::Value| {
            let mut object = json!({
                "metadata": {"name": name, "namespace": "shop", "labels": {(names::APP): "hello", "more": "m"},
                    "annotations": {"note": "n"}, "managedFields": [{"manager": "x"}]},
                "spec": {"selector": {}, "template": {}},
            });
            for (key, value) in metadata.as_object().unwrap() {
                object["metadata"][key] = value.clone();
            }
            let store = ByApp::<Deployment>::default();
            store.take(Event::Apply(serde_json::from_value(object).unwrap()));
            store.get(&key("hello"), name).unwrap()
        };
        let owned = |kind: &str| {
            json!({"ownerReferences": [{"apiVersion": "bluegreen.dev/v1alpha1", "kind": kind, "name": "hello",
                "uid": "1", "controller": true}]})
        };
        for (name, metadata, is_kept) in [
            ("hello-blue", owned("BlueGreenApp"), true),
            ("hello-blue", json!({"annotations": {(names::ADOPT): "hello"}}), true),
            ("hello-blue", json!({}), false),
            ("hello-blue", owned("Rollout"), false),
            ("hello-blue-2", owned("BlueGreenApp"), false),
        ] {
            let stored = stored(name, metadata.clone());
            assert_eq!(stored.spec.is_some(), is_kept, "{name} {metadata}");
            let labels: Vec<_> = stored.labels().keys().map(String::as_str).collect();
            assert_eq!(labels, if is_kept { vec![names::APP, "more"] } else { vec![names::APP] });
            assert_eq!(stored.managed_fields().is_empty(), !is_kept);
            assert_eq!(stored.owner_references().is_empty(), metadata.get("ownerReferences").is_none());
        }
    }

    #[test]
    fn a_list_replaces_the_store_and_wakes_the_apps_of_both_sets() {
        let store = ByApp::default();
        store.take(Event::Apply(service("a", Some("gone"), "1")));
        store.take(Event::Apply(service("b", Some("moved"), "1")));
        store.take(Event::Init);
        store.take(Event::InitApply(service("b", Some("new"), "2")));
        assert_eq!(names_of(&store, "gone"), ["a"], "not before the list is complete");
        assert_eq!(store.take(Event::InitDone), keys(&["gone", "moved", "new"]));
        assert!(names_of(&store, "gone").is_empty());
        assert!(names_of(&store, "moved").is_empty());
        assert_eq!(names_of(&store, "new"), ["b"]);
    }

    /// One tenant's Jobs, however many, keep nobody else's waiting.
    #[test]
    fn a_namespace_that_runs_fewer_checks_than_its_share_never_waits() {
        let cache = Cache::default();
        let job = |namespace: &str, number: usize, ended: bool| -> Job {
            let condition = json!([{"type": "Complete", "status": if ended { "True" } else { "False" }}]);
            let owner = json!([{"apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "a",
                "uid": "1", "controller": true}]);
            serde_json::from_value(json!({
                "metadata": {"name": number.to_string(), "namespace": namespace, "labels": {(names::APP): "a"},
                    "ownerReferences": owner},
                "status": {"conditions": condition},
            }))
            .unwrap()
        };
        for number in 0..10 {
            cache.jobs.take(Event::Apply(job("flood", number, false)));
            cache.jobs.take(Event::Apply(job("done", number, true)));
        }
        assert!(cache.checks_are_full("flood", 10));
        assert!(!cache.checks_are_full("flood", 11), "those that have ended don't count");
        assert!(!cache.checks_are_full("shop", 10));
        for number in 0..5 {
            cache.jobs.take(Event::Apply(job("shop", number, false)));
        }
        assert!(cache.checks_are_full("shop", 10), "half of it is its share");
    }

    #[test]
    fn a_deleted_object_leaves_nothing_behind() {
        let store = ByApp::default();
        store.take(Event::Apply(service("hello", Some("hello"), "1")));
        store.take(Event::Delete(service("hello", Some("hello"), "1")));
        let objects = store.read();
        assert!(objects.by_name.is_empty() && objects.of_app.is_empty());
    }
}
