//! The objects, and every change of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use crate::fields::Owners;
use crate::kind::Kind;
use crate::watch::Watcher;

/// Kind, namespace and name.
pub(crate) type Key = (Kind, String, String);

/// An object as it is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub object: Value,
    pub owners: Owners,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resourceVersion that it led to: changes of all kinds are counted together.
    pub version: u64,
    /// The object's kind.
    pub kind: Kind,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The object before, unless it is new.
    pub before: Option<Arc<Value>>,
    /// The object since then, or as it was last, at the version of its deletion.
    pub object: Arc<Value>,
    /// The change was its deletion.
    pub deleted: bool,
    /// The field manager of the write; `test` and `controllers` for those that came from inside.
    pub manager: String,
    /// When it was written, by the server's clock.
    pub at: Timestamp,
}

/// Everything that the server keeps.
pub(crate) struct Store {
    pub objects: BTreeMap<Key, Stored>,
    /// The last resourceVersion. The first one is far from 1, which no object ever has.
    pub version: u64,
    uids: u64,
    /// Every change since the beginning.
    pub history: Vec<Change>,
    pub watchers: Vec<Watcher>,
    /// Watches can't begin before this version any more.
    pub oldest: u64,
    clock: Box<dyn Fn() -> Timestamp + Send>,
    /// Mutating admission: each changes an object of this kind and name.
    pub plug_ins: Vec<PlugIn>,
}

type PlugIn = Box<dyn Fn(Kind, &str, &mut Value) + Send>;

impl Default for Store {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            version: 100,
            uids: 0,
            history: Vec::new(),
            watchers: Vec::new(),
            oldest: 0,
            clock: Box::new(Timestamp::now),
            plug_ins: Vec::new(),
        }
    }
}

impl Store {
    pub fn get(&self, key: &Key) -> Option<&Stored> {
        self.objects.get(key)
    }

    /// Objects of a kind, in one namespace or in all.
    pub fn all(&self, kind: Kind, namespace: Option<&str>) -> impl Iterator<Item = (&Key, &Stored)> {
        self.objects
            .iter()
            .filter(move |((k, of, _), _)| *k == kind && namespace.is_none_or(|namespace| namespace == of))
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn set_clock(&mut self, clock: impl Fn() -> Timestamp + Send + 'static) {
        self.clock = Box::new(clock);
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Now, as `meta/v1.Time` says it: in whole seconds.
    pub fn now_in_seconds(&self) -> Value {
        let now = self.now();
        json!(
            Timestamp::from_second(now.as_second())
                .unwrap_or(now)
                .round(Unit::Second)
                .unwrap_or(now)
                .to_string()
        )
    }

    /// Lets the admission plug-ins change an object. What they add has no owner: Kubernetes notes the owners before.
    pub fn plug_in(&self, kind: Kind, name: &str, stored: &mut Stored) {
        for plug_in in &self.plug_ins {
            plug_in(kind, name, &mut stored.object);
        }
    }

    pub fn next_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012}", self.uids)
    }

    /// Writes an object, unless nothing of it changes; returns it as it is then.
    pub fn write(&mut self, key: Key, mut stored: Stored, manager: &str) -> Value {
        // Nobody asks who owns the others.
        if matches!(key.0, Kind::Deployment | Kind::Service) {
            stored.object["metadata"]["managedFields"] = stored.owners.managed_fields(key.0);
        }
        let before = self.objects.get(&key).map(|stored| stored.object.clone());
        if before.as_ref() == Some(&stored.object) {
            let object = stored.object.clone();
            self.objects.insert(key, stored);
            return object;
        }
        self.version += 1;
        stored.object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = stored.object.clone();
        self.objects.insert(key.clone(), stored);
        self.note(key, before, object.clone(), false, manager);
        object
    }

    /// Deletes an object; returns it as it was.
    pub fn remove(&mut self, key: &Key, manager: &str) -> Option<Value> {
        let before = self.objects.remove(key)?.object;
        self.version += 1;
        let mut last = before.clone();
        last["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.note(key.clone(), Some(before), last.clone(), true, manager);
        Some(last)
    }

    fn note(&mut self, key: Key, before: Option<Value>, object: Value, deleted: bool, manager: &str) {
        let (kind, namespace, name) = key;
        let change = Change {
            version: self.version,
            kind,
            namespace,
            name,
            before: before.map(Arc::new),
            object: Arc::new(object),
            deleted,
            manager: manager.to_owned(),
            at: self.now(),
        };
        self.watchers.retain(|watcher| watcher.tell(&change));
        self.history.push(change);
    }
}
