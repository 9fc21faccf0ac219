//! Watches: turn what happens to objects into apps to reconcile. The queue, and the rule that an app has at most one pass
//! at a time, are kube's.

#[cfg(test)]
mod lead_tests;
#[cfg(test)]
mod tests;

mod scope;
mod sight;
mod tasks;

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::{Action, Config, applier};
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::scope::Complete;
pub use self::scope::{Failed, Scope, Seen, Watched};
pub use self::sight::Sight;
pub use self::tasks::{Tasks, WatchEnded};
use crate::health::{Health, Watch};
use crate::hidden::Hidden;
use crate::metrics::watches::{self, Watching};
use crate::reconcile::{Context, Error, reconcile};
use crate::stores::{ByApp, Cache, Key, Reduce};
use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::{Careful, Readable, Unreadable};
use bluegreen_client::turns::Turns;
use bluegreen_core::desired::{keep_foreign, names};

/// Number of kinds that must be listed once before this replica is ready: the app, its four kinds of children, and Jobs.
const KINDS: usize = 6;

/// Objects of a page, where an object may be large.
const LARGE_PAGE: u32 = 20;

/// Objects of a page, where an object has at most some 100 kB.
const SMALL_PAGE: u32 = 100;

/// How often the controller's loop reports that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The stores that the watches feed. Every replica fills them, so that a standby takes over with warm stores.
pub struct Watches {
    /// The stores of the children.
    pub cache: Arc<Cache>,
    apps: Store<BlueGreenApp>,
    /// Set while this replica leads.
    leading: Mutex<Option<Leading>>,
    /// The kinds that have been listed: a set, because one kind may be listed twice before another is listed at all.
    listed: Mutex<HashSet<String>>,
    synced: watch::Sender<bool>,
    /// Where passes may run.
    complete: Arc<Complete>,
    sight: Sight,
    health: Arc<Health>,
}

/// What the watches tell the leading replica's driver, besides apps to reconcile.
pub enum Told<'a> {
    /// This app no longer exists: what is remembered of it can go.
    Deleted(&'a BlueGreenApp),
    /// This object can't be decoded.
    Hidden(Hidden),
}

