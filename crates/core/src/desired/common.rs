//! `spec.commonMetadata` on the objects that the operator makes.
//!
//! Nothing is ever copied from the app's own labels and annotations: a GitOps tool would take the object for one of its own. And
//! nothing of it is on the pods, which change by the rule of their color alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::canonical::short_hash;
use super::names;
use bluegreen_api::{BlueGreenApp, CommonMetadata};

/// Returns `spec.commonMetadata`, or `None` if there is nothing in it.
pub(super) fn of(app: &BlueGreenApp) -> Option<&CommonMetadata> {
    app.spec.common_metadata.as_ref().filter(|common| !common.is_empty())
}

/// Adds it to the `metadata` of an object. What is there already stays: the operator's own, and what is for this object alone.
pub(super) fn add(metadata: &mut Value, app: &BlueGreenApp) {
    if let Some(CommonMetadata { labels, annotations }) = of(app) {
        add_missing(metadata, "labels", labels);
        add_missing(metadata, "annotations", annotations);
    }
}

/// As [`add`], for a Deployment. A label with the hash tells when something has left the spec: what is not declared any more is
/// not compared. It is a label because an annotation would change the generation.
pub(super) fn add_to_deployment(metadata: &mut Value, app: &BlueGreenApp) {
    add(metadata, app);
    if let Some(hash) = hash(app) {
        metadata["labels"][names::COMMON] = json!(hash);
    }
}

/// Returns what the hash of a Service's declaration has to cover besides its `spec`.
pub(super) fn hash(app: &BlueGreenApp) -> Option<String> {
    of(app).map(|common| short_hash(&json!(common)))
}

/// Removes from a Deployment's body what [`add_to_deployment`] has added.
#[must_use]
pub fn without_common(mut deployment: Value, app: &BlueGreenApp) -> Value {
    let Some(CommonMetadata { labels, annotations }) = of(app) else { return deployment };
    let own = [names::KUBE_NAME, names::KUBE_MANAGED_BY];
    let is_own = |key: &str| key.starts_with(bluegreen_api::rules::RESERVED_PREFIX) || own.contains(&key);
    for (field, given) in [("labels", labels), ("annotations", annotations)] {
        if let Some(all) = deployment["metadata"].get_mut(field).and_then(Value::as_object_mut) {
            all.retain(|key, _| key != names::COMMON && (is_own(key) || !given.contains_key(key)));
        }
    }
    deployment
}

/// Returns the `metadata` that a Deployment has because of it. A null says that the label must not be there.
#[must_use]
pub fn of_deployment(app: &BlueGreenApp) -> Value {
    let mut metadata = json!({ "labels": { (names::COMMON): null } });
    add_to_deployment(&mut metadata, app);
    metadata
}

fn add_missing(metadata: &mut Value, field: &str, given: &BTreeMap<String, String>) {
    if given.is_empty() {
        return;
    }
    if !metadata[field].is_object() {
        metadata[field] = json!({});
    }
    if let Some(all) = metadata.get_mut(field).and_then(Value::as_object_mut) {
        for (key, value) in given {
            all.entry(key).or_insert_with(|| json!(value));
        }
    }
}
