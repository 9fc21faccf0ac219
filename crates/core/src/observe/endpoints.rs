//! The distinct pods that EndpointSlices list.
//!
//! Only the slices of Kubernetes' EndpointSlice controller count. It makes them from the Service's selector, so they follow a
//! switch. A slice that somebody else made, as a mesh or a person, lists what it lists: to wait for it could mean to wait for
//! ever. kube-proxy uses it all the same, so it is named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;

/// Label of an EndpointSlice: who made it.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Value of [`MANAGED_BY`] on slices that Kubernetes' EndpointSlice controller made from a Service's selector.
const CONTROLLER: &str = "endpointslice-controller.k8s.io";

fn manager(slice: &EndpointSlice) -> Option<&str> {
    slice.labels().get(MANAGED_BY).map(String::as_str)
}

/// Returns the slices with addresses that the EndpointSlice controller did not make, each with its name and its manager, in
/// the order of their names.
pub fn foreign_slices(slices: &[Arc<EndpointSlice>]) -> Vec<String> {
    let foreign = slices.iter().filter(|slice| manager(slice) != Some(CONTROLLER));
    let filled = foreign.filter(|slice| slice.endpoints.iter().any(|e| !e.addresses.is_empty()));
    let words = |slice: &Arc<EndpointSlice>| match manager(slice) {
        Some(manager) => format!("EndpointSlice {} (managed by {manager})", slice.name_any()),
        None => format!("EndpointSlice {}", slice.name_any()),
    };
    let names: BTreeSet<String> = filled.map(words).collect();
    names.into_iter().collect()
}

/// Returns a number of pods as Kubernetes counts them.
pub(super) fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}

/// Returns the address families of a Service, by the names that EndpointSlices use.
pub(super) fn families(service: Option<&Service>) -> &[String] {
    let spec = service.and_then(|service| service.spec.as_ref());
    spec.and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default()
}

/// One endpoint of an EndpointSlice.
pub(super) struct Endpoint<'a> {
    /// The pod's uid. It is empty if the endpoint has no `targetRef`, and then the endpoint never counts as ready.
    pub pod: &'a str,
    family: &'a str,
    node: Option<&'a str>,
    ready: bool,
}

/// Returns every endpoint in the slices of the EndpointSlice controller, ready or not.
pub(super) fn pods(slices: &[Arc<EndpointSlice>]) -> Vec<Endpoint<'_>> {
    slices
        .iter()
        .filter(|slice| manager(slice) == Some(CONTROLLER))
        .flat_map(|slice| {
            slice.endpoints.iter().map(|endpoint| {
                let conditions = endpoint.conditions.as_ref();
                Endpoint {
                    pod: endpoint.target_ref.as_ref().and_then(|t| t.uid.as_deref()).unwrap_or_default(),
                    family: &slice.address_type,
                    node: endpoint.node_name.as_deref(),
                    // An absent `ready` means unknown, so only `true` counts. An absent `serving` means the same as
                    // `ready`.
                    ready: conditions.is_some_and(|c| {
                        c.ready == Some(true) && c.serving != Some(false) && c.terminating != Some(true)
                    }),
                }
            })
        })
        .collect()
}

/// Returns the number of distinct ready pods that `counts` accepts.
///
/// A dual-stack pod is listed in a slice of each address family. It is one pod, and it can be reached only if both
/// families list it, so the smallest family counts. `families` are those of the Service: the slice of the second
/// family is created a moment after that of the first.
pub(super) fn ready_pods(
    slices: &[Arc<EndpointSlice>],
    families: &[String],
    counts: impl Fn(&str) -> bool,
) -> usize {
    by_family(slices, families, counts).values().map(BTreeSet::len).min().unwrap_or(0)
}

/// Returns the address families in which fewer of the pods that [`ready_pods`] counts are listed than in another one.
pub(super) fn sparse_families(
    slices: &[Arc<EndpointSlice>],
    families: &[String],
    counts: impl Fn(&str) -> bool,
) -> Vec<String> {
    let families = by_family(slices, families, counts);
    let most = families.values().map(BTreeSet::len).max().unwrap_or(0);
    let fewer = families.iter().filter(|(_, pods)| pods.len() < most);
    fewer.map(|(family, _)| (*family).to_owned()).collect()
}

fn by_family<'a>(
    slices: &'a [Arc<EndpointSlice>],
    families: &'a [String],
    counts: impl Fn(&str) -> bool,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut families: BTreeMap<&str, BTreeSet<&str>> =
        families.iter().map(|family| (family.as_str(), BTreeSet::new())).collect();
    for endpoint in pods(slices) {
        let family = families.entry(endpoint.family).or_default();
        if endpoint.ready && !endpoint.pod.is_empty() && counts(endpoint.pod) {
            family.insert(endpoint.pod);
        }
    }
    families
}

/// Returns the pairs of address family and node that have at least one ready pod that `counts` accepts.
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
