//! How the operator takes fields over from other managers, so that its next apply removes what it does not declare.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value, json};

use super::{Place, RESTARTED_AT, is_our_apply, is_ours};
use crate::desired::fields::DEPTH;
use crate::desired::{leftovers, names};

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
