//! The condition `Ready` of a live color that is not as the spec asks: it loses pods, or is being scaled or updated.

use super::reasons::Why;
use super::record::{Record, is_degraded};
use super::{Report, checks};
use crate::plan::{DeploymentFacts, Intent, Missing};

/// Returns the condition `Ready` of an app whose live color is selected and not as the spec asks; `words` say what it lacks.
pub(super) fn unready(
    report: &Report,
    old: &Record,
    intent: &Intent,
    missing: Missing,
    words: String,
) -> (bool, Why) {
    let color = intent.active;
    if is_degraded(old, intent, report.seen, report.plan) {
        return (false, ("LiveNotReady", words));
    }
    if report.seen.recorded.switching && report.seen.elapsed.moved.is_none() {
        return (false, ("Switching", words));
    }
    // Its pods are as they should be, and the verdict is still to come.
    if let Some(when) = report.plan.waits.checks {
        return (false, ("Checking", checks::running(report, when, color)));
    }
    let deployment = report.seen.colors.get(color).deployment.ours();
    let reason = if deployment.is_some_and(|d| is_scaling(d, missing)) { "Scaling" } else { "Updating" };
    (true, (reason, words))
}

/// Returns true if only the number of pods is on its way, not what they run.
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
        | Missing::Unproven
        | Missing::Ports { .. }
        | Missing::Nodes { .. } => false,
    }
}
