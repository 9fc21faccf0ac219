//! The live Service and the two Services of the colors.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use serde_json::{Value, json};

use super::canonical::short_hash;
use super::metadata::metadata;
use super::{common, guards, names, ports};
use bluegreen_api::{
    BlueGreenApp, Color, PerColor, ServiceSpec, ServiceStatus, ServiceType, SessionAffinity, TrafficPolicy,
};

/// The parts of the live Service that do not come from the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveService<'a> {
    /// The color that the selector names. With `None`, the Service selects no pod.
    pub selects: Option<Color>,
    /// The live color, as it is recorded in the annotation.
    pub active: Option<Color>,
    /// For each color, the revision that was live last.
    pub served: PerColor<Option<i64>>,
    /// The fencing token, as a label value (at most 63 characters).
    pub fence: &'a str,
    /// The operator's Lease, as `namespace/name`.
    pub operator: &'a str,
    /// What a lost Service had, to be requested when it is created again. The spec takes precedence.
    pub had: ServiceStatus,
}

/// What the selector of a live Service selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Exactly this app's pods of one color.
    Color(Color),
    /// No pod: exactly the placeholder with which the Service is created.
    None_,
    /// Anything else: somebody edited it.
    Foreign,
}

/// Returns true if the Service has addresses of both families.
pub fn is_dual_stack(service: Option<&Service>) -> bool {
    let spec = service.and_then(|service| service.spec.as_ref());
    spec.and_then(|spec| spec.ip_families.as_ref()).is_some_and(|families| families.len() > 1)
}

