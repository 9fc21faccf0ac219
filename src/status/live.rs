//! How is the live color: does it lose pods, or is it being scaled or updated as the spec asks?

use super::Report;
use super::conditions::{Why, lacks};
use crate::plan::{DeploymentFacts, Live, Missing};

/// The live color's pods that are available and that the live Service lists.
fn carrying(report: &Report) -> i32 {
    let color = report.plan.live.color();
    let available = color
        .and_then(|color| report.seen.colors.get(color).deployment.ours())
        .map_or(0, |deployment| deployment.available);
    available.min(report.seen.service.ours().map_or(0, |service| service.endpoints))
}

/// How many pods of the live color should be available: the new value of `status.desiredHealthy`.
///
/// As many as have been at once, so that a pod that is lost counts, and one that is yet to come does not. A switch keeps the
/// number: the new color has to carry what the old one did.
pub(super) fn desired_healthy(report: &Report) -> Option<i32> {
    let color = report.plan.live.color()?;
    let asked = report.app.spec.replicas;
    let before = report.app.status.as_ref().and_then(|status| status.desired_healthy);
    // Where nothing is recorded: all pods of a Deployment whose size nobody has changed yet.
    let size = || report.seen.colors.get(color).deployment.ours().map(|deployment| deployment.replicas);
    before.or_else(size).map(|before| before.max(carrying(report)).min(asked))
}

/// Fewer pods are available than there were: pods have failed.
pub(super) fn is_degraded(report: &Report) -> bool {
    carrying(report) < desired_healthy(report).unwrap_or(1).max(1)
}

/// The condition `Ready` of an app whose live color is selected and not as the spec asks.
pub(super) fn unready(report: &Report, missing: Missing) -> (bool, Why) {
    let color = report.app.spec.active;
    if is_degraded(report) {
        return (false, ("LiveNotReady", lacks(report, color, missing)));
    }
    if report.seen.recorded.switching && report.seen.elapsed.moved.is_none() {
        return (false, ("Switching", format!("the Service moves to {color}")));
    }
    let deployment = report.seen.colors.get(color).deployment.ours();
    let reason = if deployment.is_some_and(|d| is_scaling(d, missing)) { "Scaling" } else { "Updating" };
    (true, (reason, lacks(report, color, missing)))
}

/// Only the number of pods is on its way, not what they run.
fn is_scaling(deployment: &DeploymentFacts, missing: Missing) -> bool {
    match missing {
        Missing::Size { .. } => true,
        Missing::Observed | Missing::Pods { .. } | Missing::Endpoints { .. } => {
            let one_revision = deployment.total == deployment.updated;
            let is_counted = deployment.observed || deployment.total != deployment.replicas;
            deployment.rolled_out && one_revision && is_counted
        }
        Missing::Block
        | Missing::Revision
        | Missing::Deployment
        | Missing::Rollout
        | Missing::Deadline
        | Missing::ReplicaSet
        | Missing::Nodes { .. } => false,
    }
}

/// What the live color has, in words. Of an update in place: how many pods are updated, and how many are available of either
/// version.
pub(super) fn pods(report: &Report, missing: Missing) -> Option<String> {
    let color = report.app.spec.active;
    let deployment = report.seen.colors.get(color).deployment.ours()?;
    let (Live::Selected(live), Missing::Pods { want, .. }) = (report.plan.live, missing) else { return None };
    if live != color {
        return None;
    }
    let available = deployment.available;
    if deployment.total == deployment.updated {
        return Some(format!("{color} has {available} of {want} pods available"));
    }
    let updated = deployment.updated;
    Some(format!("{color} is being updated: {updated} of {want} pods are updated, {available} are available"))
}
