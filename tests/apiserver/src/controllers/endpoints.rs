//! EndpointSlices: they list the pods that their Service's selector matches.

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

/// One slice for each address family.
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
        let name = format!("{service_name}-{}", family.to_lowercase());
        let endpoints: Vec<Value> = selected.iter().map(endpoint).collect();
        let mut slice = server.get(Kind::Slice, &name).unwrap_or_else(|| {
            let metadata = json!({ "name": name, "ownerReferences": [owner(Kind::Service, service)] });
            server.create_as(MANAGER, Kind::Slice, json!({ "metadata": metadata, "addressType": family }))
        });
        slice["metadata"]["labels"] = labels.clone();
        slice["endpoints"] = json!(endpoints);
        slice["ports"] = service["spec"]["ports"].as_array().map_or(json!([]), |ports| {
            ports
                .iter()
                .map(|p| json!({ "name": p["name"], "port": p["port"], "protocol": p["protocol"] }))
                .collect()
        });
        server.edit_as(MANAGER, Kind::Slice, &name, |object| *object = slice);
    }
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
