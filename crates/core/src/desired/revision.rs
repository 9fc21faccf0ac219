//! Revisions: what a color runs, stored in a ControllerRevision, so that it never has to be rendered again.
//!
//! The hashes cover the *inputs* of a rendering, never its output. So an upgrade of the operator that renders
//! differently does not roll anybody's pods.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::canonical::{as_json, short_hash};
use super::covers::covers;
use super::metadata::metadata;
use super::settings::{Timing, rollout};
use super::template::{Inputs, pod_template};
use super::{common, names};
use bluegreen_api::{BlueGreenApp, BlueGreenAppSpec, Color};

/// The number of old ReplicaSets that a Deployment keeps. The operator needs none, because the revisions hold
/// everything. Two help a person who wants to find out what happened.
const REVISION_HISTORY_LIMIT: i32 = 2;

/// The result of rendering a color's block and the shared fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The hash of the color's own block. If it changes, the color gets a new revision.
    pub block: String,
    /// The hash of every field of the spec that the rendering uses.
    pub inputs: String,
    /// `spec.drainSeconds` when it was rendered. It is `None` in a revision of an earlier release, and in one that was
    /// recovered.
    pub drain_seconds: Option<i32>,
    /// `minReadySeconds`, `progressDeadlineSeconds`, `revisionHistoryLimit`, `strategy` and `template`
    /// of the Deployment.
    pub deployment: Value,
}

impl Rendered {
    /// Returns true if a color with this rendering would get the same pods from the spec as it is now.
    ///
    /// The hash covers the fields of [`Timing`], too, as it did in earlier releases. They are no reason to replace pods,
    /// so they are compared as they were when this was rendered.
    #[must_use]
    pub fn has_pods_of(&self, spec: &BlueGreenAppSpec, color: Color) -> bool {
        let then = Timing::rendered(&self.deployment, self.drain_seconds, spec);
        hash(spec, color, &then).as_ref() == Some(&self.inputs)
    }

    /// Returns the path of the first field of the Deployment in which the pods of `other` differ.
    #[must_use]
    pub fn differs_in(&self, other: &Self) -> Option<String> {
        let pods = |rendered: &Self| json!({"spec": {"template": rendered.deployment["template"]}});
        let (these, others) = (pods(self), pods(other));
        let difference = covers(&these, &others).and_then(|()| covers(&others, &these)).err()?;
        Some(difference.path)
    }
}

/// A revision as read back from the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The number of the revision. It grows with each revision of the color.
    pub number: i64,
    /// The stored rendering.
    pub rendered: Rendered,
}

impl Stored {
    /// A revision of which no more is known than its number.
    #[must_use]
    pub const fn unreadable(number: i64) -> Self {
        let rendered = Rendered {
            block: String::new(),
            inputs: String::new(),
            drain_seconds: None,
            deployment: Value::Null,
        };
        Self { number, rendered }
    }

    /// Returns the image of the container `app`. It is `None` only for a damaged revision.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.app_container()?.get("image")?.as_str()
    }

    fn app_container(&self) -> Option<&Value> {
        let containers = self.rendered.deployment.pointer("/template/spec/containers")?.as_array()?;
        containers.iter().find(|container| container["name"] == bluegreen_api::APP_CONTAINER)
    }
}

/// Why a ControllerRevision can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// It has no data.
    #[error("has no data")]
    Empty,
    /// A part of its data is missing or has the wrong type.
    #[error("`{0}` is missing or has the wrong type")]
    Field(&'static str),
}

/// Returns the hash of the color's own block, or `None` if the color has no block.
#[must_use]
pub fn block_hash(spec: &BlueGreenAppSpec, color: Color) -> Option<String> {
    Some(short_hash(&as_json(spec.color(color)?)))
}

/// Returns the hash of every field of the spec that the rendering of this color uses, or `None` if the color has no
/// block or no image.
#[must_use]
pub fn inputs_hash(spec: &BlueGreenAppSpec, color: Color) -> Option<String> {
    hash(spec, color, &Timing::of(spec))
}

