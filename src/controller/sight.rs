//! What this replica can't see: objects that can't be decoded, watches that fail, and edits that no status answers.
//!
//! Without these, a replica that sees nothing would look as healthy as one that has nothing to do.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::Careful;
use kube::Resource;
use kube::runtime::watcher::Event;

use crate::health::Watch;
use crate::hidden::Hidden;
use crate::stores::Key;

/// The objects of one kind that can't be decoded.
#[derive(Debug, Default)]
struct HiddenObjects {
    now: HashMap<Key, Hidden>,
    /// What a list that is under way has delivered so far.
    relisting: HashMap<Key, Hidden>,
}

impl HiddenObjects {
    /// Takes one watch event; returns the objects that could be decoded until now, or did not exist.
    fn take<K>(&mut self, event: &Event<Careful<K>>) -> Vec<Hidden>
    where
        K: Resource<DynamicType = ()>,
    {
        match event {
            Event::Apply(object) => {
                let key = Key::of_object(object);
                let before = self.now.remove(&key);
                let Err(unreadable) = &object.0 else { return Vec::new() };
                let hidden = Hidden::of::<K>(unreadable);
                self.now.insert(key, hidden.clone());
                let is_known = before.is_some_and(|before| before.object.uid == hidden.object.uid);
                if is_known { Vec::new() } else { vec![hidden] }
            }
            Event::Delete(object) => {
                self.now.remove(&Key::of_object(object));
                Vec::new()
            }
            Event::Init => {
                self.relisting.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Err(unreadable) = &object.0 {
                    self.relisting.insert(Key::of_object(object), Hidden::of::<K>(unreadable));
                }
                Vec::new()
            }
            Event::InitDone => {
                let before = std::mem::replace(&mut self.now, std::mem::take(&mut self.relisting));
                let known: HashSet<_> = before.into_values().map(|hidden| hidden.object.uid).collect();
                self.now.values().filter(|hidden| !known.contains(&hidden.object.uid)).cloned().collect()
            }
        }
    }
}

/// An edit that no status has answered yet: its generation, and when it was seen.
type Unobserved = (i64, Instant);

/// What this replica can't see.
#[derive(Debug, Default)]
pub struct Sight {
    kinds: Mutex<BTreeMap<String, HiddenObjects>>,
    /// How often each watch has failed.
    errors: Mutex<BTreeMap<Watch, u64>>,
    unobserved: Mutex<HashMap<Key, Unobserved>>,
}

impl Sight {
    /// Takes one watch event; returns the objects that could be decoded until now, or did not exist.
    pub fn take<K>(&self, event: &Event<Careful<K>>) -> Vec<Hidden>
    where
        K: Resource<DynamicType = ()>,
    {
        self.kinds().entry(K::kind(&()).into_owned()).or_default().take(event)
    }

    /// Notes that there is this watch.
    pub fn watches(&self, watch: Watch) {
        self.errors().entry(watch).or_default();
    }

    /// Notes that a watch has failed.
    pub fn failed(&self, watch: Watch) {
        *self.errors().entry(watch).or_default() += 1;
    }

    /// Every object that can't be decoded.
    pub fn hidden(&self) -> Vec<Hidden> {
        self.kinds().values().flat_map(|objects| objects.now.values().cloned()).collect()
    }

    /// How many objects can't be decoded of every kind that has delivered anything.
    pub fn unreadable(&self) -> Vec<(String, usize)> {
        self.kinds().iter().map(|(kind, objects)| (kind.clone(), objects.now.len())).collect()
    }

    /// How often every watch that has been listed, or has failed, has failed.
    pub fn failures(&self) -> Vec<(Watch, u64)> {
        self.errors().iter().map(|(watch, errors)| (watch.clone(), *errors)).collect()
    }

    /// Notes what the status of this app says at `now`.
    pub fn saw(&self, app: &BlueGreenApp, now: Instant) {
        let generation = app.metadata.generation.unwrap_or(0);
        let observed = app.status.as_ref().map_or(0, |status| status.observed_generation);
        let mut unobserved = self.unobserved();
        if observed >= generation || app.metadata.deletion_timestamp.is_some() {
            unobserved.remove(&Key::of(app));
            return;
        }
        let (since_generation, since) = unobserved.entry(Key::of(app)).or_insert((generation, now));
        // Whoever edits an app again and again does not make the operator look slow.
        if observed >= *since_generation {
            (*since_generation, *since) = (generation, now);
        }
    }

