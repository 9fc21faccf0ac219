//! Who owns which fields, from `metadata.managedFields`.
//!
//! [`covers`](super::covers()) does not look at what is not declared, because most of it are defaults of the API server
//! and additions by admission plug-ins. The owners tell these apart from what somebody else wrote: a default has no
//! owner, nor has what a plug-in adds to a request of the operator. What *another* field manager owns in a place that is
//! the operator's alone is an addition by somebody else. A server-side apply cannot remove it.
//!
//! Field sets are written as the Kubernetes API does: `f:NAME` is a field, `k:{…}` the item of a list with these keys,
//! `v:…` the item of a set, and `.` the map or item itself. Anybody may write them, so nothing here relies on their shape.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value, json};

use super::covers::{Difference, difference};
use super::{leftovers, names};

/// Where the operator alone decides: the pods, and the ports of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `spec.template` of a Deployment.
    Template,
    /// `spec.ports` of a Service.
    Ports,
}

/// Deeper field sets are not looked into. The API has no object that nests so deep.
pub(super) const DEPTH: usize = 40;

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

/// Returns the owners after the operator has taken this place over from all others: it then owns what they owned, so its
/// next apply removes what it does not declare. `None` if nobody else owns anything here.
///
/// With `all`, nothing is left to the others that is otherwise tolerated.
///
/// This is how `kubectl apply --server-side` takes over from `kubectl apply`. It changes no field of the object.
pub fn take_over(
    entries: &[ManagedFieldsEntry],
    place: Place,
    api_version: &str,
    all: bool,
) -> Option<Vec<ManagedFieldsEntry>> {
    let (spec, field) = ("f:spec", format!("f:{}", place.field()));
    let mut taken = Value::Null;
    let mut entries = entries.to_vec();
    for entry in entries.iter_mut().filter(|entry| !is_ours(entry)) {
        let Some(fields) = entry.fields_v1.as_mut() else { continue };
        let Some(mut found) =
            fields.0.get_mut(spec).and_then(Value::as_object_mut).and_then(|s| s.remove(&field))
        else {
            continue;
        };
        if !all && let Some(kept) = tolerated(place, &mut found) {
            fields.0[spec][field.as_str()] = kept;
        } else if fields.0[spec].as_object().is_some_and(Map::is_empty)
            && let Some(all) = fields.0.as_object_mut()
        {
            all.remove(spec);
        }
        if found != Value::Null {
            unite(&mut taken, found, DEPTH);
        }
    }
    if taken == Value::Null {
        return None;
    }
    entries.retain(|entry| entry.fields_v1.as_ref().is_some_and(|fields| fields.0 != json!({})));
    let taken = json!({ (spec): { (field): taken } });
    match entries.iter_mut().find(|entry| is_our_apply(entry)).and_then(|ours| ours.fields_v1.as_mut()) {
        Some(ours) => unite(&mut ours.0, taken, DEPTH),
        None => entries.push(ManagedFieldsEntry {
            api_version: Some(api_version.to_owned()),
            fields_type: Some("FieldsV1".to_owned()),
            fields_v1: Some(FieldsV1(taken)),
            manager: Some(names::MANAGER.to_owned()),
            operation: Some("Apply".to_owned()),
            ..ManagedFieldsEntry::default()
        }),
    }
    Some(entries)
}

/// As [`take_over`] with `all`, for the template of a Deployment that gets another revision: the operator then also owns what
/// nobody owns, which are additions by admission plug-ins. A plug-in that is still there adds them again. `None` if there is
/// nothing to take over, or if the operator has never declared this object.
pub fn take_over_leftovers(
    entries: &[ManagedFieldsEntry],
    api_version: &str,
    live: &Value,
) -> Option<Vec<ManagedFieldsEntry>> {
    let place = Place::Template;
    let taken = take_over(entries, place, api_version, true);
    let mut after = taken.clone().unwrap_or_else(|| entries.to_vec());
    let ours = after.iter_mut().find(|entry| is_our_apply(entry)).and_then(|ours| ours.fields_v1.as_mut());
    let left = ours.and_then(|ours| {
        let owned = ours.0.get_mut("f:spec")?.get_mut(format!("f:{}", place.field()))?;
        let left = leftovers::unowned(owned, live.pointer("/spec/template")?)?;
        unite(owned, left, DEPTH);
        Some(())
    });
    if left.is_some() { Some(after) } else { taken }
}