/// Returns the server-side apply body of the ClusterIP Service `NAME-COLOR`, which exists as long as the color does.
///
/// With `dual_stack` it asks for both address families, as the live Service has them: a pod that is not reached by one of them
/// must not pass the gate. The families are named only if the spec names them, which it does from the app's creation on: the
/// first one that a Service has can't be changed.
#[must_use]
pub fn color_service(app: &BlueGreenApp, color: Color, dual_stack: bool) -> Value {
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let mut spec = inside_spec(app, color);
    if dual_stack && spec["ipFamilyPolicy"].is_null() {
        spec["ipFamilyPolicy"] = json!("PreferDualStack");
    }
    let mut metadata =
        metadata(app, &names::color_service_name(name, color), &[(names::COLOR, color.as_str())]);
    let declared = match common::hash(app) {
        None => short_hash(&spec),
        Some(common) => short_hash(&json!({"spec": spec, "common": common})),
    };
    metadata["annotations"] = json!({(names::DECLARED): declared});
    common::add(&mut metadata, app);
    only_ready(&mut spec);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

/// Declares that a pod which is not ready is no ready endpoint: otherwise no proof would be worth anything. The hash of the
/// declaration leaves it out, so that a new release of the operator writes no Service for it.
fn only_ready(spec: &mut Value) {
    spec["publishNotReadyAddresses"] = json!(false);
}

/// The spec of a Service of one color that is reached from inside the cluster.
fn inside_spec(app: &BlueGreenApp, color: Color) -> Value {
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let mut spec = json!({
        "type": "ClusterIP",
        "selector": selector(name, color.as_str()),
        "ports": ports::ports(&app.spec),
        "sessionAffinity": "None",
    });
    families(&mut spec, &app.spec.service);
    spec
}

/// Returns the server-side apply body of the ClusterIP Service `NAME-preview`, which selects this color.
#[must_use]
pub fn preview_service(app: &BlueGreenApp, color: Color) -> Value {
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let mut spec = inside_spec(app, color);
    let mut metadata = metadata(app, &names::preview_service_name(name), &[]);
    // The selector is compared by itself.
    let mut declared = json!({"spec": spec, "common": common::hash(app)});
    declared["spec"]["selector"] = Value::Null;
    metadata["annotations"] = json!({(names::DECLARED): short_hash(&declared)});
    common::add(&mut metadata, app);
    only_ready(&mut spec);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

/// Returns the server-side apply body of the live Service `NAME`.
#[must_use]
pub fn live_service(app: &BlueGreenApp, live: &LiveService) -> Value {
    let LiveService { selects, active, served, fence, operator, had } = live;
    let ServiceSpec {
        type_,
        port: _,        // In `ports`.
        node_port: _,   // In `ports`.
        extra_ports: _, // In `ports`.
        preview: _,     // In `preview_service`.
        annotations,
        labels,
        external_traffic_policy,
        internal_traffic_policy,
        traffic_distribution,
        session_affinity,
        session_affinity_config,
        ip_family_policy: _, // In `families`.
        ip_families: _,      // In `families`.
        load_balancer_source_ranges,
        allocate_load_balancer_node_ports,
        load_balancer_class,
    } = &app.spec.service;
    let name = app.metadata.name.as_deref().unwrap_or_default();

    let from_outside = match type_ {
        ServiceType::ClusterIP => false,
        ServiceType::NodePort | ServiceType::LoadBalancer => true,
    };
    let mut ports = ports::ports(&app.spec);
    if from_outside {
        ports::add_node_ports(&mut ports, &app.spec);
    }
    let mut spec = json!({
        "type": type_.as_str(),
        "selector": selector(name, selects.map_or(names::NO_COLOR, Color::as_str)),
        "ports": ports,
        // Declared even if it is Kubernetes' default, so that removing it from the spec resets it.
        "sessionAffinity": match session_affinity.unwrap_or(SessionAffinity::None) {
            SessionAffinity::None => "None",
            SessionAffinity::ClientIP => "ClientIP",
        },
    });
    if from_outside {
        spec["externalTrafficPolicy"] = json!(match external_traffic_policy {
            None | Some(TrafficPolicy::Cluster) => "Cluster",
            Some(TrafficPolicy::Local) => "Local",
        });
    }
    // What follows is declared only if the spec has it: Kubernetes' default comes back when it is removed.
    families(&mut spec, &app.spec.service);
    let affinity =
        session_affinity_config.as_ref().filter(|_| *session_affinity == Some(SessionAffinity::ClientIP));
    let optional = [
        ("internalTrafficPolicy", internal_traffic_policy.map(|policy| json!(policy))),
        ("trafficDistribution", traffic_distribution.map(|distribution| json!(distribution))),
        ("sessionAffinityConfig", affinity.map(|config| json!(config))),
    ];
    let of_balancer = [
        (
            "loadBalancerSourceRanges",
            (!load_balancer_source_ranges.is_empty()).then(|| json!(load_balancer_source_ranges)),
        ),
        ("allocateLoadBalancerNodePorts", allocate_load_balancer_node_ports.map(|allocate| json!(allocate))),
        ("loadBalancerClass", load_balancer_class.as_ref().map(|class| json!(class))),
    ];
    let is_balanced = *type_ == ServiceType::LoadBalancer;
    for (field, value) in optional.into_iter().chain(of_balancer.into_iter().filter(|_| is_balanced)) {
        if let Some(value) = value {
            spec[field] = value;
        }
    }

    let mut all: BTreeMap<&str, String> =
        annotations.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    // The hash leaves out what changes with a switch or a term: that is compared by itself.
    let mut declared = json!({"spec": spec, "annotations": all});
    declared["spec"]["selector"] = Value::Null;
    if !labels.is_empty() {
        declared["labels"] = json!(labels);
    }
    if let Some(common) = common::hash(app) {
        declared["common"] = json!(common);
    }
    all.insert(names::DECLARED, short_hash(&declared));
    all.insert(names::OPERATOR, (*operator).to_owned());
    if let Some(color) = active {
        all.insert(names::ACTIVE, color.to_string());
    }
    for color in Color::ALL {
        if let Some(number) = served.get(color) {
            all.insert(names::served(color), number.to_string());
        }
    }

    // The addresses that the lost Service had, so that its clients can keep using them.
    if from_outside && let Some(ports) = spec["ports"].as_array_mut() {
        ports::add_lost_node_ports(ports, had.node_port, &had.extra_node_ports);
    }
    if let Some(address) = had.cluster_ip.as_deref().filter(|address| !address.is_empty()) {
        spec["clusterIP"] = json!(address);
    }
    if is_balanced
        && *external_traffic_policy == Some(TrafficPolicy::Local)
        && let Some(port) = had.health_check_node_port
    {
        spec["healthCheckNodePort"] = json!(port);
    }
    only_ready(&mut spec);
    if is_balanced {
        guards::guard(&mut spec, &mut all, &had.guards);
    }

    let mut metadata = metadata(app, &names::live_service_name(name), &[(names::FENCE, *fence)]);
    super::metadata::add_labels(&mut metadata, labels);
    metadata["annotations"] = json!(all);
    common::add(&mut metadata, app);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

/// Returns the selector of a live Service that selects this color.
#[must_use]
pub fn live_selector(app: &BlueGreenApp, color: Color) -> Value {
    selector(app.metadata.name.as_deref().unwrap_or_default(), color.as_str())
}

/// Copies the selector and the target ports of an adopted Service into its declaration.
///
/// So the Service keeps sending traffic where it did until a color passes the gate. The target ports are part of
/// that: the pods that it selects need not have a port with the name that the operator uses.
pub fn keep_targets(declared: &mut Value, live: &Service) {
    let Some(spec) = &live.spec else { return };
    declared["spec"]["selector"] = json!(spec.selector);
    for port in declared["spec"]["ports"].as_array_mut().into_iter().flatten() {
        let same = |live: &&ServicePort| {
            port["port"] == live.port && port["protocol"] == live.protocol.as_deref().unwrap_or("TCP")
        };
        let target = spec.ports.iter().flatten().find(same).and_then(|live| live.target_port.as_ref());
        if let Some(target) = target {
            port["targetPort"] = json!(target);
        }
    }
}

/// Returns what the selector of a Service selects.
///
/// The selector must have exactly the two keys that the operator sets. One key more could select fewer pods, and one
/// key less could select the pods of the other color or of another app.
#[must_use]
pub fn selects(service: &Service, app_name: &str) -> Selection {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let (Some(selector), Some(color)) = (selector, selector.and_then(|selector| selector.get(names::COLOR)))
    else {
        return Selection::Foreign;
    };
    if selector.len() != 2 || selector.get(names::APP).map(String::as_str) != Some(app_name) {
        return Selection::Foreign;
    }
    match Color::parse(color) {
        Some(color) => Selection::Color(color),
        None if color == names::NO_COLOR => Selection::None_,
        None => Selection::Foreign,
    }
}

fn selector(app: &str, color: &str) -> Value {
    json!({(names::APP): app, (names::COLOR): color})
}

/// Adds the address families that the spec asks for.
fn families(spec: &mut Value, service: &ServiceSpec) {
    if let Some(policy) = service.ip_family_policy {
        spec["ipFamilyPolicy"] = json!(policy);
    }
    if !service.ip_families.is_empty() {
        spec["ipFamilies"] = json!(service.ip_families);
    }
}
