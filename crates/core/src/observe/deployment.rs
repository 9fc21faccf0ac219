//! A Deployment as facts: what it runs, and how far its rollout is.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use kube::{Resource, ResourceExt};

use super::elapsed::since;
use super::{Snapshot, exact, seconds};
use crate::desired::{self, names};
use crate::fence::Token;
use crate::plan::{DeploymentFacts, Fence};
use bluegreen_api::Color;

/// Returns the facts about a Deployment. `stored` are the color's revisions, and `current` is the one that it should run.
pub(super) fn deployment_facts(
    seen: &Snapshot,
    token: &Token,
    deployment: &Deployment,
    stored: &[&desired::Stored],
    current: Option<&desired::Stored>,
    color: Color,
    now: Timestamp,
) -> DeploymentFacts {
    let spec = deployment.spec.as_ref();
    let status = deployment.status.clone().unwrap_or_default();
    let replicas = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let stamps = [deployment.labels(), deployment.annotations()];
    let fence = stamps.map(|stamps| token.compare(stamps.get(names::FENCE).map(String::as_str), None));
    let live = exact::Live::of(deployment);
    let is_as = |stored| exact::deployment(&seen.app, color, stored, replicas, &live).is_none();
    let matches = current.is_some_and(is_as);
    let revision = desired::running_revision(deployment).unwrap_or(0);
    DeploymentFacts {
        revision,
        stored: stored.iter().any(|stored| stored.number == revision),
        matches,
        settings: exact::settings(&seen.app, &live).is_none(),
        fence: Fence::of_both(fence),
        replicas,
        observed: status.observed_generation.unwrap_or(-1) >= deployment.meta().generation.unwrap_or(0),
        total: status.replicas.unwrap_or(0),
        updated: status.updated_replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        rolled_out: progressing(deployment)
            .is_some_and(|c| c.reason.as_deref() == Some("NewReplicaSetAvailable")),
        deadline_exceeded: deadline_exceeded(
            deployment,
            current.and_then(|stored| seen.revision_created(color, stored.number)),
            now,
        ),
        proven: seen.proof.get(color).as_ref().is_none_or(|proof| {
            current.is_some_and(|stored| !proof.replica_sets(deployment, stored.number).is_empty())
        }),
    }
}

fn progressing(deployment: &Deployment) -> Option<&DeploymentCondition> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "Progressing")
}

/// Returns true if the rollout of a revision that was stored at `created` has exceeded its deadline.
///
/// The Deployment controller keeps its verdict until pods get ready, and two verdicts that it keeps don't count:
///
/// - that on the version before, which it may give the new version with the new observedGeneration. That happens if a
///   conflict keeps it from noting that the new ReplicaSet was created (`getNewReplicaSet` and `syncRolloutStatus` of
///   Kubernetes 1.35). With that verdict, a fix would be called stalled from the start. So a verdict must be younger
///   than the revision by half of the deadline. It is not the whole deadline, because the two times come from the clocks
///   of two machines;
/// - that on a deadline which has been extended since (`DeploymentTimedOut`): the revision has time until the new one.
fn deadline_exceeded(deployment: &Deployment, created: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(verdict) = progressing(deployment) else { return false };
    if verdict.status != "False" || verdict.reason.as_deref() != Some("ProgressDeadlineExceeded") {
        return false;
    }
    let deadline = deployment.spec.as_ref().and_then(|spec| spec.progress_deadline_seconds).unwrap_or(600);
    let deadline = seconds(deadline);
    let written = verdict.last_update_time.as_ref().map(|time| time.0);
    created.zip(written).is_none_or(|(created, written)| {
        since(created, written) >= deadline / 2 && since(created, now.max(written)) >= deadline
    })
}
