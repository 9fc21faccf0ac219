//! What the watches deliver: into the stores, and as apps to reconcile.

use std::sync::Arc;
use std::time::Instant;

use futures::{Stream, StreamExt};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, store::Writer};
use kube::runtime::watcher::{self, Event};

use super::lead::is_stored;
use super::scope::code;
use super::{Failed, Seen, Told, Watched, Watches};
use crate::health::Watch;
use crate::hidden::Hidden;
use crate::stores::{ByApp, Cache, Key, Reduce};
use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::{Careful, Readable, Unreadable};
use bluegreen_core::desired::keep_foreign;

impl Watches {
    /// Takes what the watch of the apps delivers, until it ends.
    pub(super) async fn follow_apps(
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

    /// Takes what the watch of one kind of children delivers, until it ends.
    pub(super) async fn follow<K>(
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

    fn forget(&self, app: &BlueGreenApp) {
        let exists = |key: &Key| self.apps.get(&ObjectRef::new(&key.name).within(&key.namespace)).is_some();
        self.sight.keep(exists);
        self.tell(Told::Deleted(app));
    }
}

/// Returns true if the kind itself does not exist. The API server then answers "404 page not found", which says nothing
/// about the kind.
fn is_missing(error: &watcher::Error) -> bool {
    code(error) == Some(404)
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
