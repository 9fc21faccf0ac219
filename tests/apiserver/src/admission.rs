//! What the API server adds to an object and what it refuses, as far as the operator depends on it.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::status::Status;

/// Longest `note` of an Event, in bytes (`pkg/apis/core/validation/events.go` of Kubernetes).
const NOTE: usize = 1024;

/// Longest `action` and `reason` of an Event, in bytes.
const ACTION: usize = 128;

/// Fills in what the API server allocates or takes for granted.
pub(crate) fn set_defaults(kind: Kind, object: &mut Value, number: u64) {
    match kind {
        Kind::Service => service_defaults(&mut object["spec"], number),
        Kind::Deployment => deployment_defaults(&mut object["spec"]),
        Kind::App
        | Kind::ReplicaSet
        | Kind::Pod
        | Kind::Revision
        | Kind::Slice
        | Kind::Event
        | Kind::Job
        | Kind::Lease => {}
    }
}

/// Keeps what was allocated to a Service where a write leaves it out (`patchAllocatedValues` of Kubernetes).
pub(crate) fn keep_allocated(kind: Kind, before: &Value, object: &mut Value) {
    if kind != Kind::Service {
        return;
    }
    let (before, spec) = (&before["spec"], &mut object["spec"]);
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        set(spec, key, before[key].clone());
    }
    let from_outside = |spec: &Value| spec["type"] == "NodePort" || spec["type"] == "LoadBalancer";
    if !from_outside(before) || !from_outside(spec) {
        return;
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        let same = |other: &&Value| other["port"] == port["port"];
        if let Some(same) = before["ports"].as_array().into_iter().flatten().find(same) {
            set(port, "nodePort", same["nodePort"].clone());
        }
    }
}

fn set(value: &mut Value, key: &str, default: Value) {
    if value[key].is_null() {
        value[key] = default;
    }
}

fn service_defaults(spec: &mut Value, number: u64) {
    set(spec, "type", json!("ClusterIP"));
    set(spec, "sessionAffinity", json!("None"));
    set(spec, "internalTrafficPolicy", json!("Cluster"));
    set(spec, "ipFamilies", json!(["IPv4"]));
    set(spec, "ipFamilyPolicy", json!("SingleStack"));
    if spec["ipFamilyPolicy"] == "PreferDualStack" {
        spec["ipFamilies"] = json!(["IPv4", "IPv6"]);
    }
    set(spec, "clusterIP", json!(format!("10.0.{}.{}", number / 250, number % 250 + 1)));
    let address = spec["clusterIP"].clone();
    set(spec, "clusterIPs", json!([address]));
    let from_outside = spec["type"] == "NodePort" || spec["type"] == "LoadBalancer";
    if from_outside {
        set(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        set(port, "protocol", json!("TCP"));
        let number_of_port = port["port"].clone();
        set(port, "targetPort", number_of_port);
        if from_outside {
            set(port, "nodePort", json!(30000 + number % 2768));
        }
    }
}

fn deployment_defaults(spec: &mut Value) {
    set(spec, "replicas", json!(1));
    set(spec, "progressDeadlineSeconds", json!(600));
    set(spec, "revisionHistoryLimit", json!(10));
    set(
        spec,
        "strategy",
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } }),
    );
    let pods = &mut spec["template"]["spec"];
    set(pods, "restartPolicy", json!("Always"));
    set(pods, "dnsPolicy", json!("ClusterFirst"));
    set(pods, "schedulerName", json!("default-scheduler"));
    set(pods, "securityContext", json!({}));
    set(pods, "terminationGracePeriodSeconds", json!(30));
    for container in pods["containers"].as_array_mut().into_iter().flatten() {
        set(container, "imagePullPolicy", json!("IfNotPresent"));
        set(container, "terminationMessagePath", json!("/dev/termination-log"));
        set(container, "terminationMessagePolicy", json!("File"));
        set(container, "resources", json!({}));
        for port in container["ports"].as_array_mut().into_iter().flatten() {
            set(port, "protocol", json!("TCP"));
        }
    }
}

/// Refuses what Kubernetes would refuse.
pub(crate) fn validate(kind: Kind, name: &str, before: Option<&Value>, object: &Value) -> Result<(), Status> {
    let bounded = |field: &str, limit: usize| match object[field].as_str() {
        Some(text) if text.len() > limit => {
            Err(Status::invalid(kind, name, field, &format!("can have at most {limit} characters")))
        }
        Some(_) | None => Ok(()),
    };
    let immutable = |pointer: &str, field: &str| match before {
        Some(before) if before.pointer(pointer) != object.pointer(pointer) => {
            Err(Status::invalid(kind, name, field, "field is immutable"))
        }
        Some(_) | None => Ok(()),
    };
    match kind {
        Kind::Event => {
            bounded("note", NOTE)?;
            bounded("action", ACTION)?;
            bounded("reason", ACTION)
        }
        Kind::Deployment => immutable("/spec/selector", "spec.selector"),
        Kind::Service => immutable("/spec/clusterIP", "spec.clusterIP"),
        Kind::Job => immutable("/spec/template", "spec.template"),
        Kind::App | Kind::ReplicaSet | Kind::Pod | Kind::Revision | Kind::Slice | Kind::Lease => Ok(()),
    }
}
