//! Labels and annotations for everything that the operator makes for an app.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// Labels and annotations for everything that the operator makes for the app, but not for its pods.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommonMetadata {
    /// Labels for the Services, Deployments and ControllerRevisions. The operator's own keys are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = rules::RESERVED_KEYS, validation = rules::LABEL_SYNTAX, validation = rules::OPERATORS_LABELS)]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = { "type": "string", "maxLength": 63 }))]
    pub labels: BTreeMap<String, String>,

    /// Annotations for the Services, Deployments and ControllerRevisions. The operator's own keys are refused, and those by
    /// which `kubectl apply` and the Deployment controller keep their own records.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = rules::RESERVED_KEYS, validation = rules::ANNOTATION_SYNTAX, validation = rules::OTHERS_ANNOTATIONS)]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    pub annotations: BTreeMap<String, String>,
}

impl CommonMetadata {
    /// Returns true if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { labels, annotations } = self;
        labels.is_empty() && annotations.is_empty()
    }
}
