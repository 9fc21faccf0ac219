//! EndpointSlices → distinct pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::discovery::v1::EndpointSlice;

/// One address of a pod.
pub(super) struct Endpoint<'a> {
    /// The pod's uid; empty for an address that names none, which is then nobody's.
    pub pod: &'a str,
    family: &'a str,
    node: Option<&'a str>,
    ready: bool,
}

/// Every address in the slices, ready or not.
pub(super) fn pods(slices: &[Arc<EndpointSlice>]) -> Vec<Endpoint<'_>> {
    slices
        .iter()
        .flat_map(|slice| {
            slice.endpoints.iter().map(|endpoint| {
                let conditions = endpoint.conditions.as_ref();
                Endpoint {
                    pod: endpoint.target_ref.as_ref().and_then(|t| t.uid.as_deref()).unwrap_or_default(),
                    family: &slice.address_type,
                    node: endpoint.node_name.as_deref(),
                    // `ready` absent means unknown; only a plain yes counts. `serving` absent means as ready.
                    ready: conditions.is_some_and(|c| {
                        c.ready == Some(true) && c.serving != Some(false) && c.terminating != Some(true)
                    }),
                }
            })
        })
        .collect()
}

/// Distinct ready pods that `counts` accepts. A dual-stack pod stands in a slice of each address family: it is
/// one pod, and it is reachable only when both families list it, so the smallest family counts. `families` are those
/// that the Service has: the slice of the second one is made a moment after that of the first.
pub(super) fn ready_pods(
    slices: &[Arc<EndpointSlice>],
    families: &[String],
    counts: impl Fn(&str) -> bool,
) -> usize {
    let mut families: BTreeMap<&str, BTreeSet<&str>> =
        families.iter().map(|family| (family.as_str(), BTreeSet::new())).collect();
    for endpoint in pods(slices) {
        let family = families.entry(endpoint.family).or_default();
        if endpoint.ready && !endpoint.pod.is_empty() && counts(endpoint.pod) {
            family.insert(endpoint.pod);
        }
    }
    families.values().map(BTreeSet::len).min().unwrap_or(0)
}

/// Address families and nodes with at least one ready pod that `counts` accepts.
pub(super) fn ready_places(
    slices: &[Arc<EndpointSlice>],
    counts: impl Fn(&str) -> bool,
) -> BTreeSet<(&str, &str)> {
    pods(slices)
        .into_iter()
        .filter(|endpoint| endpoint.ready && !endpoint.pod.is_empty() && counts(endpoint.pod))
        .filter_map(|endpoint| Some((endpoint.family, endpoint.node?)))
        .collect()
}
