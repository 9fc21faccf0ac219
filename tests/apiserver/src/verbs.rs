//! What each verb does.

use serde_json::{Value, json};

use crate::admission;
use crate::fields::Owners;
use crate::kind::Kind;
use crate::request::{Request, Verb};
use crate::selector::Selector;
use crate::status::Status;
use crate::store::{Key, Store, Stored};

/// The code and the body of an answer.
pub(crate) type Answer = Result<(u16, Value), Status>;

/// Carries out a request, all but a watch.
pub(crate) fn carry_out(store: &mut Store, request: &Request) -> Answer {
    match request.verb {
        Verb::Get => get(store, request),
        Verb::List => Ok(list(store, request)),
        Verb::Create => create(store, request),
        Verb::Apply => apply(store, request),
        Verb::Merge => merge(store, request),
        Verb::Replace => replace(store, request),
        Verb::Delete => delete(store, request),
        Verb::Watch => Err(Status::new(500, "a watch is no single answer")),
    }
}

fn key(request: &Request) -> Key {
    (request.kind, request.namespace.clone().unwrap_or_default(), request.name.clone())
}

fn get(store: &Store, request: &Request) -> Answer {
    let stored = store.get(&key(request)).ok_or_else(|| Status::not_found(request.kind, &request.name))?;
    Ok((200, shown(request, &stored.object)))
}

fn list(store: &Store, request: &Request) -> (u16, Value) {
    let selector = Selector::parse(request.label_selector());
    let items: Vec<Value> = store
        .all(request.kind, request.namespace.as_deref())
        .filter(|(_, stored)| selector.matches(&stored.object))
        .map(|(_, stored)| shown(request, &stored.object))
        .collect();
    let (api_version, kind) = if request.metadata_only {
        ("meta.k8s.io/v1", "PartialObjectMetadataList".to_owned())
    } else {
        (request.kind.api_version(), format!("{}List", request.kind.name()))
    };
    let metadata = json!({ "resourceVersion": store.version().to_string() });
    (200, json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "items": items }))
}

/// The object, or only its metadata.
fn shown(request: &Request, object: &Value) -> Value {
    if !request.metadata_only {
        return object.clone();
    }
    json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] })
}

fn create(store: &mut Store, request: &Request) -> Answer {
    let name = request.body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let key = (request.kind, request.namespace.clone().unwrap_or_default(), name);
    if store.get(&key).is_some() {
        return Err(Status::exists(request.kind, &key.2));
    }
    let mut stored = Stored::default();
    stored.owners.update(request.kind, request.manager(), &Value::Null, &request.body);
    stored.object = request.body.clone();
    admit_new(store, key, stored, request.manager()).map(|object| (201, object))
}

fn apply(store: &mut Store, request: &Request) -> Answer {
    let key = key(request);
    let (kind, name) = (request.kind, request.name.as_str());
    let existing = store.get(&key).cloned();
    let asked = &request.body["metadata"];
    let Some(existing) = existing else {
        // Any resourceVersion will do for an object that is not there; a uid names one that was.
        if !asked["uid"].is_null() {
            return Err(Status::conflict(kind, name, "uid mismatch: no existing object was found"));
        }
        let mut stored = Stored::default();
        stored.object = stored
            .owners
            .apply(kind, &Value::Null, request.manager(), &request.body, true)
            .map_err(|conflicts| Status::conflict(kind, name, &conflicts.0.join(", ")))?;
        return admit_new(store, key, stored, request.manager()).map(|object| (201, object));
    };
    precondition(request, asked, &existing.object)?;
    let force = request.query.get("force").is_some_and(|value| value == "true");
    let mut stored = existing.clone();
    let mut object = stored
        .owners
        .apply(kind, &existing.object, request.manager(), &request.body, force)
        .map_err(|conflicts| Status::conflict(kind, name, &conflicts.0.join(", ")))?;
    if request.subresource.is_empty() {
        object["status"] = existing.object["status"].clone();
        drop_null(&mut object, "status");
    }
    stored.object = object;
    admit_change(store, key, &existing, stored, request.manager()).map(|object| (200, object))
}

fn merge(store: &mut Store, request: &Request) -> Answer {
    let existing = existing(store, request)?;
    precondition(request, &request.body["metadata"], &existing.object)?;
    let mut object = existing.object.clone();
    merge_patch(&mut object, &request.body);
    update(store, request, &existing, object)
}

fn replace(store: &mut Store, request: &Request) -> Answer {
    let existing = existing(store, request)?;
    precondition(request, &request.body["metadata"], &existing.object)?;
    update(store, request, &existing, request.body.clone())
}

fn existing(store: &Store, request: &Request) -> Result<Stored, Status> {
    store.get(&key(request)).cloned().ok_or_else(|| Status::not_found(request.kind, &request.name))
}