/// Splits a field set: what the place tolerates is returned and stays with its owner. `found` becomes null if that is all.
fn tolerated(place: Place, found: &mut Value) -> Option<Value> {
    if place == Place::Ports {
        return None;
    }
    let annotations = found.pointer_mut("/f:metadata/f:annotations")?.as_object_mut()?;
    let (key, restarted) = annotations.remove_entry(&format!("f:{RESTARTED_AT}"))?;
    // A map that holds nothing any more must not look like a field of its own.
    annotations.remove(".");
    if annotations.is_empty() {
        let metadata = found.get_mut("f:metadata")?.as_object_mut()?;
        metadata.remove("f:annotations");
        if metadata.keys().all(|key| key == ".") {
            found.as_object_mut()?.remove("f:metadata");
        }
    }
    if found.as_object().is_some_and(|found| found.keys().all(|key| key == ".")) {
        *found = Value::Null;
    }
    Some(json!({ "f:metadata": { "f:annotations": { (key): restarted } } }))
}

/// Adds the fields of one set to another.
fn unite(into: &mut Value, from: Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match (into.as_object_mut(), from) {
        (Some(into), Value::Object(from)) => {
            // `{}` is the field itself. With fields of its own in it, it is written as `.`.
            if into.is_empty() != from.is_empty() {
                into.insert(".".to_owned(), json!({}));
            }
            for (step, owned) in from {
                match into.get_mut(&step) {
                    Some(slot) => unite(slot, owned, depth),
                    None => _ = into.insert(step, owned),
                }
            }
        }
        (_, from) => *into = from,
    }
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

/// The path of a step, as [`covers`](super::covers()) spells it.
fn below(path: &str, step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) if path.is_empty() => name.to_owned(),
        Some(("f", name)) => format!("{path}.{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let values: Vec<String> = keys.values().map(text).collect();
            format!("{path}[{}]", values.join("/"))
        }
        Some(("v", value)) => format!("{path}[{value}]"),
        Some(_) | None => path.to_owned(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The lists that the walk came through, each with its items by what tells them apart.
///
/// A field set names as many items as its list has, and there may be many field sets. To search the list for each would take
/// hours for the longest that an object can hold.
#[derive(Default)]
pub(super) struct Lists<'a>(HashMap<*const Value, BTreeMap<Vec<String>, Items<'a>>>);

/// The items of one list, by the values of some keys.
type Items<'a> = HashMap<String, &'a Value>;

/// Kubernetes names the items of a list by the same keys always. With other keys, at most so many sets are looked up.
const KEY_SETS: usize = 4;

impl<'a> Lists<'a> {
    /// Returns what a step leads to.
    pub(super) fn find(&mut self, step: &str, value: &'a Value) -> Option<&'a Value> {
        let found = match step.split_once(':')? {
            ("f", name) => value.get(name)?,
            ("k", keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
                let (keys, values): (Vec<String>, Vec<Value>) = keys.into_iter().unzip();
                self.item(value, keys, &values)?
            }
            ("v", json) => self.item(value, Vec::new(), &[serde_json::from_str(json).ok()?])?,
            _ => return None,
        };
        (!found.is_null()).then_some(found)
    }

    /// Returns the first item with these values; without keys, the item that is this value.
    fn item(&mut self, list: &'a Value, keys: Vec<String>, values: &[Value]) -> Option<&'a Value> {
        let items = list.as_array()?;
        let sets = self.0.entry(std::ptr::from_ref(list)).or_default();
        if sets.len() >= KEY_SETS && !sets.contains_key(&keys) {
            return None;
        }
        let by_values = |keys: &[String]| {
            items.iter().rev().filter_map(|item| Some((identity(item, keys)?, item))).collect()
        };
        let found = sets.entry(keys).or_insert_with_key(|keys| by_values(keys));
        found.get(&Value::from(values).to_string()).copied()
    }
}

/// The values of an item's keys as one text; `None` if it lacks one.
fn identity(item: &Value, keys: &[String]) -> Option<String> {
    if keys.is_empty() {
        return Some(Value::from([item.clone()].as_slice()).to_string());
    }
    let value = |key: &String| match item.get(key) {
        // The schema's default.
        None | Some(Value::Null) => (key == "protocol").then(|| Value::from("TCP")),
        Some(found) => Some(found.clone()),
    };
    let values: Option<Vec<Value>> = keys.iter().map(value).collect();
    Some(Value::from(values?).to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "owners_tests.rs"]
mod tests;
