//! What a test does with the server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use crate::fault::{Fate, Fault, Logged, Rule};
use crate::kind::Kind;
use crate::request::{Request, Verb};
use crate::store::{Change, Key, Store, Stored};
use crate::transport;
use crate::verbs::{admit_change, admit_new, carry_out, merge_patch};
use crate::watch::{self, Lines};

/// Writes by the test itself.
const TEST: &str = "test";

/// An API server in memory. Clones are the same server. What a test does goes to one namespace.
#[derive(Clone)]
pub struct Server {
    state: Arc<Mutex<State>>,
    namespace: String,
}

/// Everything that was stored at one moment.
pub struct Backup {
    objects: BTreeMap<Key, Stored>,
    version: u64,
}

#[derive(Default)]
struct State {
    store: Store,
    log: Vec<Logged>,
    rules: Vec<Rule>,
    /// Requests that are still on their way.
    late: Vec<Request>,
}

/// What a client gets.
pub(crate) enum Outcome {
    Answer(u16, Value),
    Watch(Lines),
    Lost,
    Never,
}

impl Server {
    /// An empty server; the test acts in this namespace.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self { state: Arc::default(), namespace: namespace.to_owned() }
    }

    /// A client for it. Must be called inside of a Tokio runtime.
    #[must_use]
    pub fn client(&self) -> Client {
        transport::client(self, &self.namespace)
    }

    /// What it calls now: for creation timestamps.
    pub fn set_clock(&self, clock: impl Fn() -> Timestamp + Send + 'static) {
        self.lock().store.set_clock(clock);
    }

    /// The time by its clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().store.now()
    }

    /// One object.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        self.lock().store.get(&self.key(kind, name)).map(|stored| stored.object.clone())
    }

    /// All objects of a kind, in the order of their names.
    #[must_use]
    pub fn all(&self, kind: Kind) -> Vec<Value> {
        let state = self.lock();
        state.store.all(kind, Some(&self.namespace)).map(|(_, stored)| stored.object.clone()).collect()
    }

    /// Creates an object, as the test.
    ///
    /// # Panics
    /// If one of that name exists, or Kubernetes would refuse it.
    pub fn create(&self, kind: Kind, object: Value) -> Value {
        self.create_as(TEST, kind, object)
    }

    pub(crate) fn create_as(&self, manager: &str, kind: Kind, object: Value) -> Value {
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let key = self.key(kind, &name);
        let mut state = self.lock();
        assert!(state.store.get(&key).is_none(), "{} {name} exists", kind.name());
        let mut stored = Stored::default();
        stored.owners.update(kind, manager, &Value::Null, &object);
        stored.object = object;
        admit_new(&mut state.store, key, stored, manager).expect("a valid object")
    }

    /// Changes any part of an object, as the test.
    ///
    /// # Panics
    /// If it does not exist, or Kubernetes would refuse the change.
    pub fn edit(&self, kind: Kind, name: &str, change: impl FnOnce(&mut Value)) -> Value {
        self.edit_as(TEST, kind, name, change)
    }

    pub(crate) fn edit_as(
        &self,
        manager: &str,
        kind: Kind,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Value {
        let key = self.key(kind, name);
        let mut state = self.lock();
        let before =
            state.store.get(&key).cloned().unwrap_or_else(|| panic!("{} {name} exists", kind.name()));
        let mut stored = before.clone();
        change(&mut stored.object);
        if stored.object == before.object {
            return stored.object;
        }
        stored.owners.update(kind, manager, &before.object, &stored.object);
        admit_change(&mut state.store, key, &before, stored, manager).expect("a valid change")
    }

    /// Changes an object by a merge patch, as the test.
    ///
    /// # Panics
    /// As [`Server::edit`].
    pub fn patch(&self, kind: Kind, name: &str, patch: &Value) -> Value {
        self.edit(kind, name, |object| merge_patch(object, patch))
    }

    /// Deletes an object, as the test. What it owns goes when garbage is collected.
    ///
    /// # Panics
    /// If it does not exist.
    pub fn delete(&self, kind: Kind, name: &str) {
        self.delete_as(TEST, kind, name);
    }

    pub(crate) fn delete_as(&self, manager: &str, kind: Kind, name: &str) {
        let key = self.key(kind, name);
        self.lock().store.remove(&key, manager).unwrap_or_else(|| panic!("{} {name} exists", kind.name()));
    }

    /// The resourceVersion of the last change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.lock().store.version()
    }

    /// Every change of an object in this namespace since the beginning, in order.
    #[must_use]
    pub fn history(&self) -> Vec<Change> {
        let state = self.lock();
        state.store.history.iter().filter(|change| change.namespace == self.namespace).cloned().collect()
    }

    /// Every request since the beginning, or since the log was taken, with what became of it.
    #[must_use]
    pub fn log(&self) -> Vec<Logged> {
        self.lock().log.clone()
    }

    /// The log, which is empty afterwards.
    #[must_use]
    pub fn take_log(&self) -> Vec<Logged> {
        std::mem::take(&mut self.lock().log)
    }

    /// Asks `rule` about each request before it is carried out. The first rule that answers counts.
    pub fn fault(&self, rule: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        self.lock().rules.push(Box::new(rule));
    }

    /// From now on this changes each object of which something is written, before it is stored.
    pub fn plug_in(&self, change: impl Fn(Kind, &str, &mut Value) + Send + 'static) {
        self.lock().store.plug_ins.push(Box::new(change));
    }

    /// From now on nothing happens to requests.
    pub fn no_faults(&self) {
        let mut state = self.lock();
        state.rules.clear();
        state.store.plug_ins.clear();
    }

    /// Carries out the requests that were late, in the order in which they were sent; returns the codes of their answers,
    /// which nobody waits for any more.
    #[must_use]
    pub fn deliver_late(&self) -> Vec<u16> {
        let mut state = self.lock();
        let late = std::mem::take(&mut state.late);
        late.iter().map(|request| answer(&mut state.store, request).0).collect()
    }

    /// Tells every watch that asked for bookmarks the present version.
    pub fn bookmark(&self) {
        let mut state = self.lock();
        let version = state.store.version();
        state.store.watchers.retain(|watcher| watcher.bookmark(version));
    }

    /// Ends every watch with 410, as after a compaction: the clients have to list again.
    pub fn expire_watches(&self) {
        let mut state = self.lock();
        let watchers = std::mem::take(&mut state.store.watchers);
        watchers.iter().for_each(watch::Watcher::expire);
        state.store.oldest = state.store.version();
    }

    /// What is stored now, as a snapshot of etcd has it.
    #[must_use]
    pub fn backup(&self) -> Backup {
        let store = &self.lock().store;
        Backup { objects: store.objects.clone(), version: store.version() }
    }

    /// Goes back to a backup: with the objects, the resourceVersions go back, too.
    pub fn restore(&self, backup: Backup) {
        let store = &mut self.lock().store;
        (store.objects, store.version) = (backup.objects, backup.version);
        store.history.retain(|change| change.version <= backup.version);
    }

    /// One request, as it comes from a client.
    pub(crate) fn receive(&self, request: Request) -> Outcome {
        let mut state = self.lock();
        let fault = state.ask(&request);
        let (outcome, fate) = match fault {
            None if request.verb == Verb::Watch => {
                (Outcome::Watch(watch::start(&mut state.store, &request)), Fate::Answered(200))
            }
            None => {
                let (code, body) = answer(&mut state.store, &request);
                (Outcome::Answer(code, body), Fate::Answered(code))
            }
            Some(Fault::Answer(status)) => {
                let code = status.code;
                (status.into(), Fate::Answered(code))
            }
            Some(Fault::LoseAnswer) => (Outcome::Lost, Fate::Lost(answer(&mut state.store, &request).0)),
            Some(Fault::Late) => {
                state.late.push(request.clone());
                (Outcome::Lost, Fate::Postponed)
            }
            Some(Fault::Hang) => (Outcome::Never, Fate::Hanging),
        };
        state.log.push(Logged { request, fate });
        outcome
    }

    fn key(&self, kind: Kind, name: &str) -> Key {
        (kind, self.namespace.clone(), name.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ask(&mut self, request: &Request) -> Option<Fault> {
        self.rules.iter_mut().find_map(|rule| rule(request))
    }
}

fn answer(store: &mut Store, request: &Request) -> (u16, Value) {
    carry_out(store, request).unwrap_or_else(|status| (status.code, status.body()))
}
