//! Whose an object is that has the name of a child: this app's, or somebody else's.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::Snapshot;
use crate::desired::names;
use crate::plan::Child;
use bluegreen_api::{BlueGreenApp, Color};

/// Why an object is not this app's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Nobody controls it, and it carries the label of an app of this name: an earlier app may have left it behind.
    LeftBehind,
    /// Nobody controls it, and nothing says that it was ever this app's.
    Nobodys,
    /// Another object controls it, as `Kind name`.
    Controlled(String),
    /// Somebody has written something into it that can't be decoded: this. So nobody knows whose it is.
    Unreadable(String),
}

/// Whose an object is.
enum Whose {
    Ours,
    Collecting,
    Strange(Stranger),
}

/// Returns who owns an object, with its facts if this app does.
pub(super) fn owned<K: Resource, T>(
    app: &BlueGreenApp,
    object: Option<&K>,
    facts: impl FnOnce(&K) -> T,
) -> Child<T> {
    let Some(object) = object else { return Child::Absent };
    match whose(app, object) {
        Whose::Ours => Child::Ours(facts(object)),
        Whose::Collecting => Child::Collecting,
        Whose::Strange(_) => Child::Foreign,
    }
}

/// Returns the objects that have a child's name and are not this app's, as `Kind name`, each with the reason.
pub fn strangers(seen: &Snapshot) -> Vec<(String, Stranger)> {
    fn strange<K: Resource>(
        app: &BlueGreenApp,
        kind: &str,
        object: Option<&K>,
    ) -> Option<(String, Stranger)> {
        let object = object?;
        match whose(app, object) {
            Whose::Ours | Whose::Collecting => None,
            Whose::Strange(stranger) => Some((format!("{kind} {}", object.name_any()), stranger)),
        }
    }
    let app = &seen.app;
    let of_color = |color: Color| {
        [
            strange(app, "Service", seen.color_services.get(color).as_deref()),
            strange(app, "Deployment", seen.deployments.get(color).as_deref()),
        ]
    };
    let live = strange(app, "Service", seen.service.as_deref());
    let preview = seen.preview.as_deref().filter(|_| app.spec.service.preview);
    let preview = strange(app, "Service", preview);
    live.into_iter().chain(preview).chain(Color::ALL.into_iter().flat_map(of_color).flatten()).collect()
}

/// Returns whose an object is, by uid: the garbage collector will delete an object of an earlier app of the same name.
fn whose<K: Resource>(app: &BlueGreenApp, object: &K) -> Whose {
    if object.meta().deletion_timestamp.is_some() {
        return Whose::Collecting;
    }
    if let Some(why) = object.annotations().get(names::UNREADABLE) {
        return Whose::Strange(Stranger::Unreadable(why.clone()));
    }
    let Some(owner) = object.owner_references().iter().find(|owner| owner.controller == Some(true)) else {
        return unowned(app, object);
    };
    let same_kind = is_app(owner);
    if is_this(app, owner) {
        Whose::Ours
    } else if same_kind && owner.name == app.name_any() {
        Whose::Collecting
    } else {
        let OwnerReference { kind, name, .. } = owner;
        Whose::Strange(Stranger::Controlled(format!("{kind} {name}")))
    }
}

/// Returns true if this very app controls the object.
pub(super) fn is_controlled<K: Resource>(app: &BlueGreenApp, object: &K) -> bool {
    let mut owners = object.owner_references().iter().filter(|owner| owner.controller == Some(true));
    owners.any(|owner| is_this(app, owner))
}

fn is_this(app: &BlueGreenApp, owner: &OwnerReference) -> bool {
    is_app(owner) && Some(&owner.uid) == app.meta().uid.as_ref()
}

/// Returns true if this owner is a BlueGreenApp, whichever it is.
#[must_use]
pub fn is_app(owner: &OwnerReference) -> bool {
    owner.kind == BlueGreenApp::kind(&()) && owner.api_version.starts_with("bluegreen.dev/")
}

/// Returns whose an object is that nobody controls. It is adopted only if a person has handed it over: this object, by an
/// annotation on it, or all that an earlier app left behind, by an annotation on the app.
///
/// The annotation on the app takes only what carries the app's label. Otherwise, whoever may edit apps, and nothing else,
/// could take over any object of the namespace that has a fitting name.
fn unowned<K: Resource>(app: &BlueGreenApp, object: &K) -> Whose {
    let name = app.name_any();
    let handed_over = object.annotations().get(names::ADOPT) == Some(&name);
    let left_behind = object.labels().get(names::APP) == Some(&name);
    let all_handed_over = app.annotations().get(names::ADOPT).is_some_and(|value| value == names::ADOPT_ALL);
    match (handed_over, left_behind) {
        (true, _) => Whose::Ours,
        (false, true) if all_handed_over => Whose::Ours,
        (false, true) => Whose::Strange(Stranger::LeftBehind),
        (false, false) => Whose::Strange(Stranger::Nobodys),
    }
}