    /// Notes that these are all apps that exist.
    pub fn keep(&self, exists: impl Fn(&Key) -> bool) {
        self.unobserved().retain(|key, _| exists(key));
    }

    /// For how long the edit that has waited longest has had no answer in a status.
    pub fn oldest_unobserved(&self, now: Instant) -> Duration {
        let ages = |unobserved: &HashMap<Key, Unobserved>| {
            unobserved.values().map(|(_, since)| now.saturating_duration_since(*since)).max()
        };
        ages(&self.unobserved()).unwrap_or_default()
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<String, HiddenObjects>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn errors(&self) -> MutexGuard<'_, BTreeMap<Watch, u64>> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unobserved(&self) -> MutexGuard<'_, HashMap<Key, Unobserved>> {
        self.unobserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    fn object(name: &str, uid: &str, is_readable: bool) -> Careful<Service> {
        let ports = if is_readable { json!([]) } else { json!("none") };
        let object =
            json!({"metadata": {"name": name, "namespace": "shop", "uid": uid}, "spec": {"ports": ports}});
        serde_json::from_str(&object.to_string()).unwrap()
    }

    fn names(hidden: Vec<Hidden>) -> Vec<String> {
        hidden.into_iter().map(|hidden| hidden.object.name.unwrap()).collect()
    }

    #[test]
    fn an_object_is_told_once_until_it_can_be_decoded_again() {
        let sight = Sight::default();
        let take = |event| names(sight.take(&event));
        assert!(take(Event::Apply(object("a", "1", true))).is_empty());
        assert_eq!(take(Event::Apply(object("a", "1", false))), ["a"]);
        assert!(take(Event::Apply(object("a", "1", false))).is_empty(), "again");
        assert_eq!(sight.unreadable()[0].1, 1);
        assert_eq!(take(Event::Apply(object("a", "2", false))), ["a"], "another object of that name");
        assert!(take(Event::Apply(object("a", "2", true))).is_empty());
        assert_eq!(sight.unreadable()[0].1, 0);
        assert_eq!(take(Event::Apply(object("a", "2", false))), ["a"]);
        take(Event::Delete(object("a", "2", false)));
        assert!(sight.hidden().is_empty());
    }

    #[test]
    fn a_list_replaces_what_is_known_and_tells_what_is_new() {
        let sight = Sight::default();
        let list = |objects: &[(&str, &str, bool)]| {
            let mut told = names(sight.take::<Service>(&Event::Init));
            for (name, uid, is_readable) in objects {
                told.extend(names(sight.take(&Event::InitApply(object(name, uid, *is_readable)))));
            }
            told.extend(names(sight.take::<Service>(&Event::InitDone)));
            told.sort();
            told
        };
        assert_eq!(list(&[("a", "1", false), ("b", "2", true), ("c", "3", false)]), ["a", "c"]);
        assert_eq!(list(&[("a", "1", false), ("b", "2", false)]), ["b"]);
        assert_eq!(names(sight.hidden()).len(), 2, "c is gone");
    }

    #[test]
    fn an_edit_without_an_answer_ages_and_a_newer_one_starts_anew() {
        let (sight, start) = (Sight::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let saw = |generation: i64, observed: i64, seconds| {
            let app = json!({
                "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
                "metadata": {"name": "hello", "namespace": "shop", "uid": "1", "generation": generation},
                "spec": {"active": "blue", "image": "hello", "blue": {"tag": "v1"}, "port": 8080},
                "status": {"observedGeneration": observed},
            });
            sight.saw(&serde_json::from_value(app).unwrap(), at(seconds));
            sight.oldest_unobserved(at(100)).as_secs()
        };
        assert_eq!(saw(1, 0, 10), 90);
        assert_eq!(saw(2, 0, 20), 90, "the first edit still has no answer");
        assert_eq!(saw(3, 1, 30), 70, "the third has none");
        assert_eq!(saw(3, 3, 40), 0);
        saw(4, 3, 50);
        sight.keep(|_| false);
        assert_eq!(sight.oldest_unobserved(at(100)), Duration::ZERO);
    }
}
