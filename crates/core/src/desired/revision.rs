//! What a color runs, kept in a ControllerRevision so that it never has to be rendered again.
//!
//! The hashes are of the *inputs*, never of the rendered output: an operator upgrade that renders
//! differently must not roll anybody's pods.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use kube::ResourceExt;
use serde::Serialize;
use serde_json::{Value, json};

use super::canonical::short_hash;
use super::metadata::metadata;
use super::names;
use super::template::{Inputs, pod_template};
use bluegreen_api::{BlueGreenApp, BlueGreenAppSpec, Color};

/// Old ReplicaSets that a Deployment keeps. Going back needs none, the revisions hold everything;
/// two help a person who looks for what happened.
const REVISION_HISTORY_LIMIT: i32 = 2;

/// What a color's block and the shared fields come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Hash of the color's own block: a change of it is what makes a new revision.
    pub block: String,
    /// Hash of everything that the rendering reads.
    pub inputs: String,
    /// `minReadySeconds`, `progressDeadlineSeconds`, `revisionHistoryLimit`, `strategy` and `template`
    /// of the Deployment.
    pub deployment: Value,
}

/// A revision as read back from the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Monotonic per color.
    pub number: i64,
    /// What it holds.
    pub rendered: Rendered,
}

impl Stored {
    /// The image that the container `app` runs; `None` only in a damaged revision.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.app_container()?.get("image")?.as_str()
    }

    fn app_container(&self) -> Option<&Value> {
        let containers = self.rendered.deployment.pointer("/template/spec/containers")?.as_array()?;
        containers.iter().find(|container| container["name"] == bluegreen_api::APP_CONTAINER)
    }
}

/// A ControllerRevision that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// It has no data.
    #[error("has no data")]
    Empty,
    /// A part of its data is missing or has the wrong type.
    #[error("`{0}` is missing or has the wrong type")]
    Field(&'static str),
}

/// Short hash of the color's own block; `None` when there is none.
#[must_use]
pub fn block_hash(spec: &BlueGreenAppSpec, color: Color) -> Option<String> {
    Some(short_hash(&as_json(spec.color(color)?)))
}

/// Short hash of everything that the rendering of that color reads; `None` when it has no block, or
/// no image.
#[must_use]
pub fn inputs_hash(spec: &BlueGreenAppSpec, color: Color) -> Option<String> {
    // Without `..`: a new field of the spec must be sorted into "the pods depend on it" or "they don't".
    // One that comes in a later release is added here only where it differs from its default, or that
    // release would change everybody's hashes.
    let BlueGreenAppSpec {
        port,
        port_name,
        readiness_probe,
        template,
        min_ready_seconds,
        progress_deadline_seconds,
        drain_seconds,
        max_surge,
        // Through `image_of` and `color`.
        image: _,
        blue: _,
        green: _,
        // The pods don't depend on these.
        active: _,
        replicas: _,
        standby: _,
        app_protocol: _,
        service: _,
        active_update_policy: _,
        paused: _,
    } = spec;
    Some(short_hash(&json!({
        "block": as_json(spec.color(color)?),
        "image": spec.image_of(color)?,
        "port": port,
        "portName": port_name,
        "readinessProbe": as_json(readiness_probe),
        "template": as_json(template),
        "minReadySeconds": min_ready_seconds,
        "progressDeadlineSeconds": progress_deadline_seconds,
        "drainSeconds": drain_seconds,
        "maxSurge": as_json(max_surge),
    })))
}

/// Renders one color; `None` when it has no block, or no image.
#[must_use]
pub fn render(app: &BlueGreenApp, color: Color) -> Option<Rendered> {
    let spec = &app.spec;
    let template = pod_template(Inputs {
        app: app.metadata.name.as_deref().unwrap_or_default(),
        color,
        image: spec.image_of(color)?,
        env: &spec.color(color)?.env,
        port: spec.port,
        port_name: &spec.port_name,
        probe: &spec.readiness_probe,
        overlay: spec.template.as_ref(),
        drain_seconds: spec.drain_seconds,
    });
    Some(Rendered {
        block: block_hash(spec, color)?,
        inputs: inputs_hash(spec, color)?,
        deployment: json!({
            "minReadySeconds": spec.min_ready_seconds,
            "progressDeadlineSeconds": spec.progress_deadline_seconds,
            "revisionHistoryLimit": REVISION_HISTORY_LIMIT,
            // Pods are never taken away before new ones are ready.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": as_json(&spec.max_surge), "maxUnavailable": 0},
            },
            "template": as_json(&template),
        }),
    })
}

/// The rendering that a Deployment runs, for a stored revision that was lost; with the hashes of the spec that it was
/// rendered from, so that an edit that came meanwhile is still seen as one. Only a Deployment that was handed over does
/// not carry them: then the spec is taken as unchanged, since a color's pods change only on evidence.
#[must_use]
pub fn recover(app: &BlueGreenApp, color: Color, running: &Deployment) -> Option<Rendered> {
    let Value::Object(mut deployment) = as_json(&running.spec) else { return None };
    // What a rendering never holds: the size, and what a person may set by the way.
    for undeclared in ["replicas", "selector", "paused"] {
        deployment.remove(undeclared);
    }
    let label = |key: &str| running.labels().get(key).cloned();
    Some(Rendered {
        block: label(names::BLOCK).or_else(|| block_hash(&app.spec, color)).unwrap_or_default(),
        inputs: label(names::INPUTS).or_else(|| inputs_hash(&app.spec, color)).unwrap_or_default(),
        deployment: Value::Object(deployment),
    })
}

/// Server-side apply body of the ControllerRevision `NAME-COLOR-NUMBER`.
#[must_use]
pub fn revision(app: &BlueGreenApp, color: Color, number: i64, rendered: &Rendered) -> Value {
    let Rendered { block, inputs, deployment } = rendered;
    let name = app.metadata.name.as_deref().unwrap_or_default();
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata(app, &names::revision_name(name, color, number), &[
            (names::COLOR, color.as_str()),
        ]),
        "revision": number,
        "data": {"block": block, "inputs": inputs, "deployment": deployment},
    })
}

/// Reads a revision back.
///
/// # Errors
/// [`RevisionError`] when the object was not written by [`revision`], or was damaged.
pub fn stored(revision: &ControllerRevision) -> Result<Stored, RevisionError> {
    let data = &revision.data.as_ref().ok_or(RevisionError::Empty)?.0;
    let text = |key: &str, name| {
        data.get(key).and_then(Value::as_str).map(str::to_owned).ok_or(RevisionError::Field(name))
    };
    let stored = Stored {
        number: revision.revision,
        rendered: Rendered {
            block: text("block", "data.block")?,
            inputs: text("inputs", "data.inputs")?,
            deployment: data.get("deployment").cloned().ok_or(RevisionError::Field("data.deployment"))?,
        },
    };
    // What everything else relies on: a template with the application in it.
    match stored.image() {
        Some(_) => Ok(stored),
        None => Err(RevisionError::Field("data.deployment.template")),
    }
}

/// Nothing in these types can fail to be written as JSON (no maps with other keys than text); `null`
/// in the impossible case keeps this total.
fn as_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
