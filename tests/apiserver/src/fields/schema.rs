//! How lists and maps merge, from the `x-kubernetes-list-map-keys` and `x-kubernetes-map-type` of Kubernetes' API.

use crate::kind::Kind;

/// How a value merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Field by field, if it is a map.
    Granular,
    /// Item by item: items are equal if these fields of theirs are.
    KeyedBy(&'static [&'static str]),
    /// As a whole.
    Atomic,
}

/// How the value at this path merges. Items of a list have the path of the list.
pub(super) fn shape(kind: Kind, path: &[String]) -> Shape {
    let Some(last) = path.last() else { return Shape::Granular };
    if path.first().map(String::as_str) == Some("metadata") {
        return if last == "ownerReferences" { Shape::KeyedBy(&["uid"]) } else { Shape::Granular };
    }
    match (kind, last.as_str()) {
        // The data of a ControllerRevision has no schema; the lists of a custom resource are atomic.
        (Kind::Revision, "data") => Shape::Atomic,
        (Kind::App | Kind::Event | Kind::Lease | Kind::Revision, _) => Shape::Granular,
        (_, "selector" | "nodeSelector" | "labelSelector") => Shape::Atomic,
        (Kind::Service, "ports") => Shape::KeyedBy(&["port", "protocol"]),
        (_, "ports") => Shape::KeyedBy(&["containerPort", "protocol"]),
        (_, "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets") => {
            Shape::KeyedBy(&["name"])
        }
        (_, "volumeMounts") => Shape::KeyedBy(&["mountPath"]),
        (_, "hostAliases") => Shape::KeyedBy(&["ip"]),
        (_, "topologySpreadConstraints") => Shape::KeyedBy(&["topologyKey", "whenUnsatisfiable"]),
        (_, "conditions") => Shape::KeyedBy(&["type"]),
        _ => Shape::Granular,
    }
}
