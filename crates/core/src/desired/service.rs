//! The live Service and the two Services of the colors.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use serde_json::{Value, json};

use super::canonical::short_hash;
use super::metadata::metadata;
use super::names;
use bluegreen_api::{
    BlueGreenApp, BlueGreenAppSpec, Color, PerColor, ServiceSpec, ServiceType, SessionAffinity, TrafficPolicy,
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
    /// The node port that a lost Service had, to be requested when it is created again. `spec.service.nodePort` takes
    /// precedence.
    pub node_port: Option<i32>,
    /// The cluster IP that a lost Service had, to be requested when it is created again.
    pub cluster_ip: Option<String>,
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
/// must not pass the gate. The families are not named, because the first one that a Service has can't be changed.
#[must_use]
pub fn color_service(app: &BlueGreenApp, color: Color, dual_stack: bool) -> Value {
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let mut spec = json!({
        "type": "ClusterIP",
        "selector": selector(name, color.as_str()),
        "ports": [service_port(&app.spec)],
        "sessionAffinity": "None",
    });
    if dual_stack {
        spec["ipFamilyPolicy"] = json!("PreferDualStack");
    }
    let mut metadata =
        metadata(app, &names::color_service_name(name, color), &[(names::COLOR, color.as_str())]);
    metadata["annotations"] = json!({(names::DECLARED): short_hash(&spec)});
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

/// Returns the server-side apply body of the live Service `NAME`.
#[must_use]
pub fn live_service(app: &BlueGreenApp, live: &LiveService) -> Value {
    let LiveService { selects, active, served, fence, operator, node_port, cluster_ip } = live;
    let ServiceSpec {
        type_,
        port: _, // In `service_port`.
        node_port: wanted_node_port,
        annotations,
        external_traffic_policy,
        session_affinity,
        load_balancer_class,
        extra_ports: _, // Reserved.
    } = &app.spec.service;
    let name = app.metadata.name.as_deref().unwrap_or_default();

    let mut spec = json!({
        "type": type_.as_str(),
        "selector": selector(name, selects.map_or(names::NO_COLOR, Color::as_str)),
        "ports": [service_port(&app.spec)],
        // Declared even if it is Kubernetes' default, so that removing it from the spec resets it.
        "sessionAffinity": match session_affinity.unwrap_or(SessionAffinity::None) {
            SessionAffinity::None => "None",
            SessionAffinity::ClientIP => "ClientIP",
        },
    });
    let from_outside = match type_ {
        ServiceType::ClusterIP => false,
        ServiceType::NodePort | ServiceType::LoadBalancer => true,
    };
    if from_outside {
        spec["externalTrafficPolicy"] = json!(match external_traffic_policy {
            None | Some(TrafficPolicy::Cluster) => "Cluster",
            Some(TrafficPolicy::Local) => "Local",
        });
        if let Some(port) = wanted_node_port {
            spec["ports"][0]["nodePort"] = json!(port);
        }
    }
    if let Some(class) = load_balancer_class {
        spec["loadBalancerClass"] = json!(class);
    }

    let mut all: BTreeMap<&str, String> =
        annotations.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    // The hash leaves out what changes with a switch or a term: that is compared by itself.
    let mut declared = json!({"spec": spec, "annotations": all});
    declared["spec"]["selector"] = Value::Null;
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
    if from_outside
        && wanted_node_port.is_none()
        && let Some(port) = node_port
    {
        spec["ports"][0]["nodePort"] = json!(port);
    }
    if let Some(address) = cluster_ip.as_deref().filter(|address| !address.is_empty()) {
        spec["clusterIP"] = json!(address);
    }

    let mut metadata = metadata(app, &names::live_service_name(name), &[(names::FENCE, *fence)]);
    metadata["annotations"] = json!(all);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
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

/// Returns the port of a Service. It targets the *name* of the pods' port, so that the two colors can listen on
/// different port numbers.
fn service_port(spec: &BlueGreenAppSpec) -> Value {
    let mut port = json!({
        "name": spec.port_name,
        "port": spec.service_port(),
        "protocol": "TCP",
        "targetPort": spec.port_name,
    });
    if let Some(protocol) = &spec.app_protocol {
        port["appProtocol"] = json!(protocol);
    }
    port
}
