//! A check that is a Job with containers of the user's own.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{TemplateMetadata, rules};

/// A Job with containers of your own. Exit code 0: passed. 75, 137 and 143: can't tell, tried again. Any other: failed.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::CHECK_TEMPLATE_RESTART, validation = rules::CHECK_TEMPLATE_LABELS)]
pub struct JobCheck {
    /// As in core/v1 PodTemplateSpec. `restartPolicy` must be Never or absent. The variables BLUEGREEN_APP,
    /// BLUEGREEN_NAMESPACE, BLUEGREEN_COLOR, BLUEGREEN_REVISION, BLUEGREEN_IMAGE, BLUEGREEN_TAG and BLUEGREEN_URL are
    /// added to each container.
    pub template: JobTemplate,
}

/// A pod template. Its fields are checked when the Job is created: their whole schema would not fit into the definition.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobTemplate {
    /// Labels and annotations of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// As in core/v1 PodSpec.
    pub spec: JobPodSpec,
}

/// As in core/v1 PodSpec; only what the rules look at is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct JobPodSpec {
    /// The containers: at least one.
    #[schemars(length(min = 1, max = 32))]
    pub containers: Vec<JobContainer>,
    /// Never, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<String>,
    /// All other fields of a PodSpec.
    #[serde(flatten)]
    #[schemars(skip)]
    pub others: serde_json::Map<String, Value>,
}

/// As in core/v1 Container; only what the rules look at is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct JobContainer {
    /// Name of the container.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The image; absent: that of the color which is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub image: Option<String>,
    /// All other fields of a Container.
    #[serde(flatten)]
    #[schemars(skip)]
    pub others: serde_json::Map<String, Value>,
}
