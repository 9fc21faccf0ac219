//! The next actions, in order of urgency.

use super::preview::preview;
use super::rules::{Role, drains, gate, in_place, needs_revision, role, unfenced};
use super::{Action, Child, ColorFacts, DeploymentFacts, Fence, Intent, Live, Observed, checks, jobs, size};
use bluegreen_api::Color;

/// Returns what to do, in order of urgency. An action on which the next ones depend comes alone.
pub(super) fn steps(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    if let Some(action) = restore(seen, live) {
        return vec![action];
    }
    // The switch comes before everything that concerns the other color. If a color fails, or the API server refuses
    // its objects, that must not keep the app from switching away from it.
    if let Some(action) = switch_now(intent, seen, live) {
        return vec![action];
    }
    let mut actions = Vec::new();
    if seen.service == Child::Absent {
        actions.push(Action::CreateService);
    }
    for color in Color::ALL {
        actions.extend(create(intent, seen, live, color));
    }
    if let Child::Ours(service) = &seen.service
        && !service.current
    {
        actions.push(Action::UpdateService);
    }
    actions.extend(jobs::begin(intent, seen, live));
    // A color whose objects can't be made, because the API server refuses one of them, does not keep the other from its
    // size and its updates.
    let is_made = |color: &Color| !actions.iter().any(|action| makes(action, *color));
    let made: Vec<Color> = Color::ALL.into_iter().filter(is_made).collect();
    let is_alone = actions.is_empty();
    actions.extend(change(intent, seen, live, &made, is_alone));
    // Stamps come alone: what depends on them is planned when they are there.
    if !actions.iter().any(|action| matches!(action, Action::Fence { .. })) {
        actions.extend(preview(intent, seen, live));
    }
    actions
}