/// Takes what the watches tell.
type Listener = Box<dyn Fn(Told<'_>) + Send>;

/// The driver of the leading replica.
struct Leading {
    /// Apps to reconcile.
    queue: mpsc::UnboundedSender<ObjectRef<BlueGreenApp>>,
    listener: Listener,
}

impl Watches {
    /// Starts watching these namespaces. The watches run until the [`Tasks`] are dropped.
    pub fn start(client: &Client, scope: &Scope, health: Arc<Health>) -> (Arc<Self>, Tasks) {
        let (watches, writer) = Self::new(health.clone());
        let mut tasks = Tasks::default();
        let apps = scope.watch(client, &watched(LARGE_PAGE), health);
        tasks.spawn(&BlueGreenApp::kind(&()), watches.clone().follow_apps(apps, writer));
        watches.start_kind::<Service>(&mut tasks, client, scope, SMALL_PAGE, |c| &c.services);
        watches.start_kind::<Deployment>(&mut tasks, client, scope, LARGE_PAGE, |c| &c.deployments);
        watches.start_kind::<ControllerRevision>(&mut tasks, client, scope, LARGE_PAGE, |c| &c.revisions);
        watches.start_kind::<EndpointSlice>(&mut tasks, client, scope, SMALL_PAGE, |c| &c.slices);
        watches.start_kind::<Job>(&mut tasks, client, scope, SMALL_PAGE, |c| &c.jobs);
        (watches, tasks)
    }

    fn new(health: Arc<Health>) -> (Arc<Self>, Writer<BlueGreenApp>) {
        let (apps, writer) = reflector::store();
        let watches = Self {
            cache: Arc::default(),
            apps,
            leading: Mutex::default(),
            listed: Mutex::default(),
            synced: watch::Sender::new(false),
            complete: Arc::default(),
            sight: Sight::default(),
            health,
        };
        (Arc::new(watches), writer)
    }

    fn start_kind<K>(
        self: &Arc<Self>,
        tasks: &mut Tasks,
        client: &Client,
        scope: &Scope,
        page: u32,
        store: fn(&Cache) -> &ByApp<K>,
    ) where
        K: Readable
            + Reduce
            + Resource<Scope = NamespaceResourceScope>
            + Default
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static,
    {
        let config = watched(page).labels(names::APP);
        let events = scope.watch::<K>(client, &config, self.health.clone());
        tasks.spawn(&K::kind(&()), self.clone().follow(events, store));
    }

    /// Every app in the store.
    pub fn apps(&self) -> Vec<Arc<BlueGreenApp>> {
        self.apps.state()
    }

    /// What this replica sees of the cluster, for the metrics.
    pub fn watching(&self) -> Watching {
        let state =
            |(watch, errors)| watches::WatchState { failing: self.health.failing(&watch), watch, errors };
        Watching {
            watches: self.sight.failures().into_iter().map(state).collect(),
            unreadable: self.sight.unreadable(),
            oldest_unobserved: self.sight.oldest_unobserved(Instant::now()),
        }
    }

    async fn follow_apps(
        self: Arc<Self>,
        events: impl Stream<Item = Watched<BlueGreenApp>> + Send,
        mut writer: Writer<BlueGreenApp>,
    ) {
        let mut events = std::pin::pin!(events);
        while let Some(seen) = events.next().await {
            match self.noted(seen) {
                Ok(Seen::Event(event)) => {
                    if let Some(event) = self.readable(event) {
                        self.take_app(event, &mut writer);
                    }
                }
                Ok(Seen::Listed(namespace)) => self.note_listed(&BlueGreenApp::kind(&()), namespace),
                Err(Failed { namespace, error }) if is_missing(&error) => {
                    tracing::warn!(
                        namespace = namespace.as_deref(),
                        "this cluster has no BlueGreenApps: the CustomResourceDefinition is not installed; trying again"
                    );
                }
                Err(Failed { namespace, error }) => {
                    tracing::warn!(%error, namespace = namespace.as_deref(), "watching BlueGreenApps failed; trying again");
                }
            }
        }
    }

    /// The same; what it says of the watch itself is noted, and objects that can't be decoded are told.
    fn noted<K>(&self, seen: Watched<K>) -> Watched<K>
    where
        K: Resource<DynamicType = ()>,
    {
        let kind = K::kind(&());
        let watch = |namespace: &Option<Arc<str>>| Watch {
            kind: kind.clone().into_owned(),
            namespace: namespace.as_deref().map(str::to_owned),
        };
        match &seen {
            Ok(Seen::Event(event)) => {
                for hidden in self.sight.take(event) {
                    let Hidden { object, why } = &hidden;
                    let (namespace, name) = (object.namespace.as_deref(), object.name.as_deref());
                    tracing::warn!(%kind, namespace, name, why, "leaving an object alone that can't be decoded");
                    self.tell(Told::Hidden(hidden));
                }
            }
            Ok(Seen::Listed(namespace)) => self.sight.watches(watch(namespace)),
            Err(Failed { namespace, .. }) => self.sight.failed(watch(namespace)),
        }
        seen
    }

    fn take_app(&self, event: Event<BlueGreenApp>, writer: &mut Writer<BlueGreenApp>) {
        let before = match &event {
            Event::InitDone => self.apps(),
            Event::Apply(_) | Event::Delete(_) | Event::Init | Event::InitApply(_) => Vec::new(),
        };
        writer.apply_watcher_event(&event);
        match event {
            Event::Apply(app) => {
                self.sight.saw(&app, Instant::now());
                self.trigger(ObjectRef::from_obj(&app));
            }
            Event::Delete(app) => self.forget(&app),
            Event::InitApply(app) => self.sight.saw(&app, Instant::now()),
            Event::Init => {}
            Event::InitDone => {
                // No DELETED event tells of an app that was deleted while the watch was down.
                for app in before.iter().filter(|app| !is_stored(&self.apps, app)) {
                    self.forget(app);
                }
                self.note_synced(&BlueGreenApp::kind(&()));
                self.trigger_all();
            }
        }
    }

    async fn follow<K>(
        self: Arc<Self>,
        events: impl Stream<Item = Watched<K>> + Send,
        store: fn(&Cache) -> &ByApp<K>,
    ) where
        K: Readable + Reduce + Default + 'static,
    {
        let mut events = std::pin::pin!(events);
        while let Some(seen) = events.next().await {
            match self.noted(seen) {
                Ok(Seen::Event(event)) => {
                    let done = matches!(event, Event::InitDone);
                    // Half of the size of every object, and only what others have written matters.
                    let event = event.modify(|object| keep_foreign(&mut object.meta_mut().managed_fields));
                    for Key { namespace, name } in store(&self.cache).take(stand_in(event)) {
                        self.trigger(ObjectRef::new(&name).within(&namespace));
                    }
                    if done {
                        self.note_synced(&K::kind(&()));
                    }
                }
                Ok(Seen::Listed(namespace)) => self.note_listed(&K::kind(&()), namespace),
                Err(Failed { namespace, error }) => {
                    let (namespace, kind) = (namespace.as_deref(), K::kind(&()));
                    tracing::warn!(%error, namespace, %kind, "a watch failed; trying again");
                }
            }
        }
    }

    /// Leaves out an app that can't be decoded, as if it did not exist: one bad object must not stop the rest. Admission
    /// refuses most such apps, and says why.
    fn readable(&self, event: Event<Careful<BlueGreenApp>>) -> Option<Event<BlueGreenApp>> {
        // An older version may be in the store: that one is to go.
        let stored = |unreadable: Unreadable| {
            let meta = unreadable.metadata;
            let reference = ObjectRef::new(&meta.name?).within(&meta.namespace?);
            self.apps.get(&reference).map(|app| app.as_ref().clone())
        };
        match event {
            Event::Apply(Careful(Ok(app))) => Some(Event::Apply(app)),
            Event::Delete(Careful(Ok(app))) => Some(Event::Delete(app)),
            Event::Apply(Careful(Err(unreadable))) | Event::Delete(Careful(Err(unreadable))) => {
                stored(unreadable).map(Event::Delete)
            }
            Event::InitApply(Careful(app)) => app.ok().map(Event::InitApply),
            Event::Init => Some(Event::Init),
            Event::InitDone => Some(Event::InitDone),
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

    /// Notes that this kind is listed in a namespace, or in all that are watched. With the last kind, its apps begin.
    fn note_listed(&self, kind: &str, namespace: Option<Arc<str>>) {
        if !self.complete.listed(kind, namespace.clone()) {
            return;
        }
        if let Some(namespace) = namespace.as_deref() {
            tracing::info!(namespace, "watching a namespace");
        }
        let is_there = |app: &BlueGreenApp| {
            namespace.is_none() || app.metadata.namespace.as_deref() == namespace.as_deref()
        };
        for app in self.apps().iter().filter(|app| is_there(app)) {
            self.trigger(ObjectRef::from_obj(app.as_ref()));
        }
    }

    /// Waits until every kind was listed once: a child that is not in the stores yet would look deleted.
    pub async fn synced(&self) {
        // It can't fail: the sender lives as long as `self`.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    fn leading(&self) -> MutexGuard<'_, Option<Leading>> {
        self.leading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trigger(&self, app: ObjectRef<BlueGreenApp>) {
        if let Some(leading) = self.leading().as_ref() {
            // The receiver is gone only when this replica has stopped leading.
            let _ = leading.queue.send(app);
        }
    }

    fn trigger_all(&self) {
        for app in self.apps() {
            self.trigger(ObjectRef::from_obj(app.as_ref()));
        }
    }

    fn forget(&self, app: &BlueGreenApp) {
        let exists = |key: &Key| self.apps.get(&ObjectRef::new(&key.name).within(&key.namespace)).is_some();
        self.sight.keep(exists);
        self.tell(Told::Deleted(app));
    }

    fn tell(&self, told: Told<'_>) {
        if let Some(leading) = self.leading().as_ref() {
            (leading.listener)(told);
        }
    }

    /// Starts to queue apps, every app in the store first. `listener` is told of each app that is deleted from now on, with
    /// its last known version, and of every object that can't be decoded.
    fn subscribe(&self, listener: Listener) -> impl Stream<Item = ObjectRef<BlueGreenApp>> + use<> {
        let (queue, mut receiver) = mpsc::unbounded_channel();
        *self.leading() = Some(Leading { queue, listener });
        for hidden in self.sight.hidden() {
            self.tell(Told::Hidden(hidden));
        }
        self.trigger_all();
        futures::stream::poll_fn(move |context| receiver.poll_recv(context))
    }

    /// Reconciles every app until `stop`, at most `concurrency` at the same time; a running pass ends at its next command.
    pub async fn lead(&self, context: Context, concurrency: u16, stop: CancellationToken) {
        let context = Arc::new(context.with_stop(stop.clone()));
        let told = context.clone();
        let listener = move |what: Told<'_>| match what {
            Told::Deleted(app) => told.forget(app),
            Told::Hidden(hidden) => told.events.unreadable(hidden),
        };
        let queue = self.subscribe(Box::new(listener)).take_until(stop.clone().cancelled_owned());
        let (health, apps, turns) = (self.health.clone(), self.apps.clone(), Turns::new(concurrency.into()));
        let complete = self.complete.clone();
        let passes = applier(
            move |app: Arc<BlueGreenApp>, context: Arc<Context>| {
                let (health, apps, turns) = (health.clone(), apps.clone(), turns.clone());
                let complete = complete.clone();
                // What waits holds no more than the app's name.
                let reference = ObjectRef::from_obj(app.as_ref());
                async move {
                    let namespace = reference.namespace.clone().unwrap_or_default();
                    if !complete.has(&namespace) {
                        // Every app there is queued once it is.
                        return Ok(Action::await_change());
                    }
                    let turn = turns.take(&namespace).await;
                    // It may have been deleted or edited while it waited.
                    let Some(app) = apps.get(&reference) else { return Ok(Action::await_change()) };
                    let _running = health.reconciling();
                    let result = Box::pin(reconcile(app.clone(), context.clone())).await;
                    forget_if_deleted(&apps, &app, |app| context.forget(app));
                    let passed = result?;
                    turn.ends(passed.in_time);
                    Ok(passed.action)
                }
                .boxed()
            },
            |_, _: &Error, _| Action::requeue(Duration::from_secs(1)),
            context,
            self.apps.clone(),
            queue.map(Ok::<_, std::convert::Infallible>),
            // All passes may wait; `turns` says which of them run.
            Config::default().concurrency(0),
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

/// Returns true if the store has this very app: an app of the same name that was created since is another one.
fn is_stored(apps: &Store<BlueGreenApp>, app: &BlueGreenApp) -> bool {
    apps.get(&ObjectRef::from_obj(app)).is_some_and(|stored| stored.uid() == app.uid())
}

/// Forgets an app that was deleted while its pass ran: the pass may have remembered something after the watch had told of
/// the deletion.
fn forget_if_deleted(apps: &Store<BlueGreenApp>, app: &BlueGreenApp, forget: impl FnOnce(&BlueGreenApp)) {
    if !is_stored(apps, app) {
        forget(app);
    }
}

/// Returns true if the kind itself does not exist. The API server then answers "404 page not found", which says nothing
/// about the kind.
fn is_missing(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            matches!(error, kube::Error::Api(status) if status.code == 404)
        }
        watcher::Error::WatchError(status) => status.code == 404,
        watcher::Error::WatchFailed(_) | watcher::Error::NoResourceVersion => false,
    }
}

/// The event with a stand-in for an object that can't be decoded.
fn stand_in<K: Readable + Default>(event: Event<Careful<K>>) -> Event<K> {
    match event {
        Event::Apply(object) => Event::Apply(object.or_stand_in()),
        Event::Delete(object) => Event::Delete(object.or_stand_in()),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(object.or_stand_in()),
        Event::InitDone => Event::InitDone,
    }
}

/// Lists come in pages, because a whole page is in memory at once, as text and decoded, and a tenant's object has up to 1.5 MB.
fn watched(page: u32) -> watcher::Config {
    watcher::Config::default().page_size(page)
}
