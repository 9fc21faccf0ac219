//! Which namespaces are watched, and the watches of several namespaces as one.
//!
//! A tenant may end the operator's rights in one of them, or delete it. What is watched there then fails, which the log and the
//! metrics tell, and all others go on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bluegreen_client::careful::{Careful, Readable, Unreadable};
use bluegreen_core::desired::names;
use futures::stream::{BoxStream, select_all};
use futures::{Stream, StreamExt};
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, runtime::WatchStreamExt};
use serde::de::DeserializeOwned;

use super::KINDS;
use crate::health::{Health, Watch};
use crate::stores::Key;

/// The namespaces that are watched; none: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// These namespaces, each once; all namespaces if there are none.
    pub fn new(namespaces: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> = namespaces.into_iter().filter(|name| !name.is_empty()).collect();
        all.sort();
        all.dedup();
        Self(all)
    }

    /// Their names; none: all namespaces.
    pub fn namespaces(&self) -> &[String] {
        &self.0
    }

    /// What happens to the objects of a kind in these namespaces, as one watch: one complete list first. `health` is told which watch
    /// works and which does not.
    pub fn watch<K>(
        &self,
        client: &Client,
        config: &watcher::Config,
        health: Arc<Health>,
    ) -> BoxStream<'static, Watched<K>>
    where
        K: Readable<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let watched = |api: Api<Careful<K>>| watcher(api, config.clone()).default_backoff().boxed();
        match self.0.as_slice() {
            [] => as_one(health, watched(Api::all(client.clone()))).boxed(),
            [one] => as_one(health, watched(Api::namespaced(client.clone(), one))).boxed(),
            several => {
                let streams = several.iter().enumerate().map(|(index, namespace)| {
                    let api = Api::namespaced(client.clone(), namespace);
                    watched(api).map(move |event| (index, event)).boxed()
                });
                let mut merging = Merging::<K>::new(several);
                let merged = select_all(streams).map(move |(index, event)| {
                    merging.tell(&health, index, &event);
                    futures::stream::iter(merging.take(index, event))
                });
                merged.flatten().boxed()
            }
        }
    }
}

/// What a watch delivers.
pub type Watched<K> = Result<Seen<K>, Failed>;

/// What a watch delivers while it works.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all are events, and there is one at a time")]
pub enum Seen<K: Resource<DynamicType = ()>> {
    /// A list, or a change.
    Event(Event<Careful<K>>),
    /// Everything that this namespace has was delivered before; without a name, all that is watched.
    Listed(Option<Arc<str>>),
}

/// Why a watch does not work. It tries again by itself.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    /// The namespace, if it is one among several.
    pub namespace: Option<Arc<str>>,
    /// What went wrong.
    pub error: watcher::Error,
}

/// The only watch of a kind, of which `health` is told.
fn as_one<K: Readable + Send + 'static>(
    health: Arc<Health>,
    events: impl Stream<Item = watcher::Result<Event<Careful<K>>>> + Send + 'static,
) -> impl Stream<Item = Watched<K>> + Send {
    let watch = Watch::of(&K::kind(&()));
    let seen = events.map(move |event| match event {
        Ok(event) => {
            if is_success(&event) {
                health.watch_worked(&watch);
            }
            let listed = matches!(event, Event::InitDone).then_some(Seen::Listed(None));
            [Some(Ok(Seen::Event(event))), listed.map(Ok)]
        }
        Err(error) => {
            health.watch_failed(&watch);
            [Some(Err(Failed { namespace: None, error })), None]
        }
    });
    seen.flat_map(|seen| futures::stream::iter(seen.into_iter().flatten()))
}

/// Returns true if the API server has answered. A list begins before it has.
fn is_success<K>(event: &Event<K>) -> bool {
    !matches!(event, Event::Init)
}

/// The watch of one namespace among several.
#[derive(Debug)]
struct Part {
    namespace: Arc<str>,
    /// It was listed once.
    listed: bool,
    /// It failed before it was listed: nobody waits for it any more.
    given_up: bool,
    /// The objects that have been delivered: what is needed to tell that one is gone.
    known: HashMap<String, Known>,
    /// Those of a list that is under way.
    relisting: Option<HashMap<String, Known>>,
}

/// What is needed to tell that an object is gone.
#[derive(Debug)]
struct Known {
    uid: Option<String>,
    /// Its label `bluegreen.dev/app`.
    app: Option<String>,
}

/// Makes one watch of those of several namespaces: it is listed once all of them are that can be. A later list of one namespace
/// shows as single changes, so that it says nothing of the others.
struct Merging<K: Resource<DynamicType = ()>> {
    parts: Vec<Part>,
    begun: bool,
    /// What has gone from namespaces that were listed earlier than others, by namespace and name.
    gone: BTreeMap<Key, Event<Careful<K>>>,
}

