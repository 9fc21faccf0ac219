//! EndpointSlices: they list the pods that their Service's selector matches, by the ports that each pod has.

use serde_json::{Map, Value, json};

use super::rollout::owner;
use super::{Controllers, MANAGER, pods};
use crate::kind::Kind;
use crate::server::Server;

/// Looks at every Service.
pub(super) fn step(controllers: &Controllers) {
    let server = &controllers.server;
    for service in server.all(Kind::Service) {
        let name = service["metadata"]["name"].as_str().unwrap_or_default();
        if !controllers.held.contains(name) {
            follow(server, &service, name);
        }
    }
}

/// One slice for each address family and each set of ports that pods have. Without pods, one slice without ports.
fn follow(server: &Server, service: &Value, service_name: &str) {
    let Some(selector) = service["spec"]["selector"].as_object().filter(|selector| !selector.is_empty())
    else {
        return;
    };
    let selected: Vec<Value> =
        server.all(Kind::Pod).into_iter().filter(|pod| matches(pod, selector)).collect();
    // The controller copies the Service's labels.
    let mut labels = service["metadata"]["labels"].clone();
    labels["kubernetes.io/service-name"] = json!(service_name);
    labels["endpointslice.kubernetes.io/managed-by"] = json!("endpointslice-controller.k8s.io");
    for family in service["spec"]["ipFamilies"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut sets: Vec<(Value, Vec<Value>)> = Vec::new();
        for pod in &selected {
            let ports = ports(service, pod);
            match sets.iter_mut().find(|(of, _)| *of == ports) {
                Some((_, endpoints)) => endpoints.push(endpoint(pod)),
                None => sets.push((ports, vec![endpoint(pod)])),
            }
        }
        if sets.is_empty() {
            sets.push((json!([]), Vec::new()));
        }
        let mut name = format!("{service_name}-{}", family.to_lowercase());
        for (ports, endpoints) in sets {
            let mut slice = server.get(Kind::Slice, &name).unwrap_or_else(|| {
                let metadata = json!({ "name": name, "ownerReferences": [owner(Kind::Service, service)] });
                server.create_as(MANAGER, Kind::Slice, json!({ "metadata": metadata, "addressType": family }))
            });
            slice["metadata"]["labels"] = labels.clone();
            slice["endpoints"] = json!(endpoints);
            slice["ports"] = ports;
            server.edit_as(MANAGER, Kind::Slice, &name, |object| *object = slice);
            name += "-more";
        }
        // What is left of sets that no pod has any more.
        while server.get(Kind::Slice, &name).is_some() {
            server.delete_as(MANAGER, Kind::Slice, &name);
            name += "-more";
        }
    }
}

/// The ports of the Service that this pod has: `FindPort` and `getEndpointPorts` of Kubernetes.
fn ports(service: &Value, pod: &Value) -> Value {
    let of_service = service["spec"]["ports"].as_array().into_iter().flatten();
    let found = of_service.filter_map(|port| {
        let number = match &port["targetPort"] {
            Value::String(name) => named(pod, name, &port["protocol"])?,
            Value::Null => port["port"].clone(),
            number => number.clone(),
        };
        let mut listed = json!({ "name": port["name"], "port": number, "protocol": port["protocol"] });
        if !port["appProtocol"].is_null() {
            listed["appProtocol"] = port["appProtocol"].clone();
        }
        Some(listed)
    });
    found.collect()
}

fn named(pod: &Value, name: &str, protocol: &Value) -> Option<Value> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let protocol = protocol.as_str().unwrap_or("TCP");
    ports
        .find(|port| port["name"] == name && port["protocol"].as_str().unwrap_or("TCP") == protocol)
        .map(|port| port["containerPort"].clone())
}

fn matches(pod: &Value, selector: &Map<String, Value>) -> bool {
    selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value)
}

fn endpoint(pod: &Value) -> Value {
    let is_ready = pods::is_ready(pod);
    json!({
        "addresses": ["192.0.2.1"], "nodeName": pod["spec"]["nodeName"],
        "conditions": { "ready": is_ready, "serving": is_ready, "terminating": false },
        "targetRef": { "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"] },
    })
}
