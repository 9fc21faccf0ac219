//! Everything that happens in a namespace, as the API server tells it.
//!
//! Each kind has a watch of its own and these are not ordered among each other. Resource versions are: etcd
//! counts all its writes. Sorted by them, the events of all kinds give the very sequence of states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bluegreen_api::BlueGreenApp;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::world::World;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `BlueGreenApp`.
    App,
    /// `Service`.
    Service,
    /// `Deployment`.
    Deployment,
    /// `EndpointSlice`.
    Slice,
    /// `ControllerRevision`.
    Revision,
    /// `Pod`.
    Pod,
    /// `Job`.
    Job,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::App, Self::Service, Self::Deployment, Self::Slice, Self::Revision, Self::Pod, Self::Job];

    fn resource(self) -> ApiResource {
        match self {
            Self::App => ApiResource::erase::<BlueGreenApp>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::Slice => ApiResource::erase::<EndpointSlice>(&()),
            Self::Revision => ApiResource::erase::<ControllerRevision>(&()),
            Self::Pod => ApiResource::erase::<Pod>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
        }
    }

    /// Every object of this kind, untyped.
    pub fn api(self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), namespace, &self.resource())
    }
}

/// One write to one object.
#[derive(Clone, Debug)]
pub struct Event {
    /// Which write of the whole cluster this was.
    pub version: u64,
    /// When this process heard of it.
    pub at: Instant,
    /// What kind of object was written.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// The object since then, or as it was last.
    pub object: Arc<Value>,
    /// The write was its deletion.
    pub deleted: bool,
}

/// The record of one namespace; keeps itself up to date.
pub struct Record {
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<()>,
    _watches: JoinSet<()>,
}

#[derive(Default)]
struct State {
    world: World,
    events: Vec<Event>,
    newest: BTreeMap<Kind, u64>,
    foreign: BTreeSet<u64>,
    broken: Option<String>,
}

impl Record {
    /// Begins to watch.
    pub async fn start(client: &Client, namespace: &str) -> Result<Self> {
        let newest = async |api: Api<DynamicObject>| {
            api.list(&ListParams::default()).await?.metadata.resource_version.context("version")
        };
        Self::from(client, namespace, newest).await
    }

    /// Begins with what is there already, as if each object had been written only now.
    pub async fn of_all(client: &Client, namespace: &str) -> Result<Self> {
        Self::from(client, namespace, async |_| Ok("0".to_owned())).await
    }

    /// Begins to watch each kind from a version.
    async fn from(
        client: &Client,
        namespace: &str,
        begin: impl AsyncFn(Api<DynamicObject>) -> Result<String>,
    ) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let (sender, changed) = watch::channel(());
        let mut watches = JoinSet::new();
        for kind in Kind::ALL {
            let api = kind.api(client, namespace);
            let from = begin(api.clone()).await?;
            let (state, sender) = (state.clone(), sender.clone());
            watches.spawn(async move {
                if let Err(error) = follow(kind, &api, from, &state, &sender).await {
                    lock(&state).broken = Some(format!("watching {kind:?} failed: {error:#}"));
                    sender.send_replace(());
                }
            });
        }
        Ok(Self { state, changed, _watches: watches })
    }

    /// What is there now, kind by kind.
    pub fn world(&self) -> World {
        lock(&self.state).world.clone()
    }

    /// The events so far, in their true order.
    pub fn events(&self) -> Vec<Event> {
        let mut events = lock(&self.state).events.clone();
        events.sort_by_key(|event| event.version);
        events
    }

    /// This write was the test's own: no rule of the operator's applies to it.
    pub fn note_foreign(&self, version: u64) {
        lock(&self.state).foreign.insert(version);
    }

    /// Was this write the test's own?
    pub fn foreign(&self) -> BTreeSet<u64> {
        lock(&self.state).foreign.clone()
    }

    /// Waits until that write was heard of.
    pub async fn caught_up(&self, kind: Kind, version: u64) -> Result<()> {
        self.wait(Duration::from_secs(10), |state| state.newest.get(&kind) >= Some(&version))
            .await?
            .with_context(|| format!("the watch of {kind:?} lags"))
    }

    /// Waits until that holds; `None` when it does not in time.
    pub async fn until(&self, limit: Duration, holds: impl Fn(&World) -> bool) -> Result<Option<()>> {
        self.wait(limit, |state| holds(&state.world)).await
    }

    async fn wait(&self, limit: Duration, holds: impl Fn(&State) -> bool) -> Result<Option<()>> {
        let mut changed = self.changed.clone();
        let holds = async {
            loop {
                changed.mark_unchanged();
                {
                    let state = lock(&self.state);
                    if let Some(error) = &state.broken {
                        bail!("{error}");
                    }
                    if holds(&state) {
                        return Ok(());
                    }
                }
                changed.changed().await?;
            }
        };
        match tokio::time::timeout(limit, holds).await {
            Ok(result) => result.map(Some),
            Err(_) => Ok(None),
        }
    }
}

async fn follow(
    kind: Kind,
    api: &Api<DynamicObject>,
    mut from: String,
    state: &Mutex<State>,
    changed: &watch::Sender<()>,
) -> Result<()> {
    loop {
        let mut stream = api.watch(&WatchParams::default().timeout(280), &from).await?.boxed();
        while let Some(event) = stream.try_next().await? {
            let (object, deleted) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                WatchEvent::Deleted(object) => (object, true),
                WatchEvent::Bookmark(mark) => {
                    from = mark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(status) => bail!("{status:?}"),
            };
            from = object.resource_version().context("version")?;
            let version = from.parse()?;
            let (name, object) = (object.name_any(), Arc::new(serde_json::to_value(object)?));
            let mut state = lock(state);
            state.world.put(kind, &name, (!deleted).then(|| object.clone()));
            state.newest.insert(kind, version);
            state.events.push(Event { version, at: Instant::now(), kind, name, object, deleted });
            drop(state);
            changed.send_replace(());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
