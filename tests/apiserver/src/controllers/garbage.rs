//! Garbage collection in the background: what has owners, and none of them is there, goes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MANAGER;
use crate::kind::Kind;
use crate::server::Server;

/// Collects until nothing is left to collect.
pub(super) fn collect(server: &Server) {
    while collect_once(server) {}
}

fn collect_once(server: &Server) -> bool {
    let objects: Vec<(Kind, Value)> =
        Kind::ALL.into_iter().flat_map(|kind| server.all(kind).into_iter().map(move |o| (kind, o))).collect();
    let uids: BTreeSet<&str> = objects.iter().filter_map(|(_, o)| o["metadata"]["uid"].as_str()).collect();
    let mut collected = false;
    for (kind, object) in &objects {
        let owners = object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_there = |owner: &Value| owner["uid"].as_str().is_some_and(|uid| uids.contains(uid));
        if !owners.is_empty() && !owners.iter().any(is_there) {
            server.delete_as(MANAGER, *kind, object["metadata"]["name"].as_str().unwrap_or_default());
            collected = true;
        }
    }
    collected
}