impl<K: Readable> Merging<K> {
    fn new(namespaces: &[String]) -> Self {
        let part = |namespace: &String| Part {
            namespace: namespace.as_str().into(),
            listed: false,
            given_up: false,
            known: HashMap::new(),
            relisting: None,
        };
        Self { parts: namespaces.iter().map(part).collect(), begun: false, gone: BTreeMap::new() }
    }

    fn tell(&self, health: &Health, index: usize, event: &watcher::Result<Event<Careful<K>>>) {
        let Some(part) = self.parts.get(index) else { return };
        let watch = Watch::within(&K::kind(&()), &part.namespace);
        match event {
            Ok(event) if is_success(event) => health.watch_worked(&watch),
            Ok(_) => {}
            Err(error) if code(error) == Some(403) => health.watch_refused(&watch, self.parts.len()),
            Err(_) => health.watch_failed(&watch),
        }
    }

    /// Takes what the watch of one namespace delivers; returns what the one of all does.
    fn take(&mut self, index: usize, event: watcher::Result<Event<Careful<K>>>) -> Vec<Watched<K>> {
        let was_listed = self.is_listed();
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            out.push(Ok(Seen::Event(Event::Init)));
        }
        let Some(part) = self.parts.get_mut(index) else { return out };
        let namespace = part.namespace.clone();
        let mut listed = None;
        match event {
            Ok(event) => {
                listed = matches!(event, Event::InitDone).then(|| namespace.clone());
                let events = part.take(event);
                if was_listed {
                    out.extend(events.into_iter().map(|event| Ok(Seen::Event(event))));
                } else {
                    let listing = events.into_iter().filter_map(|event| self.listing(event));
                    out.extend(listing.map(|event| Ok(Seen::Event(event))));
                }
            }
            Err(error) => {
                part.given_up = true;
                out.push(Err(Failed { namespace: Some(namespace), error }));
            }
        }
        if was_listed {
            out.extend(listed.map(|namespace| Ok(Seen::Listed(Some(namespace)))));
        } else if self.is_listed() {
            out.push(Ok(Seen::Event(Event::InitDone)));
            out.extend(std::mem::take(&mut self.gone).into_values().map(|event| Ok(Seen::Event(event))));
            let listed = self.parts.iter().filter(|part| part.listed);
            out.extend(listed.map(|part| Ok(Seen::Listed(Some(part.namespace.clone())))));
        }
        out
    }

    /// Returns a single change as a part of the list of all, which is under way and can hold nothing that goes.
    fn listing(&mut self, event: Event<Careful<K>>) -> Option<Event<Careful<K>>> {
        match event {
            Event::Apply(object) => {
                self.gone.remove(&Key::of_object(&object));
                Some(Event::InitApply(object))
            }
            Event::Delete(object) => {
                self.gone.insert(Key::of_object(&object), Event::Delete(object));
                None
            }
            Event::Init | Event::InitApply(_) | Event::InitDone => None,
        }
    }

    /// Returns true if all namespaces were listed that can be. Where nothing at all could be listed, nothing is known.
    fn is_listed(&self) -> bool {
        self.parts.iter().any(|part| part.listed)
            && self.parts.iter().all(|part| part.listed || part.given_up)
    }
}

impl Part {
    /// Returns what an event of this namespace means for the watch of all, as single changes.
    fn take<K: Readable>(&mut self, event: Event<Careful<K>>) -> Vec<Event<Careful<K>>> {
        match event {
            Event::Init => {
                // A list that broke off has delivered some already.
                self.known.extend(self.relisting.replace(HashMap::new()).into_iter().flatten());
                Vec::new()
            }
            Event::InitApply(object) => {
                let (name, known) = identity(&object);
                // Nobody else tells of the one of that name that was there before.
                let earlier = self.known.remove(&name).filter(|earlier| earlier.uid != known.uid);
                let earlier = earlier.map(|earlier| self.gone(&name, earlier));
                self.relisting.get_or_insert_default().insert(name, known);
                earlier.into_iter().chain([Event::Apply(object)]).collect()
            }
            Event::InitDone => {
                self.listed = true;
                let fresh = self.relisting.take().unwrap_or_default();
                let before = std::mem::replace(&mut self.known, fresh);
                before.into_iter().map(|(name, known)| self.gone(&name, known)).collect()
            }
            Event::Apply(object) => {
                let (name, known) = identity(&object);
                self.known.insert(name, known);
                vec![Event::Apply(object)]
            }
            Event::Delete(object) => {
                self.known.remove(&identity(&object).0);
                vec![Event::Delete(object)]
            }
        }
    }

