//! What the pass asks of an action: what its answer tells, and who waits for it.

use super::observer::{Decision, Observer};
use crate::plan::{Action, Child, Live};
use bluegreen_api::Color;

/// Returns true if this action writes what was there before, and not the next revision or the size of an idle color.
pub(super) fn restores<O: Observer>(action: &Action, decision: &Decision<O>) -> bool {
    match *action {
        Action::EditDeployment { color, replicas } => {
            let facts = decision.facts.colors.get(color);
            let both = facts.current.zip(facts.deployment.ours());
            both.is_some_and(|(current, deployment)| {
                let is_live = decision.plan.live.color() == Some(color);
                let is_resized = deployment.replicas != replicas && is_live;
                // `kubectl rollout undo` runs another revision than the one that is recorded as live.
                let is_undone = is_live && facts.served;
                (deployment.revision == current.number || is_undone) && (!deployment.matches || is_resized)
            })
        }
        Action::ApplyColorService(_) | Action::ApplyPreview(_) | Action::UpdateService => true,
        // It has an announcement of its own.
        Action::Restore { .. } => false,
        Action::CreateService
        | Action::StoreRevision { .. }
        | Action::RecoverRevision { .. }
        | Action::Promote { .. }
        | Action::CreateDeployment { .. }
        | Action::Fence { .. }
        | Action::Switch { .. }
        | Action::RunCheck { .. }
        | Action::DropJob { .. }
        | Action::DropRevision { .. }
        | Action::RemoveColor(_)
        | Action::RemovePreview => false,
    }
}

/// Returns true if the answer holds all that the action writes, so that the pass may go on without another read. Not after a
/// stamp: what an earlier leader has written until then shows in a read after it. The deletion of a Deployment or of a Service is
/// answered before it is carried out, and a Job's end follows from its own watch.
pub fn is_told_by_its_answer(action: &Action) -> bool {
    match action {
        Action::CreateService
        | Action::UpdateService
        | Action::ApplyColorService(_)
        | Action::StoreRevision { .. }
        | Action::RecoverRevision { .. }
        | Action::Promote { .. }
        | Action::CreateDeployment { .. }
        | Action::EditDeployment { .. }
        | Action::Switch { .. }
        | Action::DropRevision { .. }
        | Action::ApplyPreview(_) => true,
        Action::Restore { .. }
        | Action::Fence { .. }
        | Action::RunCheck { .. }
        | Action::DropJob { .. }
        | Action::RemoveColor(_)
        | Action::RemovePreview => false,
    }
}

/// Returns true if the action may rest on the answers to earlier writes: it follows without another read. Each such action names
/// the very object that it writes, and nothing that moves traffic or ends pods of a color that may serve is among them.
pub(super) fn may_rest_on_answers(action: &Action) -> bool {
    is_told_by_its_answer(action) && !matches!(action, Action::Promote { .. } | Action::Switch { .. })
}

/// Returns true if all that is to be done is to create the first objects of an app that has none and was never live. That may rest on
/// the watch caches, however old they are: a create fails if the object exists, and everything is read then. What old caches may
/// create is what a late request of an earlier leader may create, too.
pub(super) fn is_first_creation<O: Observer>(decision: &Decision<O>) -> bool {
    let facts = &decision.facts;
    let has_none = |color: Color| {
        let facts = facts.colors.get(color);
        facts.deployment == Child::Absent && facts.newest.is_none()
    };
    let creates = |action: &Action| {
        matches!(action, Action::CreateService | Action::ApplyColorService(_) | Action::StoreRevision { .. })
    };
    let actions = &decision.plan.actions;
    decision.plan.live == Live::Never
        && facts.service == Child::Absent
        && Color::ALL.into_iter().all(has_none)
        && !actions.is_empty()
        && actions.iter().all(creates)
}

/// Returns true if the action only stamps the token.
pub(super) fn is_fence(action: &Action) -> bool {
    matches!(action, Action::Fence { .. })
}

/// Returns true if the action is about the Job of a check. A Job carries no token, and no decision about traffic depends on whether
/// there is one: where such an action got no answer, nothing is fenced anew.
pub fn is_about_job(action: &Action) -> bool {
    matches!(action, Action::RunCheck { .. } | Action::DropJob { .. })
}

/// Returns true if clients depend on the action. Requests go astray while the live Service is edited, and the live color's
/// pods are too few while somebody keeps it smaller.
pub(super) fn is_urgent<O: Observer>(action: &Action, decision: &Decision<O>) -> bool {
    match action {
        Action::Restore { .. } => true,
        Action::EditDeployment { color, replicas } => {
            let deployment = decision.facts.colors.get(*color).deployment.ours();
            decision.plan.live.color() == Some(*color)
                && deployment.is_some_and(|deployment| deployment.replicas < *replicas)
        }
        Action::CreateService
        | Action::UpdateService
        | Action::ApplyColorService(_)
        | Action::StoreRevision { .. }
        | Action::RecoverRevision { .. }
        | Action::Promote { .. }
        | Action::CreateDeployment { .. }
        | Action::Fence { .. }
        | Action::Switch { .. }
        | Action::RunCheck { .. }
        | Action::DropJob { .. }
        | Action::DropRevision { .. }
        | Action::RemoveColor(_)
        | Action::ApplyPreview(_)
        | Action::RemovePreview => false,
    }
}
