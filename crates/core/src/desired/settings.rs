//! The fields of the spec that say how a color is rolled out and for how long it drains. No pod is replaced for them.

use serde_json::{Value, json};

use super::canonical::as_json;
use bluegreen_api::BlueGreenAppSpec;

/// The shared fields whose edit makes no revision.
///
/// All but `drainSeconds` are fields of the Deployment. The pods' default grace period and `preStop` sleep are made from
/// `drainSeconds`. They guard a pod that is deleted at another time than after the drain, so they wait for the color's
/// next revision: replacing every pod would cost more.
pub(super) struct Timing {
    pub min_ready_seconds: Value,
    pub progress_deadline_seconds: Value,
    pub drain_seconds: Value,
    pub max_surge: Value,
}

impl Timing {
    /// Returns the fields as the spec has them now.
    pub(super) fn of(spec: &BlueGreenAppSpec) -> Self {
        Self {
            min_ready_seconds: json!(spec.min_ready_seconds),
            progress_deadline_seconds: json!(spec.progress_deadline_seconds),
            drain_seconds: json!(spec.drain_seconds),
            max_surge: as_json(&spec.max_surge),
        }
    }

    /// Returns the fields as they were when this Deployment was rendered. What it does not say counts as unchanged.
    pub(super) fn rendered(deployment: &Value, drain_seconds: Option<i32>, spec: &BlueGreenAppSpec) -> Self {
        let now = Self::of(spec);
        let field = |pointer: &str| deployment.pointer(pointer).cloned();
        Self {
            // The API server drops a zero, so one that was recovered does not say it.
            min_ready_seconds: field("/minReadySeconds").unwrap_or(json!(0)),
            progress_deadline_seconds: field("/progressDeadlineSeconds")
                .unwrap_or(now.progress_deadline_seconds),
            drain_seconds: drain_seconds.map_or(now.drain_seconds, |seconds| json!(seconds)),
            max_surge: field("/strategy/rollingUpdate/maxSurge").unwrap_or(now.max_surge),
        }
    }
}

/// Returns the part of a Deployment's spec that says how it is rolled out. It follows the app's spec, whatever revision the
/// Deployment runs.
pub fn rollout(spec: &BlueGreenAppSpec) -> Value {
    json!({
        "minReadySeconds": spec.min_ready_seconds,
        "progressDeadlineSeconds": spec.progress_deadline_seconds,
        // No pod is removed before a new one is ready.
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": as_json(&spec.max_surge), "maxUnavailable": 0},
        },
    })
}

/// Removes what [`rollout`] declares from a Deployment's body.
pub fn without_rollout(mut deployment: Value, spec: &BlueGreenAppSpec) -> Value {
    let rollout = rollout(spec);
    if let Some(fields) = deployment.get_mut("spec").and_then(Value::as_object_mut) {
        fields.retain(|field, _| rollout.get(field).is_none());
    }
    deployment
}