/// Returns true if the action makes a revision or the Deployment of the color: what else concerns the color waits for it.
fn makes(action: &Action, color: Color) -> bool {
    match action {
        Action::StoreRevision { color: made, .. }
        | Action::RecoverRevision { color: made, .. }
        | Action::CreateDeployment { color: made, .. } => *made == color,
        Action::CreateService
        | Action::Restore { .. }
        | Action::UpdateService
        | Action::ApplyColorService(_)
        | Action::Promote { .. }
        | Action::EditDeployment { .. }
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

/// Returns the switch if its target passes the gate, or the stamps that are missing before it.
fn switch_now(intent: &Intent, seen: &Observed, live: Live) -> Option<Action> {
    let to = intent.active;
    seen.service.ours()?;
    let is_ready = || gate(intent, seen, to).is_ok() && checks::passed(intent, seen, live, to) == Ok(true);
    if live == Live::Selected(to) || !checks::is_recorded(seen, to) || !is_ready() {
        return None;
    }
    Some(fence(seen).unwrap_or(Action::Switch { from: live.color(), to }))
}

/// Returns the action that gives a lost or edited Service its live color back. It comes before everything else.
fn restore(seen: &Observed, live: Live) -> Option<Action> {
    match (live, &seen.service) {
        (Live::Lost(_), Child::Absent) => Some(Action::CreateService),
        (Live::Lost(to), Child::Ours(_)) => Some(Action::Restore { to }),
        (Live::Lost(_), Child::Collecting | Child::Foreign) | (Live::Selected(_) | Live::Never, _) => None,
    }
}

/// Returns the actions that create what is missing of `color`. None of them can make a pod unready.
fn create(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Vec<Action> {
    let facts = seen.colors.get(color);
    let is_live = live.color() == Some(color);
    if !*intent.wanted.get(color) && !is_live {
        return Vec::new();
    }
    let mut actions = Vec::new();
    match facts.service {
        Child::Absent | Child::Ours(false) => actions.push(Action::ApplyColorService(color)),
        Child::Ours(true) | Child::Collecting | Child::Foreign => {}
    }
    if let (None, Some(deployment)) = (facts.newest, facts.deployment.ours()) {
        actions.push(Action::RecoverRevision { color, number: deployment.revision.max(1) });
    } else if let Some(number) = needs_revision(intent, seen, live, color) {
        actions.push(Action::StoreRevision { color, number });
    } else if facts.deployment == Child::Absent && facts.current.is_some() {
        let replicas = size::initial(intent, seen, role(intent, seen, live, color), color);
        actions.push(Action::CreateDeployment { color, replicas });
    }
    actions
}

/// Returns the actions that could make a color unready. They need the stamps and a live read first. `made`: the colors
/// whose revision and Deployment need not be made. `is_alone`: nothing is to be created.
fn change(intent: &Intent, seen: &Observed, live: Live, made: &[Color], is_alone: bool) -> Vec<Action> {
    let edits: Vec<Action> = made.iter().filter_map(|&color| upkeep(intent, seen, live, color)).collect();
    // The stamps are written while the target still rolls, so that they don't delay the switch.
    let switching = live != Live::Selected(intent.active);
    let wants_fence = !edits.is_empty() || switching || !seen.recorded.settled;
    if wants_fence && let Some(stamps) = fence(seen) {
        return vec![stamps];
    }
    if !edits.is_empty() {
        return guarded(seen, edits);
    }
    if !is_alone {
        return Vec::new();
    }
    let jobs = (0..seen.checks.strays).map(|stray| Action::DropJob { stray });
    let revisions = Color::ALL.into_iter().flat_map(|color| {
        let facts = seen.colors.get(color);
        facts.obsolete.iter().map(move |&number| Action::DropRevision { color, number })
    });
    jobs.chain(revisions).collect()
}

/// Returns the edits of Deployments, or the stamps that are missing before them.
fn guarded(seen: &Observed, edits: Vec<Action>) -> Vec<Action> {
    if let Some(stamps) = fence(seen) {
        return vec![stamps];
    }
    // The Service must belong to the app and be stamped. Otherwise, a late switch to the edited color could still
    // take effect.
    let service_held = seen.service.ours().is_some_and(|s| s.fence == Fence::Mine);
    if service_held { edits } else { Vec::new() }
}

/// Returns the only action of a paused app: its live color follows `spec.replicas`, as a paused Deployment does.
pub(super) fn resize_live(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    let Live::Selected(color) = live else { return Vec::new() };
    let size = seen.colors.get(color).deployment.ours().map(|deployment| deployment.replicas);
    let replicas = intent.replicas;
    if !is_resize(seen, color) || size == Some(replicas) {
        return Vec::new();
    }
    guarded(seen, vec![Action::EditDeployment { color, replicas }])
}

/// Returns true if an edit of the color's Deployment would change no pod but its number. The settings may change, too.
pub(super) fn is_resize(seen: &Observed, color: Color) -> bool {
    let facts = seen.colors.get(color);
    let both = facts.current.zip(facts.deployment.ours());
    both.is_some_and(|(current, deployment)| !is_edited(current.number, deployment))
}

/// Returns true if the Deployment differs from the revision with this number in more than its size and its settings.
fn is_edited(number: i64, deployment: &DeploymentFacts) -> bool {
    number != deployment.revision || !deployment.matches
}

/// Returns the stamps that are missing, or `None` if everything carries this leader's token.
pub(super) fn fence(seen: &Observed) -> Option<Action> {
    let (service, colors) = unfenced(seen);
    (service || !colors.is_empty()).then_some(Action::Fence { service, colors })
}

/// Returns the action that brings an existing color to its revision and size, or removes it. It is at most one.
fn upkeep(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Option<Action> {
    let facts = seen.colors.get(color);
    let role = role(intent, seen, live, color);
    if !*intent.wanted.get(color) && role == Role::Idle {
        return has_anything(facts).then_some(Action::RemoveColor(color));
    }
    let current = facts.current?;
    if role == Role::Live
        && let Some(number) = in_place(intent, facts)
    {
        return Some(Action::Promote { color, number });
    }
    let deployment = facts.deployment.ours()?;
    let edited = is_edited(current.number, deployment);
    let replicas = size::wanted(intent, seen, live, role, color, edited)?;
    // The settings change no pod, and yet a write with an unknown result would hold up a way back.
    let resets = !deployment.settings && !drains(intent, seen, live, color);
    (edited || resets || deployment.replicas != replicas)
        .then_some(Action::EditDeployment { color, replicas })
}

fn has_anything(facts: &ColorFacts) -> bool {
    facts.newest.is_some()
        || matches!(facts.service, Child::Ours(_))
        || matches!(facts.deployment, Child::Ours(_))
}