fn hash(spec: &BlueGreenAppSpec, color: Color, timing: &Timing) -> Option<String> {
    // There is no `..`, so whoever adds a field to the spec must decide whether the pods depend on it. Add such a
    // field to the hash only if it differs from its default. Otherwise, that release would change the hashes of all
    // apps.
    let BlueGreenAppSpec {
        port,
        port_name,
        readiness_probe,
        template,
        // In `timing`.
        min_ready_seconds: _,
        progress_deadline_seconds: _,
        drain_seconds: _,
        max_surge: _,
        // Read through `image_of` and `color`.
        image: _,
        blue: _,
        green: _,
        // The pods don't depend on these.
        active: _,
        replicas: _,
        standby: _,
        app_protocol: _,
        service: _,
        common_metadata: _,
        active_update_policy: _,
        checks: _,
        paused: _,
    } = spec;
    let Timing { min_ready_seconds, progress_deadline_seconds, drain_seconds, max_surge } = timing;
    let mut inputs = json!({
        "block": as_json(spec.color(color)?),
        "image": spec.image_of(color)?,
        "port": port,
        "portName": port_name,
        "readinessProbe": as_json(readiness_probe),
        "minReadySeconds": min_ready_seconds,
        "progressDeadlineSeconds": progress_deadline_seconds,
        "drainSeconds": drain_seconds,
        "maxSurge": max_surge,
    });
    // In `json!`, it would be copied once more.
    inputs["template"] = as_json(template);
    Some(short_hash(&inputs))
}

/// Renders one color. Returns `None` if it has no block or no image.
#[must_use]
pub fn render(app: &BlueGreenApp, color: Color) -> Option<Rendered> {
    let spec = &app.spec;
    let block = spec.color(color)?;
    let template = pod_template(Inputs {
        app: app.metadata.name.as_deref().unwrap_or_default(),
        color,
        image: spec.image_of(color)?,
        tag: block.tag.as_deref().or(block.digest.as_deref()).unwrap_or_default(),
        env: &block.env,
        port: spec.port,
        port_name: &spec.port_name,
        probe: &spec.readiness_probe,
        overlay: spec.template.as_ref(),
        drain_seconds: spec.drain_seconds,
    });
    let mut deployment = rollout(spec);
    deployment["revisionHistoryLimit"] = json!(REVISION_HISTORY_LIMIT);
    deployment["template"] = as_json(&template);
    Some(Rendered {
        block: block_hash(spec, color)?,
        inputs: inputs_hash(spec, color)?,
        drain_seconds: Some(spec.drain_seconds),
        deployment,
    })
}

/// Returns the rendering that a Deployment runs, to replace a stored revision that was lost.
///
/// The Deployment's labels hold the hashes of the spec that it was rendered from, so an edit that was made meanwhile
/// is still noticed. Only an adopted Deployment does not have them. Then the spec counts as unchanged, because a
/// color's pods must not change without a known edit.
#[must_use]
pub fn recover(app: &BlueGreenApp, color: Color, running: &Deployment) -> Option<Rendered> {
    let Value::Object(mut deployment) = as_json(&running.spec) else { return None };
    // These are not part of a rendering: the size, the selector, and what a person may set in passing.
    for undeclared in ["replicas", "selector", "paused"] {
        deployment.remove(undeclared);
    }
    let label = |key: &str| running.labels().get(key).cloned();
    Some(Rendered {
        block: label(names::BLOCK).or_else(|| block_hash(&app.spec, color)).unwrap_or_default(),
        inputs: label(names::INPUTS).or_else(|| inputs_hash(&app.spec, color)).unwrap_or_default(),
        drain_seconds: None,
        deployment: Value::Object(deployment),
    })
}

/// Returns the server-side apply body of the ControllerRevision `NAME-COLOR-NUMBER`.
#[must_use]
pub fn revision(app: &BlueGreenApp, color: Color, number: i64, rendered: &Rendered) -> Value {
    let Rendered { block, inputs, drain_seconds, deployment } = rendered;
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let mut metadata =
        metadata(app, &names::revision_name(name, color, number), &[(names::COLOR, color.as_str())]);
    common::add(&mut metadata, app);
    let mut data = json!({"block": block, "inputs": inputs, "deployment": deployment});
    if let Some(seconds) = drain_seconds {
        data["drainSeconds"] = json!(seconds);
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "revision": number,
        "data": data,
    })
}

/// Reads a stored revision.
///
/// # Errors
/// [`RevisionError`] if the object was not written by [`revision`], or was damaged.
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
            drain_seconds: data
                .get("drainSeconds")
                .and_then(Value::as_i64)
                .and_then(|seconds| seconds.try_into().ok()),
            deployment: data.get("deployment").cloned().ok_or(RevisionError::Field("data.deployment"))?,
        },
    };
    // Everything else relies on a template that has the container `app`.
    match stored.image() {
        Some(_) => Ok(stored),
        None => Err(RevisionError::Field("data.deployment.template")),
    }
}
