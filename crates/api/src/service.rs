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
    validation = rules::SOURCE_RANGES_TYPE,
    validation = rules::ALLOCATE_NODE_PORTS_TYPE,
    validation = rules::AFFINITY_CONFIG_NEEDS_CLIENT_IP,
    validation = rules::TWO_FAMILIES_NEED_A_POLICY,
    validation = rules::IP_FAMILIES_STAY,
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

    /// Labels of the live Service, beside the operator's. Keys that start with `bluegreen.dev/` are the operator's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = rules::RESERVED_KEYS, validation = rules::LABEL_SYNTAX, validation = rules::OPERATORS_LABELS)]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = { "type": "string", "maxLength": 63 }))]
    pub labels: BTreeMap<String, String>,

    /// `Cluster` (Kubernetes' default) or `Local`, which keeps client addresses. Only with type
    /// `NodePort` or `LoadBalancer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,

    /// `Cluster` or `Local`, by which clients in the cluster reach only pods of their own node. Default: Kubernetes', `Cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_traffic_policy: Option<TrafficPolicy>,

    /// Which pods clients reach rather than others, as in core/v1: `PreferClose`, or from Kubernetes 1.34 on `PreferSameZone` or
    /// `PreferSameNode`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<TrafficDistribution>,

    /// `None` (Kubernetes' default) or `ClientIP`, which sends a client to the same pod for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,

    /// For how long a client keeps its pod. Only with `sessionAffinity: ClientIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity_config: Option<SessionAffinityConfig>,

    /// `SingleStack`, `PreferDualStack` or `RequireDualStack`: how many address families the Services have. Default: Kubernetes',
    /// `SingleStack`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<IpFamilyPolicy>,

    /// The address families of the Services, the first one first. Only when the app is created: Kubernetes does not change the
    /// first one later. Default: the cluster's first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(validation = rules::IP_FAMILIES_DIFFER)]
    pub ip_families: Vec<IpFamily>,

    /// The addresses from which the load balancer lets clients in, such as `192.0.2.0/24`. Only with type `LoadBalancer`. Default
    /// all; or, if somebody has limited them on the Service itself, as they are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 49)))]
    #[x_kube(validation = rules::SOURCE_RANGE_SYNTAX)]
    pub load_balancer_source_ranges: Vec<String>,

    /// Whether the load balancer gets ports on the nodes. Only with type `LoadBalancer`. Default: Kubernetes', true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocate_load_balancer_node_ports: Option<bool>,

    /// Which load balancer implementation to use. Only with type `LoadBalancer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub load_balancer_class: Option<String>,

    /// Keeps a Service `NAME-preview` that selects the color that is not live, and follows each switch. No switch waits for it.
    /// Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,

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

/// For how long a client keeps its pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionAffinityConfig {
    /// With `sessionAffinity: ClientIP`.
    #[serde(default, rename = "clientIP", skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<ClientIpConfig>,
}

/// For how long the connections of one address reach the same pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientIpConfig {
    /// Seconds since the last connection, 1 to 86400. Default: Kubernetes', 10800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: Option<i32>,
}

/// How many address families a Service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum IpFamilyPolicy {
    /// One.
    SingleStack,
    /// Two where the cluster has two.
    PreferDualStack,
    /// Two.
    RequireDualStack,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum IpFamily {
    /// IPv4.
    IPv4,
    /// IPv6.
    IPv6,
}

/// Which pods clients reach rather than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum TrafficDistribution {
    /// Those in the client's zone.
    PreferClose,
    /// Those in the client's zone.
    PreferSameZone,
    /// Those on the client's node, then those in its zone.
    PreferSameNode,
}
