//! How lists and maps merge, from the `x-kubernetes-list-map-keys` and `x-kubernetes-map-type` of Kubernetes' API.

use bluegreen_api::KeyedList;

use crate::kind::Kind;

/// How a value merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Field by field, if it is a map.
    Granular,
    /// Item by item.
    Keyed(&'static KeyedList),
    /// As a whole.
    Atomic,
}

/// How the value at this path merges. Items of a list have the path of the list.
pub(super) fn shape(kind: Kind, path: &[String]) -> Shape {
    let Some(last) = path.last() else { return Shape::Granular };
    if let Some(list) = keyed(kind, &path.join(".")) {
        return Shape::Keyed(list);
    }
    match (kind, last.as_str()) {
        // The data of a ControllerRevision has no schema; the lists of a custom resource are atomic.
        (Kind::Revision, "data") => Shape::Atomic,
        (Kind::App | Kind::Event | Kind::Lease | Kind::Revision, _) => Shape::Granular,
        (_, "selector" | "nodeSelector" | "labelSelector") => Shape::Atomic,
        _ => Shape::Granular,
    }
}

fn keyed(kind: Kind, path: &str) -> Option<&'static KeyedList> {
    if path.starts_with("metadata.") {
        return KeyedList::at(Kind::Service.name(), path);
    }
    match kind {
        Kind::Pod => path.strip_prefix("spec.").and_then(KeyedList::in_pods),
        Kind::ReplicaSet => KeyedList::at(Kind::Deployment.name(), path),
        _ => KeyedList::at(kind.name(), path),
    }
}
