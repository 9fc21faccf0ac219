//! Watches: what happened → which app to look at. The queue and the one-pass-per-app rule are kube's.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::controller::{Action, Config, applier};
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::api::BlueGreenApp;
use crate::desired::names;
use crate::http::Health;
use crate::metrics::Metrics;
use crate::observe::stores::{ByApp, Cache, Key};
use crate::reconcile::{Context, Error, reconcile};

/// Kinds that must be listed once before this replica is ready: the app and its four kinds of children.
const KINDS: usize = 5;

/// How often the controller's loop shows that it turns.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Everything that the watches feed. Filled in every replica, so that a standby takes over with warm stores.
pub struct Watches {
    /// The children.
    pub cache: Arc<Cache>,
    apps: Store<BlueGreenApp>,
    /// Set while this replica leads.
    queue: Mutex<Option<mpsc::UnboundedSender<ObjectRef<BlueGreenApp>>>>,
    /// Which kinds have been listed: a set, because one kind may be listed twice before another is listed at all.
    listed: Mutex<HashSet<String>>,
    synced: watch::Sender<bool>,
    health: Arc<Health>,
    metrics: Metrics,
}

impl Watches {
    /// Starts watching, in one namespace or in all; never ends by itself.
    pub fn start(
        client: &Client,
        namespace: Option<&str>,
        health: Arc<Health>,
        metrics: Metrics,
    ) -> Arc<Self> {
        let (apps, writer) = reflector::store();
        let watches = Arc::new(Self {
            cache: Arc::default(),
            apps,
            queue: Mutex::default(),
            listed: Mutex::default(),
            synced: watch::Sender::new(false),
            health,
            metrics,
        });
        let ours = watcher::Config::default().labels(names::APP);
        tokio::spawn(watches.clone().watch_apps(scoped(client, namespace), writer));
        tokio::spawn(
            watches.clone().watch(scoped::<Service>(client, namespace), ours.clone(), |c| &c.services),
        );
        tokio::spawn(
            watches.clone().watch(scoped::<Deployment>(client, namespace), ours.clone(), |c| &c.deployments),
        );
        tokio::spawn(watches.clone().watch(
            scoped::<ControllerRevision>(client, namespace),
            ours.clone(),
            |c| &c.revisions,
        ));
        tokio::spawn(watches.clone().watch(scoped::<EndpointSlice>(client, namespace), ours, |c| &c.slices));
        watches
    }

    async fn watch_apps(
        self: Arc<Self>,
        api: Api<DeserializeGuard<BlueGreenApp>>,
        mut writer: Writer<BlueGreenApp>,
    ) {
        let mut events = Box::pin(watcher(api, watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            let event = match event.map(readable) {
                Ok(Some(event)) => event,
                Ok(None) => continue,
                Err(error) => {
                    if is_missing(&error) {
                        tracing::warn!(
                            "this cluster has no BlueGreenApps: the CustomResourceDefinition is not installed; trying again"
                        );
                    } else {
                        tracing::warn!(%error, "watching BlueGreenApps failed; trying again");
                    }
                    continue;
                }
            };
            writer.apply_watcher_event(&event);
            match event {
                Event::Apply(app) => self.trigger(ObjectRef::from_obj(&app)),
                Event::Delete(app) => {
                    self.metrics.forget_app(&app.namespace().unwrap_or_default(), &app.name_any());
                }
                Event::Init | Event::InitApply(_) => {}
                Event::InitDone => {
                    self.note_synced("BlueGreenApp");
                    self.trigger_all();
                }
            }
        }
    }

    async fn watch<K>(self: Arc<Self>, api: Api<K>, config: watcher::Config, store: fn(&Cache) -> &ByApp<K>)
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let events = watcher(api, config).default_backoff().modify(|object| {
            // Half of every object, and nothing here reads it.
            object.managed_fields_mut().clear();
        });
        let mut events = Box::pin(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    let done = matches!(event, Event::InitDone);
                    for Key { namespace, name } in store(&self.cache).take(event) {
                        self.trigger(ObjectRef::new(&name).within(&namespace));
                    }
                    if done {
                        self.note_synced(&K::kind(&()));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, kind = %K::kind(&()), "a watch failed; trying again");
                }
            }
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

    /// Waits until every kind was listed once: a child that is not in the stores yet would look deleted.
    pub async fn synced(&self) {
        // It can't fail: the sender lives as long as `self`.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    fn trigger(&self, app: ObjectRef<BlueGreenApp>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queue.as_ref() {
            // The receiver is gone only when this replica has stopped leading.
            let _ = queue.send(app);
        }
    }

    fn trigger_all(&self) {
        for app in self.apps.state() {
            self.trigger(ObjectRef::from_obj(app.as_ref()));
        }
    }

    fn subscribe(&self) -> impl Stream<Item = ObjectRef<BlueGreenApp>> + use<> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        self.trigger_all();
        futures::stream::poll_fn(move |context| receiver.poll_recv(context))
    }

    /// Reconciles every app until `stop`; running passes are finished.
    pub async fn lead(&self, context: Arc<Context>, concurrency: u16, stop: CancellationToken) {
        let queue = self.subscribe().take_until(stop.clone().cancelled_owned());
        let health = self.health.clone();
        let passes = applier(
            move |app, context| {
                let running = health.reconciling();
                Box::pin(async move {
                    let _running = running;
                    reconcile(app, context).await
                })
            },
            |_, _: &Error, _| Action::requeue(Duration::from_secs(1)),
            context,
            self.apps.clone(),
            queue.map(Ok::<_, std::convert::Infallible>),
            Config::default().concurrency(concurrency),
        );
        let heartbeat = async {
            loop {
                self.health.beat();
                tokio::time::sleep(HEARTBEAT).await;
            }
        };
        let passes = passes.into_stream().for_each(async |pass| {
            if let Err(error) = pass {
                tracing::debug!(%error, "pass ended early");
            }
        });
        tokio::select! {
            () = passes => {}
            () = heartbeat => {}
        }
    }
}

/// Whether the kind itself is not there: what the API server answers then ("404 page not found") says nothing of it.
fn is_missing(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            matches!(error, kube::Error::Api(status) if status.code == 404)
        }
        watcher::Error::WatchError(status) => status.code == 404,
        watcher::Error::WatchFailed(_) | watcher::Error::NoResourceVersion => false,
    }
}

/// Leaves out what can't be read: one bad object must not stop the rest. Its rules are told at admission.
fn readable(event: Event<DeserializeGuard<BlueGreenApp>>) -> Option<Event<BlueGreenApp>> {
    let read = |guard: DeserializeGuard<BlueGreenApp>| match guard.0 {
        Ok(app) => Some(app),
        Err(invalid) => {
            let name = invalid.metadata.name.clone().unwrap_or_default();
            let namespace = invalid.metadata.namespace.clone().unwrap_or_default();
            tracing::warn!(namespace, name, error = invalid.error, "an app can't be read and is left alone");
            None
        }
    };
    match event {
        Event::Apply(guard) => read(guard).map(Event::Apply),
        Event::Delete(guard) => read(guard).map(Event::Delete),
        Event::InitApply(guard) => read(guard).map(Event::InitApply),
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
    }
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
