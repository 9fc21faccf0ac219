//! What an observer at the API server sees: when an app moved, a ReplicaSet became available, an app became healthy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::side::{Kind, Served, Side};

/// The namespace in which everything happens.
pub const NAMESPACE: &str = "default";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was seen.
#[derive(Default)]
pub struct Seen {
    /// By app: the version that all requests go to, and since when.
    pub served: HashMap<String, (String, Instant)>,
    /// By ReplicaSet's uid: its app, and when it first had all its pods available.
    pub available: HashMap<String, (String, Instant)>,
    /// By Service: the most ready endpoints that one of its EndpointSlices ever had, and since when.
    pub listed: HashMap<String, (usize, Instant)>,
    /// By app: the newest generation that is healthy, and since when.
    pub healthy: HashMap<String, (i64, Instant)>,
}

/// An observer. Dropping it ends its watches.
pub struct Observer {
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<()>,
    _watches: JoinSet<()>,
}

impl Observer {
    /// Watches from now on.
    pub fn start(client: &Client, side: &dyn Side) -> Self {
        let (seen, (changes, changed)) = (Arc::new(Mutex::new(Seen::default())), watch::channel(()));
        let mut watches = JoinSet::new();
        let mut each = |kind: Kind, note: Note| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(kind.0, kind.1, kind.2));
            let api = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
            watches.spawn(follow(api, seen.clone(), changes.clone(), note));
        };
        let Served { kind, version } = side.served();
        each(kind, Box::new(move |seen, object| version(object).is_some_and(|found| served(seen, found))));
        each(("apps", "v1", "ReplicaSet"), Box::new(available));
        each(("discovery.k8s.io", "v1", "EndpointSlice"), Box::new(listed));
        let is_healthy = side.verdict();
        each(side.kind(), Box::new(move |seen, app| healthy(seen, app, is_healthy)));
        Self { seen, changed, _watches: watches }
    }

    /// Waits until something is to be seen.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&Seen) -> Option<T>) -> Result<T> {
        let mut changed = self.changed.clone();
        let look = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = self.now(&mut look) {
                    return Ok(found);
                }
                changed.changed().await.context("the watches have ended")?;
            }
        };
        tokio::time::timeout(PATIENCE, look)
            .await
            .with_context(|| format!("not within {PATIENCE:?}: {what}"))?
    }

    /// Looks once.
    pub fn now<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes one object's news; true if it was any.
type Note = Box<dyn Fn(&mut Seen, &Value) -> bool + Send>;

async fn follow(api: Api<DynamicObject>, seen: Arc<Mutex<Seen>>, changes: watch::Sender<()>, note: Note) {
    let mut events = watcher(api, Config::default()).default_backoff().boxed();
    while let Some(event) = events.next().await {
        let Ok(Event::Apply(object) | Event::InitApply(object)) = event else { continue };
        let Ok(object) = serde_json::to_value(object) else { continue };
        if note(&mut seen.lock().unwrap_or_else(PoisonError::into_inner), &object) {
            changes.send_replace(());
        }
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn served(seen: &mut Seen, (app, version): (String, String)) -> bool {
    if seen.served.get(&app).is_some_and(|(known, _)| *known == version) {
        return false;
    }
    seen.served.insert(app, (version, Instant::now()));
    true
}

fn available(seen: &mut Seen, set: &Value) -> bool {
    let (wanted, available) = (&set["spec"]["replicas"], &set["status"]["availableReplicas"]);
    let labels = &set["metadata"]["labels"];
    let app = labels["bluegreen.dev/app"].as_str().or_else(|| labels["app"].as_str());
    let uid = set["metadata"]["uid"].as_str();
    let (Some(app), Some(uid), Some(wanted)) = (app, uid, wanted.as_i64()) else { return false };
    if wanted == 0 || available.as_i64() != Some(wanted) || seen.available.contains_key(uid) {
        return false;
    }
    seen.available.insert(uid.to_owned(), (app.to_owned(), Instant::now()));
    true
}

fn listed(seen: &mut Seen, slice: &Value) -> bool {
    let Some(service) = slice["metadata"]["labels"]["kubernetes.io/service-name"].as_str() else {
        return false;
    };
    let ready = |endpoint: &&Value| endpoint["conditions"]["ready"] == true;
    let ready = slice["endpoints"].as_array().into_iter().flatten().filter(ready).count();
    if seen.listed.get(service).is_some_and(|(most, _)| *most >= ready) {
        return false;
    }
    seen.listed.insert(service.to_owned(), (ready, Instant::now()));
    true
}

fn healthy(seen: &mut Seen, app: &Value, is_healthy: fn(&Value) -> bool) -> bool {
    let generation = app["metadata"]["generation"].as_i64().unwrap_or(0);
    if !is_healthy(app) || seen.healthy.get(&name(app)).is_some_and(|(known, _)| *known >= generation) {
        return false;
    }
    seen.healthy.insert(name(app), (generation, Instant::now()));
    true
}
