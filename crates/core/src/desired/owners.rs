//! Who owns which fields, from `metadata.managedFields`.
//!
//! [`covers`](super::covers()) does not look at what is not declared, because most of it are defaults of the API server
//! and additions by admission plug-ins. The owners tell these apart from what somebody else wrote: a default has no
//! owner, nor has what a plug-in adds to a request of the operator. What *another* field manager owns in a place that is
//! the operator's alone is an addition by somebody else. A server-side apply cannot remove it.

mod take_over;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value};

use super::covers::{Difference, difference};
use super::fields::{DEPTH, Lists, below};
use super::names;
pub use take_over::{take_over, take_over_leftovers};

/// Where the operator alone decides: the pods, and the ports of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `spec.template` of a Deployment.
    Template,
    /// `spec.ports` of a Service.
    Ports,
}

/// What `kubectl rollout restart` sets in the pod template.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

impl Place {
    const fn field(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Ports => "ports",
        }
    }

    /// Returns true if others may own this here all the same.
    fn tolerates(self, path: &str) -> bool {
        match self {
            // To take it away would replace the pods a second time.
            Self::Template => path == format!("spec.template.metadata.annotations.{RESTARTED_AT}"),
            // Allocated, and kept by the API server for as long as the port is there.
            Self::Ports => path.ends_with("].nodePort"),
        }
    }

    fn of(self, entry: &ManagedFieldsEntry) -> Option<&Value> {
        entry.fields_v1.as_ref()?.0.get("f:spec")?.get(format!("f:{}", self.field()))
    }
}

/// Returns the first thing in this place that another field manager owns and that is not declared, with the manager.
pub fn addition(
    entries: &[ManagedFieldsEntry],
    place: Place,
    declared: &Value,
    live: &Value,
) -> Option<(Difference, String)> {
    let pointer = format!("/spec/{}", place.field());
    let (declared, live) = (declared.pointer(&pointer)?, live.pointer(&pointer)?);
    let mut walk = Walk { lists: Lists::default(), entries, place };
    foreign(entries).find_map(|entry| {
        let start = format!("spec.{}", place.field());
        let found = walk.undeclared(place.of(entry)?, declared, live, &start, DEPTH)?;
        Some((found, manager(entry)))
    })
}

/// Walks the field sets of others beside what is declared and what is there.
struct Walk<'a> {
    lists: Lists<'a>,
    entries: &'a [ManagedFieldsEntry],
    place: Place,
}

impl<'a> Walk<'a> {
    fn undeclared(
        &mut self,
        owned: &Value,
        declared: &'a Value,
        live: &'a Value,
        path: &str,
        depth: usize,
    ) -> Option<Difference> {
        let depth = depth.checked_sub(1)?;
        owned.as_object()?.iter().find_map(|(step, owned)| {
            let live = self.lists.find(step, live)?;
            let (path, declared) = (below(path, step), self.lists.find(step, declared));
            match declared {
                Some(declared) if self.is_written_whole(owned, declared, &path) => {
                    Some(difference(&path, declared, Some(live)))
                }
                Some(declared) => self.undeclared(owned, declared, live, &path, depth),
                None if self.place.tolerates(&path) => None,
                // Only what it tolerates may be in there.
                None if holds_only_tolerated(self.place, owned, &path, depth) => None,
                None => Some(difference(&path, &Value::Null, Some(live))),
            }
        })
    }

    /// Returns true if somebody else has written this list or object as a whole, so that nothing in it has an owner of its
    /// own: `tolerations` or a `secretKeyRef`, for example. Whoever changes anything in it is its only owner from then on, and
    /// whoever writes the same becomes one beside the operator.
    fn is_written_whole(&self, owned: &Value, declared: &Value, path: &str) -> bool {
        let is_leaf = owned.as_object().is_none_or(Map::is_empty);
        is_leaf && (declared.is_array() || declared.is_object()) && !owns(self.entries, path)
    }
}

/// Returns true if this field set is not empty and names nothing but what the place tolerates.
fn holds_only_tolerated(place: Place, owned: &Value, path: &str, depth: usize) -> bool {
    let (Some(depth), Some(owned)) = (depth.checked_sub(1), owned.as_object()) else { return false };
    let mut inner = owned.iter().filter(|(step, _)| *step != ".").peekable();
    inner.peek().is_some()
        && inner.all(|(step, owned)| {
            let path = below(path, step);
            place.tolerates(&path) || holds_only_tolerated(place, owned, &path, depth)
        })
}

/// Returns who owns this field, something in it, or what it is in. The path is one of a [`Difference`].
pub fn owner(entries: &[ManagedFieldsEntry], path: &str) -> Option<String> {
    let owns = |entry: &&ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| reaches(&fields.0, "", path, DEPTH))
    };
    foreign(entries).find(owns).map(manager)
}

/// Returns true if the operator's own declaration holds this field.
pub fn owns(entries: &[ManagedFieldsEntry], path: &str) -> bool {
    let fields = entries.iter().find(|entry| is_our_apply(entry)).and_then(|entry| entry.fields_v1.as_ref());
    fields.is_some_and(|fields| reaches(&fields.0, "", path, DEPTH))
}

fn reaches(owned: &Value, at: &str, path: &str, depth: usize) -> bool {
    let (Some(depth), Some(fields)) = (depth.checked_sub(1), owned.as_object()) else { return false };
    fields.iter().any(|(step, owned)| {
        let at = below(at, step);
        let is_leaf = owned.as_object().is_none_or(Map::is_empty);
        match path.strip_prefix(at.as_str()) {
            Some("") => true,
            Some(rest) if rest.starts_with(['.', '[']) => is_leaf || reaches(owned, &at, path, depth),
            Some(_) | None => false,
        }
    })
}

/// Keeps of the owners only those that [`addition`] looks at: none, unless somebody else has written there. With the
/// others, every object would need twice its memory.
pub fn keep_foreign(entries: &mut Option<Vec<ManagedFieldsEntry>>) {
    if let Some(all) = entries {
        let is_of_place = |entry: &ManagedFieldsEntry| {
            [Place::Template, Place::Ports].iter().any(|place| place.of(entry).is_some())
        };
        let has_foreign = foreign(all).any(is_of_place);
        all.retain(|entry| has_foreign && is_of_place(entry) && (!is_ours(entry) || is_our_apply(entry)));
    }
    // None, and not an empty list: an empty list in a write resets the owners.
    if entries.as_ref().is_some_and(Vec::is_empty) {
        *entries = None;
    }
}

fn foreign(entries: &[ManagedFieldsEntry]) -> impl Iterator<Item = &ManagedFieldsEntry> {
    entries.iter().filter(|entry| !is_ours(entry))
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    matches!(entry.manager.as_deref(), Some(names::MANAGER | names::FENCE_MANAGER))
}

fn is_our_apply(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(names::MANAGER) && entry.operation.as_deref() == Some("Apply")
}

/// The manager's name, for people.
fn manager(entry: &ManagedFieldsEntry) -> String {
    let name = entry.manager.as_deref().unwrap_or("unknown");
    match entry.subresource.as_deref() {
        Some(part @ ("scale" | "status")) => format!("{name} (subresource {part})"),
        Some(_) | None => name.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "owners_tests.rs"]
mod tests;
