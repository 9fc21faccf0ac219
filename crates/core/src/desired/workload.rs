//! The Deployment of one color.

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Map, Value, json};

use super::metadata::metadata;
use super::{Stored, common, names, rollout};
use bluegreen_api::{BlueGreenApp, Color};

/// Returns the server-side apply body of the Deployment `NAME-COLOR`, built from the stored revision.
///
/// How it is rolled out follows the spec of the app, because that changes no pod.
///
/// `replicas` is the number of pods, and `fence` is the fencing token as a label value. The token is only in a label
/// of the Deployment: in the pod template it would roll the pods, and as an annotation it would change
/// `metadata.generation`.
#[must_use]
pub fn deployment(app: &BlueGreenApp, color: Color, stored: &Stored, replicas: i32, fence: &str) -> Value {
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let number = stored.number.to_string();
    let mut spec = stored.rendered.deployment.clone();
    let selector = [(names::APP, name), (names::COLOR, color.as_str())];
    // These labels come after those of the template. If the pods did not match the selector, the API server would
    // refuse the Deployment, and without the revision's number nobody could tell which pods they are.
    for (key, value) in selector.iter().chain(&[(names::REVISION, number.as_str())]) {
        set(&mut spec, &["template", "metadata", "labels", key], json!(value));
    }
    if let Value::Object(fields) = rollout(&app.spec) {
        for (field, value) in fields {
            set(&mut spec, &[&field], value);
        }
    }
    set(&mut spec, &["replicas"], json!(replicas));
    // A Deployment that somebody has paused would never be rolled out. Pausing is for `spec.paused` of the app.
    set(&mut spec, &["paused"], json!(false));
    set(&mut spec, &["selector"], json!({"matchLabels": {(names::APP): name, (names::COLOR): color}}));
    let mut metadata = metadata(
        app,
        &names::deployment_name(name, color),
        &[
            (names::COLOR, color.as_str()),
            (names::REVISION, &number),
            (names::BLOCK, &stored.rendered.block),
            (names::INPUTS, &stored.rendered.inputs),
            (names::FENCE, fence),
        ],
    );
    common::add_to_deployment(&mut metadata, app);
    let mut body = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata });
    // In `json!`, it would be copied once more.
    set(&mut body, &["spec"], spec);
    body
}

/// Returns the number of the revision that the pod template names.
#[must_use]
pub fn running_revision(deployment: &Deployment) -> Option<i64> {
    let template = deployment.spec.as_ref()?.template.metadata.as_ref()?;
    names::revision_number(template.labels.as_ref()?.get(names::REVISION)?)
}

/// Sets a field, and creates the objects on the path to it.
fn set(value: &mut Value, path: &[&str], to: Value) {
    let Some((key, rest)) = path.split_first() else {
        *value = to;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    set(&mut value[*key], rest, to);
}
