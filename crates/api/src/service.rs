//! The live Service, as far as a person decides it.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExtraPort, rules};

/// The Service that clients use; it has the app's name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::NODE_PORT_TYPE,
    validation = rules::TRAFFIC_POLICY_TYPE,
    validation = rules::LOAD_BALANCER_CLASS_TYPE,
    validation = rules::EXTRA_NODE_PORT_TYPE,
    validation = rules::EXTRA_NODE_PORTS_DIFFER
)]
pub struct ServiceSpec {
    /// `NodePort` (default), `ClusterIP` or `LoadBalancer`.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,

    /// Port that clients connect to, 1 to 65535. Default: `spec.port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// Port on every node, within the cluster's range (usually 30000 to 32767). Default: the cluster
    /// chooses. Not with type `ClusterIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub node_port: Option<i32>,

    /// Annotations of the live Service, for load balancers and the like. Keys that start with
    /// `bluegreen.dev/` are the operator's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = rules::RESERVED_KEYS)]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,

    /// `Cluster` (Kubernetes' default) or `Local`, which keeps client addresses. Only with type
    /// `NodePort` or `LoadBalancer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,

    /// `None` (Kubernetes' default) or `ClientIP`, which sends a client to the same pod for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,

    /// Which load balancer implementation to use. Only with type `LoadBalancer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub load_balancer_class: Option<String>,

    /// More ports of the Services, beside the app's own: of the live Service and of each color's. A color is selected only
    /// if its EndpointSlices list its pods with each of them. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 8))]
    pub extra_ports: Vec<ExtraPort>,
}

/// How the Service is reachable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum ServiceType {
    /// From inside the cluster only.
    ClusterIP,
    /// Also on a port of every node.
    #[default]
    NodePort,
    /// Also through a load balancer of the platform.
    LoadBalancer,
}

impl ServiceType {
    /// As Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ServiceType::ClusterIP => "ClusterIP",
            ServiceType::NodePort => "NodePort",
            ServiceType::LoadBalancer => "LoadBalancer",
        }
    }
}

/// Where traffic from outside may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum TrafficPolicy {
    /// To pods on any node.
    Cluster,
    /// Only to pods on the node that received it; client addresses are kept.
    Local,
}

/// Whether a client keeps its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum SessionAffinity {
    /// Every connection may reach another pod.
    None,
    /// Connections of one address reach the same pod for a while.
    ClientIP,
}
