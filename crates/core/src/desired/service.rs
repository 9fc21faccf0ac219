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

/// What the live Service should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveService<'a> {
    /// The color that its selector names; `None` selects no pod at all.
    pub selects: Option<Color>,
    /// The color last committed.
    pub active: Option<Color>,
    /// For each color the revision that served last.
    pub served: PerColor<Option<i64>>,
    /// The fencing token, at most 63 characters of a label value.
    pub fence: &'a str,
    /// The operator's Lease, as `namespace/name`.
    pub operator: &'a str,
    /// The recorded nodePort to ask for when the Service is created again; `spec.service.nodePort` wins.
    pub node_port: Option<i32>,
    /// The recorded clusterIP to ask for when the Service is created again.
    pub cluster_ip: Option<String>,
}

/// What a live Service's selector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Exactly this app's pods of one color.
    Color(Color),
    /// Exactly the selector that matches no pod.
    None_,
    /// Anything else: somebody edited it.
    Foreign,
}

/// Server-side apply body of the permanent ClusterIP Service `NAME-COLOR`.
#[must_use]
pub fn color_service(app: &BlueGreenApp, color: Color) -> Value {
    let name = app.metadata.name.as_deref().unwrap_or_default();
    let spec = json!({
        "type": "ClusterIP",
        "selector": selector(name, color.as_str()),
        "ports": [service_port(&app.spec)],
        "sessionAffinity": "None",
    });
    let mut metadata =
        metadata(app, &names::color_service_name(name, color), &[(names::COLOR, color.as_str())]);
    metadata["annotations"] = json!({(names::DECLARED): short_hash(&spec)});
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

/// Server-side apply body of the live Service `NAME`.
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
        // Declared even where it is Kubernetes' default, so that taking it out of the spec resets it.
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
    // Before what differs from one moment to the next: a switch is seen in the selector itself.
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

    // What the cluster chose before the Service was lost, so that clients don't notice.
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

/// Where a Service that a person handed over sends its traffic, put into what is declared of it: it serves as it does until
/// a color passes the gate. The ports' targets belong to that: its pods need not know a port by our name.
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

/// What the Service's selector exactly is. One key more or less is a foreign edit: it could select
/// fewer pods, or another app's.
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

/// Targets the port's *name*, so that a color whose pods listen on another number can be switched to.
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
