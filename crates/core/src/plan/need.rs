//! How many pods of a color are enough to select it.
//!
//! The gate asks for enough pods, not for an exact number. An autoscaler may write `spec.replicas` at any moment; a gate that
//! wanted exactly that many would never open while it grows, and would stop a way back after it shrank. What protects the
//! users is another number: the pods that carry the traffic now. No switch leaves fewer than that.

use super::{DeploymentFacts, Intent, Live, Missing, Observed};
use bluegreen_api::Color;

/// Pods that carry the traffic now: the ready pods of `live`. Of its Deployment, which is read for every switch; the live
/// EndpointSlices may be older.
pub(super) fn carrying(seen: &Observed, live: Color) -> i32 {
    seen.colors.get(live).deployment.ours().map_or(0, |deployment| deployment.ready.max(deployment.available))
}

/// How many pods of `color` are enough.
///
/// To be selected: as many as the live color has ready now, but never more than `spec.replicas` and never none; where
/// nothing is live yet, `spec.replicas`. So no switch makes the load per pod larger than it was, unless the spec asks for
/// fewer pods. The live color itself should have exactly `spec.replicas`.
pub(super) fn needed(intent: &Intent, seen: &Observed, live: Live, color: Color) -> i32 {
    let asked = intent.replicas.max(1);
    live.color().filter(|&now| now != color).map_or(asked, |now| carrying(seen, now).clamp(1, asked))
}

/// Checks that this Deployment, whose template is right, has enough pods. `endpoints` are those that its own Service lists.
///
/// Its rollout must be complete: all pods that it asks for are there. A Deployment that was complete and has been scaled up
/// since is not held against its new pods: those that it had are still there. Nor against pods that have failed since, as long
/// as the others are enough: a node that takes a pod of each color with it must not stop a way back.
///
/// # Errors
/// The first thing that is missing.
pub(super) fn enough(
    intent: &Intent,
    live: Live,
    color: Color,
    deployment: &DeploymentFacts,
    need: i32,
    endpoints: i32,
) -> Result<(), Missing> {
    let is_live = live.color() == Some(color);
    let size = deployment.replicas;
    if size < need || (is_live && size != intent.replicas) {
        return Err(Missing::Size { have: size, want: need });
    }
    if !deployment.observed {
        return Err(Missing::Observed);
    }
    if deployment.deadline_exceeded {
        return Err(Missing::Deadline);
    }
    let was_complete = deployment.rolled_out && deployment.total == deployment.updated && !is_live;
    let have = deployment.newest_available();
    let is_enough = is_complete(deployment) || (was_complete && have >= need);
    if !is_enough {
        return Err(Missing::Pods { have, want: if was_complete { need } else { size } });
    }
    if !deployment.proven {
        return Err(Missing::ReplicaSet);
    }
    if endpoints < need {
        return Err(Missing::Endpoints { have: endpoints, want: need });
    }
    Ok(())
}

/// Returns true if every pod that the Deployment asks for is there, up to date, ready and available, and no other.
pub(super) fn is_complete(deployment: &DeploymentFacts) -> bool {
    let counts = [deployment.total, deployment.updated, deployment.ready, deployment.available];
    deployment.observed && counts.iter().all(|&count| count == deployment.replicas)
}
