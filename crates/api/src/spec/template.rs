//! `spec.template`: what the pods have besides what the operator gives them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// An overlay for the pods. The operator adds to it; nothing else is merged.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Labels and annotations of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,

    /// As in core/v1 PodSpec, with `containers` optional. The container named `app` is the base for
    /// the app's own: its `image`, `readinessProbe` and the app's port are set by the operator. Another container or an init
    /// container without `image` runs the image of the color. Each can refer to `$(BLUEGREEN_APP)`, `$(BLUEGREEN_COLOR)`,
    /// `$(BLUEGREEN_IMAGE)` and `$(BLUEGREEN_TAG)` in `env`, `args` and `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = rules::RESTART_POLICY,
        validation = rules::NO_ACTIVE_DEADLINE,
        validation = rules::NO_EPHEMERAL_CONTAINERS,
        validation = rules::APP_NOT_AN_INIT_CONTAINER,
        validation = rules::SIDECAR_IMAGE,
        validation = rules::APP_IMAGE_NOT_IN_TEMPLATE,
        validation = rules::APP_PROBE_NOT_IN_TEMPLATE
    )]
    pub spec: Option<PodSpec>,
}

/// Labels and annotations of the pods.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Labels to add to the pods. Keys that start with `bluegreen.dev/` are the operator's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = rules::RESERVED_KEYS)]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: BTreeMap<String, String>,

    /// Annotations to add to the pods. Keys that start with `bluegreen.dev/` are the operator's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = rules::RESERVED_KEYS)]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}
