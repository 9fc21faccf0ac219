//! How a color's pods can be reached: through the color's own Service, on which ports, and on which nodes.

use std::collections::BTreeSet;

use super::endpoints::{self, count, families};
use super::{Snapshot, ports};
use crate::desired;
use bluegreen_api::{Color, TrafficPolicy};

/// Returns the number of ready pods behind the color's own Service. In a live read, only pods of the proven
/// ReplicaSets count.
pub(super) fn ready_endpoints(seen: &Snapshot, current: Option<&desired::Stored>, color: Color) -> i32 {
    let (slices, counts) = (seen.color_slices.get(color), counted(seen, current, color));
    let families = families(seen.color_services.get(color).as_deref());
    count(endpoints::ready_pods(slices, families, counts))
}

/// Returns the address families that list too few of the pods that [`ready_endpoints`] counts.
pub(super) fn sparse_families(
    seen: &Snapshot,
    current: Option<&desired::Stored>,
    color: Color,
) -> Vec<String> {
    let (slices, counts) = (seen.color_slices.get(color), counted(seen, current, color));
    let families = families(seen.color_services.get(color).as_deref());
    endpoints::sparse_families(slices, families, counts)
}

/// Returns the pods that [`ready_endpoints`] counts by the ports with which they are listed.
pub(super) fn listed(seen: &Snapshot, current: Option<&desired::Stored>, color: Color) -> ports::Listed {
    let (slices, counts) = (seen.color_slices.get(color), counted(seen, current, color));
    let families = families(seen.color_services.get(color).as_deref());
    ports::listed(slices, families, &desired::listings(&seen.app.spec), counts)
}

/// Returns a function that says whether the pod with this uid counts for the readiness of the color.
fn counted<'a>(
    seen: &'a Snapshot,
    current: Option<&desired::Stored>,
    color: Color,
) -> impl Fn(&str) -> bool + use<'a> {
    let pods = match (seen.proof.get(color), seen.deployments.get(color), current) {
        (Some(proof), Some(deployment), Some(stored)) => Some(proof.pods_of(deployment, stored.number)),
        _ => None,
    };
    move |uid| pods.as_ref().is_none_or(|pods| pods.contains(uid))
}

/// Returns true if traffic stays on the node that it came to, or is asked to.
pub fn keeps_to_nodes(seen: &Snapshot) -> bool {
    let wanted = &seen.app.spec.service;
    let wanted = [wanted.external_traffic_policy, wanted.internal_traffic_policy];
    let service = seen.service.as_ref().and_then(|service| service.spec.as_ref());
    // The Service as it is counts, too: an edit of the policy is applied only after the switch.
    let is = service.is_some_and(|spec| {
        [&spec.external_traffic_policy, &spec.internal_traffic_policy]
            .into_iter()
            .any(|policy| policy.as_deref() == Some("Local"))
    });
    wanted.contains(&Some(TrafficPolicy::Local)) || is
}

/// Returns the nodes on which the live Service has a ready endpoint and this color has none. It is empty unless
/// traffic stays on the node that it came to.
pub(super) fn uncovered(seen: &Snapshot, current: Option<&desired::Stored>, color: Color) -> Vec<String> {
    if !keeps_to_nodes(seen) {
        return Vec::new();
    }
    let covered = endpoints::ready_places(seen.color_slices.get(color), counted(seen, current, color));
    let live = endpoints::ready_places(&seen.live_slices, |_| true);
    let nodes: BTreeSet<&str> = live.difference(&covered).map(|(_, node)| *node).collect();
    nodes.into_iter().map(str::to_owned).collect()
}
