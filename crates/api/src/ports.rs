//! The ports of the Services beside the app's own.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// One more port of the Services.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraPort {
    /// Name of the port, at most 15 characters of a-z, 0-9 and '-'. Not that of the app's own port (`spec.portName`).
    #[x_kube(validation = rules::EXTRA_PORT_NAME_SYNTAX)]
    #[schemars(length(min = 1, max = 15))]
    pub name: String,

    /// Port that clients connect to, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// Port of the pods: a number, or the name of a port of any container in `spec.template`. With a name, each color has the
    /// number that its own pods give it. Default: the number in `port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1, "maximum" = 65535, "pattern" = rules::TARGET_PORT_PATTERN))]
    pub target_port: Option<IntOrString>,

    /// `TCP` (default), `UDP` or `SCTP`.
    #[serde(default)]
    pub protocol: Protocol,

    /// Port on every node for the live Service. Default: the cluster chooses. Not with type `ClusterIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub node_port: Option<i32>,

    /// Application protocol, for gateways and meshes, for example `kubernetes.io/h2c`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::EXTRA_APP_PROTOCOL)]
    #[schemars(length(max = 317))]
    pub app_protocol: Option<String>,
}

/// A protocol of the transport layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

impl Protocol {
    /// As Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}
