//! The `metadata` of every child.

use std::collections::BTreeMap;

use kube::Resource;
use serde_json::{Map, Value, json};

use super::names;
use bluegreen_api::BlueGreenApp;

/// Returns the name, namespace, owner and labels of a child.
///
/// The app's own labels and annotations are not copied: a GitOps tool would take the child for one of its own
/// objects, and prune it.
pub(super) fn metadata(app: &BlueGreenApp, name: &str, labels: &[(&str, &str)]) -> Value {
    let app_name = app.metadata.name.as_deref().unwrap_or_default();
    let mut all = Map::new();
    for (key, value) in
        [(names::APP, app_name), (names::KUBE_NAME, app_name), (names::KUBE_MANAGED_BY, names::MANAGER)]
            .iter()
            .chain(labels)
    {
        all.insert((*key).to_owned(), json!(value));
    }
    let mut metadata = json!({"name": name, "labels": all});
    if let Some(namespace) = &app.metadata.namespace {
        metadata["namespace"] = json!(namespace);
    }
    // An app that is not in a cluster yet (`kubectl bluegreen plan` without one) has no uid, so it can't own
    // anything.
    if let Some(uid) = &app.metadata.uid {
        metadata["ownerReferences"] = json!([{
            "apiVersion": BlueGreenApp::api_version(&()),
            "kind": BlueGreenApp::kind(&()),
            "name": app_name,
            "uid": uid,
            "controller": true,
            // `blockOwnerDeletion` is left out. With the admission plugin OwnerReferencesPermissionEnforcement, it
            // would need the right to update the app's finalizers. It only makes a foreground deletion of the app
            // wait for its children, which nothing here needs.
        }]);
    }
    metadata
}

/// Adds labels of the spec. Those of the operator stay as they are.
pub(super) fn add_labels(metadata: &mut Value, labels: &BTreeMap<String, String>) {
    if let Some(all) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        for (key, value) in labels {
            all.entry(key).or_insert_with(|| json!(value));
        }
    }
}
