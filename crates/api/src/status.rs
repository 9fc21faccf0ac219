//! `status`: what the operator reports. It never decides anything by itself.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, CheckStatus, Color, Rejection};

/// Condition: the color in `spec.active` is live and fully ready at this generation.
pub const READY: &str = "Ready";
/// Condition: the idle color could be switched to.
pub const STANDBY_READY: &str = "StandbyReady";
/// Condition: work that the spec asked for is under way; present only while True.
pub const RECONCILING: &str = "Reconciling";
/// Condition: no progress will come without a change; present only while True.
pub const STALLED: &str = "Stalled";

/// The reasons of `Stalled` that the operator reports only when none of its earlier writes can still take effect.
const SETTLED: [&str; 5] = ["FenceConflict", "InvalidSpec", "LiveColorEditHeld", "Paused", "TwoOperators"];

/// What the operator last observed and did.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct BlueGreenAppStatus {
    /// The `metadata.generation` that this status is about; -1 before the operator has seen the app.
    #[serde(default = "unseen")]
    pub observed_generation: i64,

    /// The live color, as the operator last pointed the Service at it. An edit of the Service by hand does
    /// not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Color>,

    /// Blue's pods; absent when blue has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue: Option<ColorStatus>,

    /// Green's pods; absent when green has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub green: Option<ColorStatus>,

    /// Label selector of the live color's pods, for the scale subresource.
    #[serde(default)]
    pub selector: String,

    /// Pods of the live color, for the scale subresource.
    #[serde(default)]
    pub replicas: i32,

    /// Pods of the live color that should be available: as many as have been at once, but never more than
    /// `spec.replicas`. With fewer, `Ready` is False with the reason `LiveNotReady`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_healthy: Option<i32>,

    /// The state of the app, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,

    /// The switch that is under way, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<SwitchStatus>,

    /// The checks of the newest switch that was checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 8))]
    pub checks: Vec<CheckStatus>,

    /// What a check has refused, while the spec still asks for exactly that. The other color is kept live, or made live
    /// again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejection>,

    /// Addresses of the live Service; a Service that was deleted is created again with the same ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceStatus>,

    /// The last ten switches, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub history: Vec<HistoryEntry>,

    /// `Ready`, `StandbyReady`, and, while they hold, `Reconciling` or `Stalled`.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl BlueGreenAppStatus {
    /// The report about one color.
    #[must_use]
    pub const fn color(&self, color: Color) -> Option<&ColorStatus> {
        match color {
            Color::Blue => self.blue.as_ref(),
            Color::Green => self.green.as_ref(),
        }
    }

    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// Returns true if nothing was under way when this status was written, and no earlier write of the operator could still
    /// take effect.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let stalled = self.condition(STALLED);
        self.condition(RECONCILING).is_none()
            && stalled.is_none_or(|stalled| SETTLED.contains(&stalled.reason.as_str()))
    }
}

/// The status of an app that nobody has looked at yet.
impl Default for BlueGreenAppStatus {
    fn default() -> Self {
        Self {
            observed_generation: unseen(),
            active: None,
            blue: None,
            green: None,
            selector: String::new(),
            replicas: 0,
            desired_healthy: None,
            phase: None,
            switch: None,
            checks: Vec::new(),
            rejected: None,
            service: None,
            history: Vec::new(),
            conditions: Vec::new(),
        }
    }
}

/// One color's pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub struct ColorStatus {
    /// The image that this color's pods run.
    #[serde(default)]
    pub image: String,

    /// Number of the stored revision that the pods run; the ControllerRevision is `NAME-COLOR-NUMBER`.
    #[serde(default)]
    pub revision: i64,

    /// Number of this color's revision that was live last; absent when this color was never live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_revision: Option<i64>,

    /// Number of this color's revision that was live, or is about to be, and whose checks after the switch are not over, or of
    /// which one has failed. A switch to it is checked again, and the operator does not switch back to it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven_revision: Option<i64>,

    /// Pods that exist.
    #[serde(default)]
    pub replicas: i32,

    /// Pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,

    /// Ready endpoints behind this color's own Service.
    #[serde(default)]
    pub endpoints: i32,

    /// The image of an edit that is held until this color is idle; absent when none is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,

    /// When somebody restarted this color's Deployment by hand (`kubectl rollout restart`), as it is noted there; absent
    /// since the next revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_at: Option<String>,
}

