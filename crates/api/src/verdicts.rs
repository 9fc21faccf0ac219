//! What the operator reports of checks.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckTime, Color};

/// What a check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum CheckResult {
    /// Nothing yet.
    Running,
    /// The color is good.
    Passed,
    /// The color is bad.
    Failed,
    /// It can't tell: the message says why. That never moves traffic.
    Inconclusive,
}

impl CheckResult {
    /// The check is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Running => false,
            Self::Passed | Self::Failed | Self::Inconclusive => true,
        }
    }

    /// As it is spelled in the status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::Inconclusive => "Inconclusive",
        }
    }
}

/// One check of the newest switch that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckStatus {
    /// Name of the check.
    pub name: String,
    /// Whether it gates the switch or guards it.
    pub when: CheckTime,
    /// The color that it is about.
    pub color: Color,
    /// Number of the color's revision that it is about.
    pub revision: i64,
    /// The `status.switch.generation` of the switch that it belongs to.
    #[serde(default)]
    pub generation: i64,
    /// Hash of what the check asks.
    pub hash: String,
    /// Name of its Job; absent until there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// How many Jobs it has had: 2 if the first was deleted before its verdict.
    #[serde(default)]
    pub attempts: i32,
    /// What it has found.
    pub result: CheckResult,
    /// When the operator began it.
    pub started_at: Time,
    /// When the operator saw the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// What the verdict rests on, or what the check waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// What was tried and refused by a check. It is not tried again until `spec.active`, that color's block or the checks
/// change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The color.
    pub color: Color,
    /// Number of its revision.
    pub revision: i64,
    /// Hash of the color's block.
    pub block: String,
    /// Hash of the checks.
    pub checks: String,
    /// The `status.switch.generation` of the switch.
    #[serde(default)]
    pub generation: i64,
    /// Name of the check.
    pub check: String,
    /// Whether it gated the switch or guarded it.
    pub when: CheckTime,
    /// What it found.
    pub result: CheckResult,
    /// What that rests on.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When the operator saw it.
    pub at: Time,
}

/// Why the Service was pointed at a color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum Cause {
    /// `spec.active` asked for it.
    #[default]
    Spec,
    /// A check failed after the switch before it.
    Check,
}

impl Cause {
    /// It is the usual one, which is left out.
    #[must_use]
    pub fn is_spec(&self) -> bool {
        *self == Self::Spec
    }
}
