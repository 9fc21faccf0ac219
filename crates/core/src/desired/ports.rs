//! The ports of the Services: the app's own, and those of `spec.service.extraPorts`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use bluegreen_api::{BlueGreenAppSpec, ExtraPort, Protocol};

/// What EndpointSlices have to say of one port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The name of the Service's port.
    pub name: String,
    /// Its protocol, as Kubernetes spells it.
    pub protocol: &'static str,
    /// The port of the pods.
    pub target: IntOrString,
}

/// Returns the ports of both colors' Services, without node ports. The app's own port is the first one.
pub(super) fn ports(spec: &BlueGreenAppSpec) -> Vec<Value> {
    std::iter::once(own(spec)).chain(spec.service.extra_ports.iter().map(extra)).collect()
}

/// Adds the node ports that the spec asks for.
pub(super) fn add_node_ports(ports: &mut [Value], spec: &BlueGreenAppSpec) {
    let service = &spec.service;
    let wanted =
        std::iter::once(service.node_port).chain(service.extra_ports.iter().map(|port| port.node_port));
    for (port, wanted) in ports.iter_mut().zip(wanted) {
        if let Some(number) = wanted {
            port["nodePort"] = json!(number);
        }
    }
}

/// Adds the node ports that a lost Service had, where the spec asks for none: of the app's own port, and of the others by
/// their names.
pub(super) fn add_lost_node_ports(ports: &mut [Value], own: Option<i32>, extra: &BTreeMap<String, i32>) {
    for (index, port) in ports.iter_mut().enumerate() {
        let name = port["name"].as_str().unwrap_or_default();
        let had = if index == 0 { own } else { extra.get(name).copied() };
        if let (true, Some(number)) = (port["nodePort"].is_null(), had) {
            port["nodePort"] = json!(number);
        }
    }
}

/// Returns what the EndpointSlices of a color have to list: each port of its Service.
#[must_use]
pub fn listings(spec: &BlueGreenAppSpec) -> Vec<Listing> {
    let own = Listing {
        name: spec.port_name.clone(),
        protocol: Protocol::Tcp.as_str(),
        target: IntOrString::String(spec.port_name.clone()),
    };
    let extra = spec.service.extra_ports.iter().map(|port| Listing {
        name: port.name.clone(),
        protocol: port.protocol.as_str(),
        target: target(port),
    });
    std::iter::once(own).chain(extra).collect()
}

/// Returns the app's own port. It targets the *name* of the pods' port, so that the two colors can listen on different
/// port numbers.
fn own(spec: &BlueGreenAppSpec) -> Value {
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

fn extra(extra: &ExtraPort) -> Value {
    let ExtraPort {
        name,
        port,
        target_port: _, // In `target`.
        protocol,
        node_port: _, // Of the live Service only.
        app_protocol,
    } = extra;
    let mut port = json!({
        "name": name,
        "port": port,
        "protocol": protocol.as_str(),
        "targetPort": match target(extra) {
            IntOrString::Int(number) => json!(number),
            IntOrString::String(name) => json!(name),
        },
    });
    if let Some(protocol) = app_protocol {
        port["appProtocol"] = json!(protocol);
    }
    port
}

fn target(extra: &ExtraPort) -> IntOrString {
    extra.target_port.clone().unwrap_or(IntOrString::Int(extra.port))
}
