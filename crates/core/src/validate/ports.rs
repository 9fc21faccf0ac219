//! The rules about `spec.service.extraPorts`.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Found, syntax};
use bluegreen_api::{BlueGreenAppSpec, ExtraPort, Protocol, ServiceSpec, ServiceType, rules};

/// The largest number of extra ports.
const MOST: usize = 8;

const AT: &str = "spec.service.extraPorts";

pub(super) fn check(found: &mut Found, spec: &BlueGreenAppSpec) {
    let ports = &spec.service.extra_ports;
    found.at_most_items(AT, ports.len(), MOST);
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        one(found, &format!("{AT}[{index}]"), port);
        if !names.insert(&port.name) {
            found.add(AT, format!("`{}` {}", port.name, rules::DUPLICATE));
        }
    }
    let is_free = !names.contains(&spec.port_name);
    found.check(AT, rules::EXTRA_PORT_NAME_FREE, is_free);
    let extra = ports.iter().map(|port| (port.port, port.protocol.as_str()));
    let own = std::iter::once((spec.service_port(), Protocol::Tcp.as_str()));
    found.check(AT, rules::EXTRA_PORTS_DIFFER, differ(own.chain(extra)));
}

/// Checks what depends on the Service's own fields alone.
pub(super) fn check_node_ports(found: &mut Found, service: &ServiceSpec) {
    let extra = service.extra_ports.iter().filter_map(|port| Some((port.node_port?, port.protocol.as_str())));
    let own = service.node_port.map(|number| (number, Protocol::Tcp.as_str()));
    let fits = service.type_ != ServiceType::ClusterIP || extra.clone().next().is_none();
    found.check(AT, rules::EXTRA_NODE_PORT_TYPE, fits);
    found.check(AT, rules::EXTRA_NODE_PORTS_DIFFER, differ(own.into_iter().chain(extra)));
}

fn differ<'a>(all: impl Iterator<Item = (i32, &'a str)>) -> bool {
    let mut seen = BTreeSet::new();
    all.into_iter().all(|one| seen.insert(one))
}

fn one(found: &mut Found, at: &str, port: &ExtraPort) {
    let ExtraPort { name, port, target_port, protocol: _, node_port, app_protocol } = port;
    found.check(&format!("{at}.name"), rules::EXTRA_PORT_NAME_SYNTAX, syntax::is_port_name(name));
    found.port(&format!("{at}.port"), Some(*port));
    found.port(&format!("{at}.nodePort"), *node_port);
    let is_target = match target_port {
        None => true,
        Some(IntOrString::Int(number)) => (1..=65535).contains(number),
        Some(IntOrString::String(name)) => syntax::is_probe_port_name(name),
    };
    if !is_target {
        found.add(&format!("{at}.targetPort"), rules::TARGET_PORT);
    }
    if let Some(protocol) = app_protocol {
        found.longest(&format!("{at}.appProtocol"), protocol, 317);
        found.check(
            &format!("{at}.appProtocol"),
            rules::EXTRA_APP_PROTOCOL,
            syntax::is_app_protocol(protocol),
        );
    }
}
