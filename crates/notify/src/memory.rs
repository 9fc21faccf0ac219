//! PURE: what is known of each app, so that only what is new is told.
//!
//! The first version of an app that is seen is its baseline, of which nothing is told: after a start, what has happened before was
//! told by the process before, or is lost. An app that is created later is seen first without a status, so all that follows
//! is told.

use std::collections::{HashMap, HashSet, VecDeque};

use bluegreen_api::BlueGreenApp;

use crate::detect::transitions;
use crate::transition::Transition;

/// How many ids are remembered of an app. They matter only where an app is seen in an older version than before: when the API
/// server was restored from a backup.
const IDS: usize = 256;

/// Every app that was seen, and what was told of it.
#[derive(Debug, Default)]
pub struct Memory {
    apps: HashMap<Key, Known>,
    /// The apps of a list that is under way.
    listed: Option<HashSet<Key>>,
}

/// Namespace and name.
type Key = (String, String);

#[derive(Debug)]
struct Known {
    app: BlueGreenApp,
    told: VecDeque<String>,
}

impl Memory {
    /// A list of all apps begins.
    pub fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    /// An app of the list, or a new version of one. What is new of it.
    pub fn see(&mut self, app: BlueGreenApp) -> Vec<Transition> {
        let key = key(&app);
        self.note(&key);
        let app = reduced(app);
        let known = self.apps.get_mut(&key).filter(|known| known.app.metadata.uid == app.metadata.uid);
        let Some(known) = known else {
            self.apps.insert(key, Known { app, told: VecDeque::new() });
            return Vec::new();
        };
        let mut found = transitions(&known.app, &app);
        found.retain(|transition| !known.told.contains(&transition.id));
        known.told.extend(found.iter().map(|transition| transition.id.clone()));
        let surplus = known.told.len().saturating_sub(IDS);
        known.told.drain(..surplus);
        known.app = app;
        found
    }

    /// An app of the list that can't be read: it is there, and nothing is known of it.
    pub fn see_unreadable(&mut self, namespace: Option<&str>, name: Option<&str>) {
        self.note(&named(namespace, name));
    }

    /// The list is complete: what was not in it is gone.
    pub fn list_ends(&mut self) {
        if let Some(listed) = self.listed.take() {
            self.apps.retain(|key, _| listed.contains(key));
        }
    }

    /// An app was deleted.
    pub fn forget(&mut self, namespace: Option<&str>, name: Option<&str>) {
        self.apps.remove(&named(namespace, name));
    }

    /// How many apps are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.apps.len()
    }

    /// No app is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.apps.is_empty()
    }

    fn note(&mut self, key: &Key) {
        if let Some(listed) = &mut self.listed {
            listed.insert(key.clone());
        }
    }
}

fn key(app: &BlueGreenApp) -> Key {
    named(app.metadata.namespace.as_deref(), app.metadata.name.as_deref())
}

fn named(namespace: Option<&str>, name: Option<&str>) -> Key {
    (namespace.unwrap_or_default().to_owned(), name.unwrap_or_default().to_owned())
}

/// The app without what no message needs: thousands of them are kept.
fn reduced(mut app: BlueGreenApp) -> BlueGreenApp {
    let metadata = std::mem::take(&mut app.metadata);
    app.metadata.name = metadata.name;
    app.metadata.namespace = metadata.namespace;
    app.metadata.uid = metadata.uid;
    app.spec.template = Default::default();
    app.spec.checks = Default::default();
    app
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
