//! Does to a snapshot what the API server would do to the cluster with one of the operator's requests.
//!
//! Preconditions are not asked: nobody else changes a played cluster.

use std::sync::Arc;

use bluegreen_core::apply::{Object, Request, Verb};
use bluegreen_core::observe::Snapshot;
use jiff::Timestamp;
use k8s_openapi::DeepMerge;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Carries out a request on the objects. `now` becomes the creation time of what is created.
pub fn merge(seen: &mut Snapshot, request: &Request, now: Timestamp) {
    match &request.verb {
        Verb::Apply { manager: _, body, fallback: _ } => apply(seen, request.object, body, now),
        // Only the owners: the label or annotation that it takes away comes back with the apply.
        Verb::TakeOver { body } => {
            let owners = json!({ "metadata": { "managedFields": body["metadata"]["managedFields"] } });
            apply(seen, request.object, &owners, now);
        }
        Verb::Create { body } => create_job(seen, body),
        Verb::Delete if request.object == Object::Job => delete_job(seen, &request.name),
        Verb::Delete => delete(seen, request.object),
    }
}

fn apply(seen: &mut Snapshot, object: Object, body: &Value, now: Timestamp) {
    match object {
        Object::Service => put(&mut seen.service, body),
        Object::Preview => put(&mut seen.preview, body),
        Object::ColorService(color) => put(seen.color_services.get_mut(color), body),
        Object::Deployment(color) => {
            let slot = seen.deployments.get_mut(color);
            let before = slot.as_ref().and_then(|deployment| deployment.spec.clone());
            put(slot, body);
            if let Some(deployment) = slot.as_mut().filter(|deployment| deployment.spec != before) {
                let generation = &mut Arc::make_mut(deployment).metadata.generation;
                *generation = Some(generation.unwrap_or(0) + 1);
            }
        }
        Object::Revision { color, number: _ } => {
            let mut revision = body.clone();
            revision["metadata"]["creationTimestamp"] = json!(now);
            // Read back as the operator reads it: one that can't be read counts as lost.
            let revision = serde_json::from_value(revision).ok().map(Arc::new);
            let mut sorted = Snapshot::sort_revisions(&seen.app, revision);
            seen.stored.get_mut(color).append(sorted.get_mut(color));
        }
        // It is created by another verb.
        Object::Job => {}
    }
}

fn create_job(seen: &mut Snapshot, body: &Value) {
    let job = serde_json::from_value(body.clone()).ok().map(Arc::new);
    seen.jobs.get_or_insert_default().extend(job);
}

fn delete_job(seen: &mut Snapshot, name: &str) {
    if let Some(jobs) = &mut seen.jobs {
        jobs.retain(|job| job.metadata.name.as_deref() != Some(name));
    }
}

/// Deletes an object; the EndpointSlices of a Service go with it.
fn delete(seen: &mut Snapshot, object: Object) {
    match object {
        Object::Service => {
            seen.service = None;
            seen.live_slices.clear();
        }
        Object::Preview => seen.preview = None,
        Object::ColorService(color) => {
            *seen.color_services.get_mut(color) = None;
            seen.color_slices.get_mut(color).clear();
        }
        Object::Deployment(color) => *seen.deployments.get_mut(color) = None,
        Object::Revision { color, number } => {
            seen.stored.get_mut(color).retain(|read| read.stored.number != number);
        }
        // It is deleted by its own name.
        Object::Job => {}
    }
}

/// Server-side apply, as far as it matters here: what is declared gets its value, and the rest stays.
fn put<K: Serialize + DeserializeOwned>(slot: &mut Option<Arc<K>>, body: &Value) {
    let mut object =
        slot.as_ref().and_then(|object| serde_json::to_value(object.as_ref()).ok()).unwrap_or(json!({}));
    // Kubernetes applies a selector as one value, not key by key.
    if body.pointer("/spec/selector").is_some()
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("selector");
    }
    object.merge_from(body.clone());
    *slot = serde_json::from_value(object).ok().map(Arc::new);
}
