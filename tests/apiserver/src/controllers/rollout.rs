//! Deployments and their ReplicaSets.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pods::{self, Count};
use super::{Controllers, MANAGER, Orders};
use crate::kind::Kind;
use crate::server::Server;

/// Whether every rollout is complete, so that none can pass its deadline.
pub(super) fn all_complete(server: &Server) -> bool {
    let complete = |condition: &Value| condition["reason"] == "NewReplicaSetAvailable";
    let is_complete = |deployment: Value| {
        deployment["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(complete))
    };
    server.all(Kind::Deployment).into_iter().all(is_complete)
}

/// Looks at every Deployment.
pub(super) fn step(controllers: &Controllers) {
    for deployment in controllers.server.all(Kind::Deployment) {
        let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
        let orders = controllers.orders.get(name).cloned().unwrap_or_default();
        if !orders.asleep {
            roll(controllers, &deployment, &orders);
        }
    }
}

/// A rolling update: new pods beyond the size as far as `maxSurge` allows, old ones away as new ones get ready.
fn roll(controllers: &Controllers, deployment: &Value, orders: &Orders) {
    let server = &controllers.server;
    let size = usize::try_from(deployment["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
    let (new, is_new) = replica_set(server, deployment);
    let old: Vec<Value> = owned(server, Kind::ReplicaSet, deployment)
        .into_iter()
        .filter(|set| set["metadata"]["name"] != new["metadata"]["name"])
        .collect();
    let count = |set: &Value| pods::count(server, set);
    let old_pods: usize = old.iter().map(|set| count(set).total).sum();
    let room = (size + surge(deployment, size)).saturating_sub(old_pods);
    pods::scale(controllers, &new, size.min(room.max(count(&new).total)));
    pods::set_ready(server, &new, orders);
    // Pods that are not ready go first; ready ones only as others are ready in their place.
    let mut ready = count(&new).available + old.iter().map(|set| count(set).available).sum::<usize>();
    for set in &old {
        let mut keep = count(set);
        keep.total = keep.available;
        while keep.total > 0 && ready > size {
            (keep.total, ready) = (keep.total - 1, ready - 1);
        }
        pods::scale(controllers, set, if size == 0 { 0 } else { keep.total });
    }
    for set in old.iter().chain([&new]) {
        let Count { total, ready, .. } = count(set);
        let name = set["metadata"]["name"].as_str().unwrap_or_default();
        server.edit_as(MANAGER, Kind::ReplicaSet, name, |set| {
            set["spec"]["replicas"] = json!(total);
            set["status"] = json!({ "replicas": total, "readyReplicas": ready });
        });
    }
    let total = old.iter().fold(count(&new), |sum, set| sum.plus(&count(set)));
    report(server, deployment, &Rollout { new: count(&new), all: total, is_new });
}

/// `maxSurge` as a number of pods, at least one.
fn surge(deployment: &Value, size: usize) -> usize {
    let surge = &deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"];
    let pods = match surge.as_str().and_then(|text| text.strip_suffix('%')) {
        Some(percent) => (percent.parse::<usize>().unwrap_or(0) * size).div_ceil(100),
        None => usize::try_from(surge.as_u64().unwrap_or(1)).unwrap_or(1),
    };
    pods.max(1)
}

/// The ReplicaSet of the Deployment's present template, and whether it was made just now.
fn replica_set(server: &Server, deployment: &Value) -> (Value, bool) {
    let template = &deployment["spec"]["template"];
    let is_of =
        |set: &Value| set["metadata"]["annotations"]["template"].as_str() == Some(&template.to_string());
    let sets = owned(server, Kind::ReplicaSet, deployment);
    if let Some(set) = sets.iter().find(|set| is_of(set)) {
        return (set.clone(), false);
    }
    let name = format!("{}-{}", deployment["metadata"]["name"].as_str().unwrap_or_default(), hash(template));
    let mut pods = template.clone();
    pods["metadata"]["labels"]["pod-template-hash"] = json!(hash(template));
    let metadata = json!({
        "name": name, "labels": pods["metadata"]["labels"], "ownerReferences": [owner(Kind::Deployment, deployment)],
        "annotations": { "template": template.to_string() },
    });
    let spec = json!({ "replicas": 0, "selector": deployment["spec"]["selector"], "template": pods });
    let set = server.create_as(MANAGER, Kind::ReplicaSet, json!({ "metadata": metadata, "spec": spec }));
    (set, true)
}

/// Equal for equal templates, and short (FNV-1a).
fn hash(value: &Value) -> String {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = value.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    format!("{:08x}", hash >> 32)
}

/// A controller reference to this object.
pub(super) fn owner(kind: Kind, object: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(), "kind": kind.name(), "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}

/// The objects of a kind that this object controls.
pub(super) fn owned(server: &Server, kind: Kind, owner: &Value) -> Vec<Value> {
    let uid = &owner["metadata"]["uid"];
    let controls = |object: &Value| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|o| o["uid"] == *uid && o["controller"] == true))
    };
    server.all(kind).into_iter().filter(controls).collect()
}

/// What a step came to.
struct Rollout {
    /// Pods of the present template.
    new: Count,
    /// Pods of all templates.
    all: Count,
    /// This step was the first one of the present template.
    is_new: bool,
}

/// Writes the Deployment's status.
fn report(server: &Server, deployment: &Value, rollout: &Rollout) {
    let Rollout { new, all, is_new } = rollout;
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let conditions = &deployment["status"]["conditions"];
    let before = conditions.as_array().and_then(|all| all.iter().find(|c| c["type"] == "Progressing"));
    // Complete once, complete for this template: neither pods that fail later nor a new size take it back
    // (`syncRolloutStatus` of Kubernetes).
    let was_complete = !is_new && before.is_some_and(|c| c["reason"] == "NewReplicaSetAvailable");
    let size = usize::try_from(deployment["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
    let complete = [new.total, new.available, all.total] == [size; 3];
    let status_before =
        |field: &str| usize::try_from(deployment["status"][field].as_u64().unwrap_or(0)).unwrap_or(0);
    let old_before = status_before("replicas").saturating_sub(status_before("updatedReplicas"));
    // As `DeploymentProgressing` of Kubernetes: old pods that go are progress, too.
    let progressed = new.total > status_before("updatedReplicas")
        || all.total - new.total < old_before
        || all.ready > status_before("readyReplicas")
        || all.available > status_before("availableReplicas");
    let (status, reason) = if complete || (was_complete && all.total == new.total) {
        ("True", "NewReplicaSetAvailable")
    } else if !is_new && !progressed && is_late(server, deployment, before) {
        ("False", "ProgressDeadlineExceeded")
    } else {
        ("True", "ReplicaSetUpdated")
    };
    let mut progressing = json!({ "type": "Progressing", "status": status, "reason": reason, "message": "" });
    progressing["lastUpdateTime"] = match before {
        Some(before) if !progressed && before["status"] == status && before["reason"] == reason => {
            before["lastUpdateTime"].clone()
        }
        Some(_) | None => json!(server.now().to_string()),
    };
    server.edit_as(MANAGER, Kind::Deployment, name, |deployment| {
        deployment["status"] = json!({
            "observedGeneration": deployment["metadata"]["generation"], "replicas": all.total,
            "updatedReplicas": new.total, "readyReplicas": all.ready, "availableReplicas": all.available,
            "conditions": [progressing],
        });
    });
}

/// The last progress is longer ago than `progressDeadlineSeconds`; a verdict stays until there is progress.
fn is_late(server: &Server, deployment: &Value, progressing: Option<&Value>) -> bool {
    let Some(progressing) = progressing else { return false };
    let since = progressing["lastUpdateTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let passed = since.map_or(0, |since| server.now().duration_since(since).as_secs());
    let deadline = deployment["spec"]["progressDeadlineSeconds"].as_i64().unwrap_or(600);
    progressing["reason"] == "ProgressDeadlineExceeded" || passed >= deadline
}