    /// Returns the deletion of an object whose last version nobody has.
    fn gone<K: Readable>(&self, name: &str, known: Known) -> Event<Careful<K>> {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace.as_ref().to_owned()),
            uid: known.uid,
            labels: known.app.map(|app| [(names::APP.to_owned(), app)].into()),
            ..ObjectMeta::default()
        };
        Event::Delete(Careful(Err(Unreadable {
            metadata,
            why: "it was deleted while its watch was down".to_owned(),
        })))
    }
}

/// The name of an object, and what is needed to tell that it is gone.
fn identity<K: Readable>(object: &Careful<K>) -> (String, Known) {
    let meta = object.meta();
    let app = meta.labels.as_ref().and_then(|labels| labels.get(names::APP));
    (meta.name.clone().unwrap_or_default(), Known { uid: meta.uid.clone(), app: app.cloned() })
}

/// The code with which the API server has answered a watch that does not work; none if it has not answered.
pub(super) fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => match error {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        },
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::WatchFailed(_) | watcher::Error::NoResourceVersion => None,
    }
}

/// In which namespaces the operator may act: where every kind has been listed once. Elsewhere, a child that is only not seen
/// would look deleted.
#[derive(Debug, Default)]
pub struct Complete(Mutex<HashMap<Option<Arc<str>>, BTreeSet<String>>>);

impl Complete {
    /// Notes that a kind has been listed in a namespace, or in all that are watched. Returns true if that makes it complete.
    pub fn listed(&self, kind: &str, namespace: Option<Arc<str>>) -> bool {
        let mut kinds = self.kinds();
        let of_namespace = kinds.entry(namespace).or_default();
        of_namespace.insert(kind.to_owned()) && of_namespace.len() == KINDS
    }

