//! What a pause holds back.

use super::steps::is_resize;
use super::{Action, Child, Fence, Intent, Live, Observed, plan};
use bluegreen_api::Color;

/// Returns true if `spec.paused` holds back more than a change of size: without it, a switch or an edit would go on.
///
/// The live color follows `spec.replicas` while the app is paused, as a paused Deployment does. The idle color follows
/// afterwards: an autoscaler's write is no change that waits for a person.
pub(crate) fn paused_midway(intent: &Intent, seen: &Observed) -> bool {
    let unpaused = Intent { paused: false, ..intent.clone() };
    // Tokens that are missing are no change that anybody asked for.
    let mut seen = seen.clone();
    if let Child::Ours(service) = &mut seen.service {
        stamp(&mut service.fence);
    }
    for color in Color::ALL {
        if let Child::Ours(deployment) = &mut seen.colors.get_mut(color).deployment {
            stamp(&mut deployment.fence);
        }
    }
    let plan = plan(&unpaused, &seen);
    let resizes = |action: &Action| match action {
        Action::EditDeployment { color, .. } => is_resize(&seen, *color),
        Action::CreateService
        | Action::Restore { .. }
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
    };
    plan.live != Live::Selected(unpaused.aimed(&seen).active) || !plan.actions.iter().all(resizes)
}

fn stamp(fence: &mut Fence) {
    if *fence == Fence::Stale {
        *fence = Fence::Mine;
    }
}