/// Writes the part of the object that the request is about: only the status, or all but the status.
fn update(store: &mut Store, request: &Request, existing: &Stored, asked: Value) -> Answer {
    let before = &existing.object;
    let mut object = if request.subresource == "status" { before.clone() } else { asked.clone() };
    let status = if request.subresource == "status" { &asked["status"] } else { &before["status"] };
    object["status"] = status.clone();
    drop_null(&mut object, "status");
    for system in ["uid", "creationTimestamp", "generation", "resourceVersion"] {
        object["metadata"][system] = before["metadata"][system].clone();
        drop_null(&mut object["metadata"], system);
    }
    let mut stored = existing.clone();
    let asked = &asked["metadata"]["managedFields"];
    if asked.as_array().is_some_and(|asked| !asked.is_empty())
        && *asked != before["metadata"]["managedFields"]
    {
        stored.owners = Owners::from_managed_fields(request.kind, asked);
    }
    stored.owners.update(request.kind, request.manager(), before, &object);
    stored.object = object;
    admit_change(store, key(request), existing, stored, request.manager()).map(|object| (200, object))
}

fn delete(store: &mut Store, request: &Request) -> Answer {
    let existing = existing(store, request)?;
    let (kind, name) = (request.kind, request.name.as_str());
    for precondition in ["uid", "resourceVersion"] {
        let asked = &request.body["preconditions"][precondition];
        let is = &existing.object["metadata"][precondition];
        if !asked.is_null() && asked != is {
            let words = format!(
                "the {precondition} in the precondition ({asked}) does not match the one in record ({is})"
            );
            return Err(Status::conflict(kind, name, &words));
        }
    }
    store.remove(&key(request), request.manager());
    Ok((200, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" })))
}

/// The resourceVersion and the uid that a write names must be the object's.
fn precondition(request: &Request, asked: &Value, object: &Value) -> Result<(), Status> {
    let differs = |key: &str| !asked[key].is_null() && asked[key] != object["metadata"][key];
    let (kind, name) = (request.kind, request.name.as_str());
    if differs("resourceVersion") {
        let words =
            "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Status::conflict(kind, name, words));
    }
    if differs("uid") {
        return Err(Status::invalid(kind, name, "metadata.uid", "field is immutable"));
    }
    Ok(())
}

/// Stores a new object.
pub(crate) fn admit_new(store: &mut Store, key: Key, mut stored: Stored, manager: &str) -> Admitted {
    let (kind, namespace, name) = &key;
    let object = &mut stored.object;
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.name());
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!(namespace);
    object["metadata"]["uid"] = json!(store.next_uid());
    object["metadata"]["creationTimestamp"] = store.now_in_seconds();
    if kind.has_generation() {
        object["metadata"]["generation"] = json!(1);
    }
    store.plug_in(*kind, name, &mut stored);
    let object = &mut stored.object;
    admission::set_defaults(*kind, object, store.version());
    admission::validate(*kind, name, None, object)?;
    Ok(store.write(key, stored, manager))
}

/// Stores an object in place of what it was.
pub(crate) fn admit_change(
    store: &mut Store,
    key: Key,
    before: &Stored,
    mut stored: Stored,
    manager: &str,
) -> Admitted {
    let (kind, _, name) = &key;
    let (before, object) = (&before.object, &mut stored.object);
    object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
    admission::keep_allocated(*kind, before, object);
    store.plug_in(*kind, name, &mut stored);
    let object = &mut stored.object;
    admission::set_defaults(*kind, object, store.version());
    admission::validate(*kind, name, Some(before), object)?;
    if kind.has_generation() && spec_changed(*kind, before, object) {
        let generation = before["metadata"]["generation"].as_i64().unwrap_or(0);
        object["metadata"]["generation"] = json!(generation + 1);
    }
    Ok(store.write(key, stored, manager))
}

/// The object as it is stored.
pub(crate) type Admitted = Result<Value, Status>;

/// Everything but metadata and status counts.
fn spec_changed(kind: Kind, before: &Value, object: &Value) -> bool {
    let spec = |object: &Value| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        fields.retain(|key, _| key != "metadata" && key != "status");
        fields
    };
    let annotations = |object: &Value| object["metadata"]["annotations"].clone();
    spec(before) != spec(object) || (kind.counts_annotations() && annotations(before) != annotations(object))
}

/// RFC 7386.
pub(crate) fn merge_patch(object: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            object.as_object_mut().expect("an object").remove(key);
        } else {
            merge_patch(&mut object[key.as_str()], value);
        }
    }
}

fn drop_null(object: &mut Value, key: &str) {
    if let Some(fields) = object.as_object_mut()
        && fields.get(key).is_some_and(Value::is_null)
    {
        fields.remove(key);
    }
}
