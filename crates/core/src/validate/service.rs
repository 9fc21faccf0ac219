//! The rules about `spec.service`.

use super::{Found, metadata, ports, syntax};
use bluegreen_api::{
    ClientIpConfig, IpFamilyPolicy, ServiceSpec, ServiceType, SessionAffinity, SessionAffinityConfig, rules,
};

pub(super) fn check(found: &mut Found, service: &ServiceSpec) {
    let ServiceSpec {
        type_,
        port,
        node_port,
        annotations,
        labels,
        external_traffic_policy,
        internal_traffic_policy: _,
        traffic_distribution: _,
        session_affinity,
        session_affinity_config,
        ip_family_policy,
        ip_families,
        load_balancer_source_ranges,
        allocate_load_balancer_node_ports,
        load_balancer_class,
        extra_ports: _, // In `ports`.
        preview: _,
    } = service;
    let at = |field: &str| format!("spec.service.{field}");
    let from_outside = match type_ {
        ServiceType::ClusterIP => false,
        ServiceType::NodePort | ServiceType::LoadBalancer => true,
    };
    let balanced = *type_ == ServiceType::LoadBalancer;
    found.port(&at("port"), *port);
    found.port(&at("nodePort"), *node_port);
    found.check(&at("nodePort"), rules::NODE_PORT_TYPE, node_port.is_none() || from_outside);
    found.check(
        &at("externalTrafficPolicy"),
        rules::TRAFFIC_POLICY_TYPE,
        external_traffic_policy.is_none() || from_outside,
    );
    for (field, rule, is_given) in [
        ("loadBalancerClass", rules::LOAD_BALANCER_CLASS_TYPE, load_balancer_class.is_some()),
        ("loadBalancerSourceRanges", rules::SOURCE_RANGES_TYPE, !load_balancer_source_ranges.is_empty()),
        (
            "allocateLoadBalancerNodePorts",
            rules::ALLOCATE_NODE_PORTS_TYPE,
            allocate_load_balancer_node_ports.is_some(),
        ),
    ] {
        found.check(&at(field), rule, balanced || !is_given);
    }
    found.longest(&at("loadBalancerClass"), load_balancer_class.as_deref().unwrap_or_default(), 317);
    let ranges = at("loadBalancerSourceRanges");
    found.at_most_items(&ranges, load_balancer_source_ranges.len(), 256);
    let is_range = load_balancer_source_ranges.iter().all(|range| syntax::is_source_range(range));
    found.check(&ranges, rules::SOURCE_RANGE_SYNTAX, is_range);
    for (index, range) in load_balancer_source_ranges.iter().enumerate() {
        found.longest(&format!("{ranges}[{index}]"), range, 49);
    }

    if let Some(SessionAffinityConfig { client_ip }) = session_affinity_config {
        let keeps = *session_affinity == Some(SessionAffinity::ClientIP);
        found.check(&at("sessionAffinityConfig"), rules::AFFINITY_CONFIG_NEEDS_CLIENT_IP, keeps);
        if let Some(ClientIpConfig { timeout_seconds: Some(seconds) }) = client_ip {
            let field = at("sessionAffinityConfig.clientIP.timeoutSeconds");
            found.at_least(&field, *seconds, 1);
            found.at_most(&field, *seconds, 86400);
        }
    }
    let families = at("ipFamilies");
    found.at_most_items(&families, ip_families.len(), 2);
    let two = matches!(ip_families.as_slice(), [_, _, ..]);
    let differ = !matches!(ip_families.as_slice(), [first, second, ..] if first == second);
    found.check(&families, rules::IP_FAMILIES_DIFFER, differ);
    let has_policy = ip_family_policy.is_some_and(|policy| policy != IpFamilyPolicy::SingleStack);
    found.check(&families, rules::TWO_FAMILIES_NEED_A_POLICY, !two || has_policy);

    found.keys(&at("annotations"), annotations, 64);
    metadata::labels(found, &at("labels"), labels, 64);
    ports::check_node_ports(found, service);
}