    /// Returns true if every kind has been listed there.
    pub fn has(&self, namespace: &str) -> bool {
        let kinds = self.kinds();
        let is_complete =
            |namespace: &Option<Arc<str>>| kinds.get(namespace).is_some_and(|it| it.len() == KINDS);
        is_complete(&None) || is_complete(&Some(namespace.into()))
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<Option<Arc<str>>, BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    fn service(namespace: &str, name: &str) -> Careful<Service> {
        again(namespace, name, "1")
    }

    /// Another object of the same name.
    fn again(namespace: &str, name: &str, uid: &str) -> Careful<Service> {
        let object = json!({"metadata": {"name": name, "namespace": namespace, "uid": uid, "labels": {(names::APP): name}}});
        serde_json::from_str(&object.to_string()).unwrap()
    }

    fn refused(code: u16) -> watcher::Result<Event<Careful<Service>>> {
        let status = kube::core::Status::failure("no", "Forbidden").with_code(code).boxed();
        Err(watcher::Error::InitialListFailed(kube::Error::Api(status)))
    }

    fn merging() -> Merging<Service> {
        Merging::new(&["shop".to_owned(), "web".to_owned()])
    }

    /// What these events become, each in some words.
    fn words(
        merging: &mut Merging<Service>,
        index: usize,
        events: Vec<watcher::Result<Event<Careful<Service>>>>,
    ) -> Vec<String> {
        let name = |object: &Careful<Service>| {
            let meta = object.meta();
            format!("{}/{}", meta.namespace.as_deref().unwrap(), meta.name.as_deref().unwrap())
        };
        let word = |seen: Watched<Service>| match seen {
            Ok(Seen::Event(Event::Init)) => "init".to_owned(),
            Ok(Seen::Event(Event::InitApply(object))) => format!("list {}", name(&object)),
            Ok(Seen::Event(Event::InitDone)) => "done".to_owned(),
            Ok(Seen::Event(Event::Apply(object))) => format!("apply {}", name(&object)),
            Ok(Seen::Event(Event::Delete(object))) => format!("delete {}", name(&object)),
            Ok(Seen::Listed(namespace)) => format!("listed {}", namespace.unwrap()),
            Err(failed) => format!("error {}", failed.namespace.unwrap()),
        };
        events.into_iter().flat_map(|event| merging.take(index, event)).map(word).collect()
    }

    fn list(namespace: &str, services: &[&str]) -> Vec<watcher::Result<Event<Careful<Service>>>> {
        let listed = services.iter().map(|name| Event::InitApply(service(namespace, name)));
        [Event::Init].into_iter().chain(listed).chain([Event::InitDone]).map(Ok).collect()
    }

    #[test]
    fn all_is_listed_once_every_namespace_is() {
        let mut merging = merging();
        assert_eq!(words(&mut merging, 1, list("web", &["a"])), ["init", "list web/a"]);
        // Nobody could tell whether the lists of others hold what this changes.
        let changes = vec![
            Ok(Event::Apply(service("web", "b"))),
            Ok(Event::Delete(service("web", "b"))),
            Ok(Event::Apply(service("web", "b"))),
            Ok(Event::Delete(service("web", "a"))),
        ];
        assert_eq!(words(&mut merging, 1, changes), ["list web/b", "list web/b"]);
        let last = words(&mut merging, 0, list("shop", &["a"]));
        assert_eq!(last, ["list shop/a", "done", "delete web/a", "listed shop", "listed web"]);
        let later = vec![Ok(Event::Apply(service("web", "c")))];
        assert_eq!(words(&mut merging, 1, later), ["apply web/c"]);
    }

    #[test]
    fn another_list_of_one_namespace_says_nothing_of_the_others() {
        let mut merging = merging();
        words(&mut merging, 0, list("shop", &["a", "b"]));
        words(&mut merging, 1, list("web", &["a"]));
        let next = words(&mut merging, 0, list("shop", &["b", "c"]));
        assert_eq!(next, ["apply shop/b", "apply shop/c", "delete shop/a", "listed shop"]);
    }

    /// Its driver forgets the one before: a switch of an app that is gone must not go on in another app of that name.
    #[test]
    fn an_object_that_was_created_again_while_the_watch_was_down_is_another_one() {
        let mut merging = merging();
        words(&mut merging, 0, list("shop", &["a"]));
        words(&mut merging, 1, list("web", &["a"]));
        let next = vec![Ok(Event::Init), Ok(Event::InitApply(again("shop", "a", "2"))), Ok(Event::InitDone)];
        assert_eq!(words(&mut merging, 0, next), ["delete shop/a", "apply shop/a", "listed shop"]);
    }

    /// As when the first list fails at its second page.
    #[test]
    fn what_the_first_list_had_and_the_next_one_has_not_is_deleted() {
        let mut merging = merging();
        words(&mut merging, 0, list("shop", &["a"]));
        let broken = vec![Ok(Event::Init), Ok(Event::InitApply(service("web", "a")))];
        words(&mut merging, 1, broken);
        let all = words(&mut merging, 1, list("web", &["b"]));
        assert_eq!(all, ["list web/b", "done", "delete web/a", "listed shop", "listed web"]);
    }

    /// Whoever may edit RoleBindings in one namespace must not stop the operator in the others.
    #[test]
    fn a_namespace_that_cannot_be_listed_keeps_no_other_waiting() {
        for code in [403, 500] {
            let mut merging = merging();
            assert_eq!(words(&mut merging, 1, vec![Ok(Event::Init), refused(code)]), ["init", "error web"]);
            assert_eq!(words(&mut merging, 0, list("shop", &["a"])), ["list shop/a", "done", "listed shop"]);
            // Once the right is back.
            assert_eq!(words(&mut merging, 1, list("web", &["a"])), ["apply web/a", "listed web"]);
        }
    }

    #[test]
    fn nothing_is_listed_where_every_namespace_fails() {
        let mut merging = merging();
        assert_eq!(words(&mut merging, 0, vec![refused(403)]), ["init", "error shop"]);
        assert_eq!(words(&mut merging, 1, vec![refused(403)]), ["error web"]);
        assert_eq!(words(&mut merging, 1, list("web", &[])), ["done", "listed web"]);
    }

    #[test]
    fn a_watch_that_begins_a_list_again_and_again_in_vain_has_not_worked() {
        let health = Health::new(crate::health::HealthLimits::default());
        let merging = merging();
        let watch = Watch::within("Service", "web");
        merging.tell(&health, 1, &refused(403));
        std::thread::sleep(std::time::Duration::from_millis(5));
        merging.tell(&health, 1, &Ok(Event::Init));
        assert!(!health.failing(&watch).is_zero());
        merging.tell(&health, 1, &Ok(Event::InitDone));
        assert!(health.failing(&watch).is_zero());
    }

    #[test]
    fn a_namespace_is_complete_with_its_last_kind_and_all_are_when_all_are_listed_at_once() {
        let complete = Complete::default();
        let kinds: Vec<String> = (0..KINDS).map(|number| number.to_string()).collect();
        for kind in &kinds {
            assert!(!complete.has("web"));
            assert_eq!(complete.listed(kind, Some("web".into())), *kind == kinds[KINDS - 1]);
            assert!(!complete.listed(kind, Some("web".into())), "once");
        }
        assert!(complete.has("web") && !complete.has("shop"));
        assert!(kinds.iter().any(|kind| complete.listed(kind, None)));
        assert!(complete.has("shop"));
    }

    #[test]
    fn names_are_taken_once_and_empty_ones_not_at_all() {
        let scope = Scope::new(["web", "shop", "", "web"].map(str::to_owned));
        assert_eq!(scope.namespaces(), ["shop", "web"]);
        assert_eq!(Scope::new([String::new()]), Scope::default());
    }
}
