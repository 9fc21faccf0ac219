//! What limits who can reach a load balancer, where somebody else has set it on the Service itself. A Service is never created
//! again less guarded than it was.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::owners;
use bluegreen_api::{BlueGreenApp, ServiceGuards};

/// Parts of the keys by which clouds and controllers limit who reaches a load balancer, and choose its address: AWS, Google Cloud, Azure,
/// OpenStack and others; Azure's allowed ranges and service tags; the security groups and lists of Oracle and Tencent; MetalLB, Cilium,
/// kube-vip and PureLB. In lower case.
const LOAD_BALANCERS: [&str; 11] = [
    "load-balancer",
    "loadbalancer",
    "azure-allowed",
    "metallb",
    "lbipam",
    "lb-ipam",
    "kube-vip",
    "purelb",
    "security-group",
    "security-list",
    "service.cilium.io",
];

/// Adds what limited who could reach the load balancer.
pub(super) fn guard<'a>(
    spec: &mut Value,
    annotations: &mut BTreeMap<&'a str, String>,
    guards: &'a ServiceGuards,
) {
    let ServiceGuards {
        load_balancer_source_ranges,
        allocate_load_balancer_node_ports,
        load_balancer_class,
        load_balancer_annotations,
    } = guards;
    if !load_balancer_source_ranges.is_empty() && spec["loadBalancerSourceRanges"].is_null() {
        spec["loadBalancerSourceRanges"] = json!(load_balancer_source_ranges);
    }
    if let (Some(allocate), true) =
        (allocate_load_balancer_node_ports, spec["allocateLoadBalancerNodePorts"].is_null())
    {
        spec["allocateLoadBalancerNodePorts"] = json!(allocate);
    }
    if let (Some(class), true) = (load_balancer_class, spec["loadBalancerClass"].is_null()) {
        spec["loadBalancerClass"] = json!(class);
    }
    for (key, value) in load_balancer_annotations {
        annotations.entry(key).or_insert_with(|| value.clone());
    }
}

/// Returns what limits who can reach this Service's load balancer and does not come from the spec.
#[must_use]
pub fn guards(app: &BlueGreenApp, live: &Service) -> ServiceGuards {
    let Some(spec) = live.spec.as_ref().filter(|spec| spec.type_.as_deref() == Some("LoadBalancer")) else {
        return ServiceGuards::default();
    };
    let wanted = &app.spec.service;
    let is_one = |key: &str| {
        let lower = key.to_ascii_lowercase();
        LOAD_BALANCERS.iter().any(|part| lower.contains(part)) && !wanted.annotations.contains_key(key)
    };
    let annotations = live.annotations().iter().filter(|(key, _)| is_one(key));
    let ranges =
        spec.load_balancer_source_ranges.clone().filter(|_| wanted.load_balancer_source_ranges.is_empty());
    let allocates = spec.allocate_load_balancer_node_ports.filter(|allocates| !allocates);
    let class = spec.load_balancer_class.clone();
    ServiceGuards {
        load_balancer_source_ranges: ranges.unwrap_or_default(),
        allocate_load_balancer_node_ports: allocates
            .filter(|_| wanted.allocate_load_balancer_node_ports.is_none()),
        load_balancer_class: class.filter(|_| wanted.load_balancer_class.is_none()),
        load_balancer_annotations: annotations.map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

/// Returns the guards that the operator gave this Service when it was created again, as they are now. It has to declare
/// them for as long as they are there, or its next apply would remove them. They are recorded, since nothing but the record
/// tells them from a field that has left the spec.
#[must_use]
pub fn restored_guards(app: &BlueGreenApp, live: &Service) -> ServiceGuards {
    let recorded = app.status.as_ref().and_then(|status| status.service.as_ref());
    let recorded = recorded.map(|service| service.guards.clone()).unwrap_or_default();
    let owns = |path: &str| owners::owns(live.managed_fields(), path);
    let mut guards = guards(app, live);
    if recorded.load_balancer_source_ranges.is_empty() || !owns("spec.loadBalancerSourceRanges") {
        guards.load_balancer_source_ranges.clear();
    }
    if recorded.allocate_load_balancer_node_ports.is_none() || !owns("spec.allocateLoadBalancerNodePorts") {
        guards.allocate_load_balancer_node_ports = None;
    }
    if recorded.load_balancer_class.is_none() || !owns("spec.loadBalancerClass") {
        guards.load_balancer_class = None;
    }
    guards.load_balancer_annotations.retain(|key, _| {
        recorded.load_balancer_annotations.contains_key(key) && owns(&format!("metadata.annotations.{key}"))
    });
    guards
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_guards_a_load_balancer_is_known_by_its_key() {
        let app = json!({
            "metadata": {"name": "hello"},
            "spec": {"active": "blue", "image": "hello", "port": 1, "blue": {"tag": "v1"}},
        });
        let app = serde_json::from_value(app).unwrap();
        let keys = [
            "service.beta.kubernetes.io/aws-load-balancer-internal",
            "networking.gke.io/load-balancer-type",
            "loadbalancer.openstack.org/network-id",
            "service.beta.kubernetes.io/azure-allowed-ip-ranges",
            "metallb.universe.tf/address-pool",
            "lbipam.cilium.io/ips",
            "io.cilium/lb-ipam-ips",
            "kube-vip.io/loadbalancerIPs",
            "purelb.io/service-group",
            "oci.oraclecloud.com/oci-network-security-groups",
            "oci.oraclecloud.com/security-list-management-mode",
            "service.cloud.tencent.com/security-groups",
            "service.cilium.io/src-ranges-policy",
        ];
        for key in keys.into_iter().chain(["team"]) {
            let service = json!({
                "metadata": {"annotations": {(key): "a"}}, "spec": {"type": "LoadBalancer"},
            });
            let kept = guards(&app, &serde_json::from_value(service).unwrap());
            assert_eq!(kept.load_balancer_annotations.contains_key(key), key != "team", "{key}");
        }
    }
}
