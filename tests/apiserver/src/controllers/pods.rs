//! Pods of a ReplicaSet.

use serde_json::{Value, json};

use super::rollout::{owned, owner};
use super::{Controllers, MANAGER, Orders};
use crate::kind::Kind;
use crate::server::Server;

/// Pods, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub total: usize,
    pub ready: usize,
    pub available: usize,
}

impl Count {
    pub fn plus(self, other: &Self) -> Self {
        Self {
            total: self.total + other.total,
            ready: self.ready + other.ready,
            available: self.available + other.available,
        }
    }
}

/// Whether the pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    has(pod, "Ready")
}

fn has(pod: &Value, condition: &str) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == condition && c["status"] == "True"))
}

/// Counts a ReplicaSet's pods.
pub(super) fn count(server: &Server, set: &Value) -> Count {
    let pods = owned(server, Kind::Pod, set);
    Count {
        total: pods.len(),
        ready: pods.iter().filter(|pod| is_ready(pod)).count(),
        available: pods.iter().filter(|pod| has(pod, "Available")).count(),
    }
}

/// Makes pods, or removes them: those that are not ready first.
pub(super) fn scale(controllers: &Controllers, set: &Value, size: usize) {
    let server = &controllers.server;
    let mut pods = owned(server, Kind::Pod, set);
    pods.sort_by_key(is_ready);
    let excess = pods.len().saturating_sub(size);
    for pod in pods.drain(..excess) {
        server.delete_as(MANAGER, Kind::Pod, pod["metadata"]["name"].as_str().unwrap_or_default());
    }
    let set_name = set["metadata"]["name"].as_str().unwrap_or_default();
    let mut number = 0;
    for _ in pods.len()..size {
        let name = loop {
            let name = format!("{set_name}-{number}");
            number += 1;
            if server.get(Kind::Pod, &name).is_none() {
                break name;
            }
        };
        let mut spec = set["spec"]["template"]["spec"].clone();
        spec["nodeName"] = json!(format!("node-{}", number % controllers.nodes + 1));
        let metadata = json!({
            "name": name, "labels": set["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [owner(Kind::ReplicaSet, set)],
        });
        server.create_as(MANAGER, Kind::Pod, json!({ "metadata": metadata, "spec": spec }));
    }
}

/// Lets as many pods be ready, and available, as the orders say.
pub(super) fn set_ready(server: &Server, set: &Value, orders: &Orders) {
    let mut pods = owned(server, Kind::Pod, set);
    // Those that are ready stay so, as long as there is room.
    pods.sort_by_key(|pod| !is_ready(pod));
    for (index, pod) in pods.iter().enumerate() {
        let within = |limit: Option<usize>| limit.is_none_or(|limit| index < limit);
        let is_ready = within(orders.ready);
        let is_available = is_ready && within(orders.available);
        let word = |holds: bool| if holds { "True" } else { "False" };
        let state = match orders.waiting {
            Some(reason) if !is_ready => json!({ "waiting": { "reason": reason } }),
            Some(_) | None => json!({ "running": {} }),
        };
        let image = &pod["spec"]["containers"][0]["image"];
        let container = json!({
            "name": "app", "image": image, "imageID": "", "restartCount": 0, "ready": is_ready, "state": state,
        });
        let status = json!({
            "phase": "Running", "containerStatuses": [container],
            "conditions": [
                { "type": "Ready", "status": word(is_ready) },
                { "type": "Available", "status": word(is_available) },
            ],
        });
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        server.edit_as(MANAGER, Kind::Pod, name, |pod| pod["status"] = status);
    }
}