/// Where an app stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum Phase {
    /// The target, or the idle color, is being brought up; nothing has moved.
    Preparing,
    /// Checks run: before the switch, or after it.
    Checking,
    /// The Service is being moved.
    Switching,
    /// The Service has moved; the old color finishes its requests.
    Draining,
    /// Everything is as asked.
    Stable,
    /// No progress will come without a change; the condition `Stalled` says which.
    Stalled,
    /// The operator was told to change nothing but the size of the live color.
    Paused,
}

/// Where clients reach the live Service, and what keeps others out of its load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Its address inside the cluster.
    #[serde(default, rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// Its port on every node, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_port: Option<i32>,
    /// The ports on every node of `spec.service.extraPorts`, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_node_ports: BTreeMap<String, i32>,
    /// The port on every node where a load balancer asks whether the node has pods, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_node_port: Option<i32>,
    /// The fields of a Service of type LoadBalancer that limit who can reach it, as somebody else set them.
    #[serde(flatten)]
    pub guards: ServiceGuards,
}

/// What limits who can reach a Service of type LoadBalancer, beside what the app's spec declares. A Service that was
/// deleted is created again with all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceGuards {
    /// The addresses from which clients are let in; all if it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_balancer_source_ranges: Vec<String>,
    /// False if the load balancer needs no port on the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocate_load_balancer_node_ports: Option<bool>,
    /// The kind of load balancer, for example an internal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// The annotations for the load balancer, for example that it is an internal one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub load_balancer_annotations: BTreeMap<String, String>,
}

/// A switch that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub struct SwitchStatus {
    /// The color that was live when it started; absent for the first activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Color>,
    /// The color to switch to.
    pub to: Color,
    /// When the operator first saw the request.
    pub started_at: Time,
    /// The `metadata.generation` that asked for it, or that ended the last pause since. Verdicts of checks are about this
    /// number.
    #[serde(default)]
    pub generation: i64,
    /// The most pods of the color `to` that have been available at once since then.
    #[serde(default)]
    pub available_replicas: i32,
    /// When one more pod of the color `to` last became available; absent while none has. The time without progress, which
    /// `spec.progressDeadlineSeconds` limits, counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progressed_at: Option<Time>,
    /// How much of the drain has passed; absent before the first part of it is over, and in a drain of less than 30 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainStatus>,
}

/// How much of a drain has passed. An operator that takes over goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub struct DrainStatus {
    /// For how many seconds at least no endpoint of the color `from` had been live. It is recorded at each quarter of
    /// `spec.drainSeconds` but the last, and at half of less than a minute.
    pub passed_seconds: i32,
    /// The `metadata.resourceVersion` of the live Service at that time. If the Service has been written since, the drain begins anew.
    pub service_version: String,
}

/// A switch that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The color that was live before; absent for the first activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Color>,
    /// The color that was switched to.
    pub to: Color,
    /// The image that it ran at that moment.
    #[serde(default)]
    pub image: String,
    /// Number of the stored revision that it ran.
    #[serde(default)]
    pub revision: i64,
    /// When the operator first saw the request.
    pub started_at: Time,
    /// When the Service was pointed at that color.
    pub finished_at: Time,
    /// When the drain of the color before was over; absent until then, and where no color was live before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_at: Option<Time>,
    /// The `metadata.generation` that asked for it.
    #[serde(default)]
    pub generation: i64,
    /// Why: absent if `spec.active` asked for it, `Check` if the switch before it was taken back.
    #[serde(default, skip_serializing_if = "Cause::is_spec")]
    pub cause: Cause,
}

const fn unseen() -> i64 {
    -1
}
