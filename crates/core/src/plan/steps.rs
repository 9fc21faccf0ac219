//! The next steps, in order of urgency.

use super::rules::{Role, gate, in_place, needs_revision, role, unfenced};
use super::{Action, Child, ColorFacts, DeploymentFacts, Fence, Intent, Live, Observed, size};
use bluegreen_api::Color;

/// What to do, in order of urgency. A step that needs the cluster to settle first comes alone.
pub(super) fn steps(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    if let Some(action) = restore(seen, live) {
        return vec![action];
    }
    // Before anything about the other color: a failing color, or one whose objects the API server refuses, must
    // never stand in the way of leaving it.
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
    if actions.is_empty() {
        actions = change(intent, seen, live);
    }
    actions
}

/// The switch, if its target passes the gate; what is not fenced yet is fenced first.
fn switch_now(intent: &Intent, seen: &Observed, live: Live) -> Option<Action> {
    let to = intent.active;
    seen.service.ours()?;
    // The status says so first: a user who goes to green and back between two looks would otherwise leave no
    // trace of green's having served, and its drain would be skipped.
    if live == Live::Selected(to) || !seen.recorded.switching || gate(intent, seen, to).is_err() {
        return None;
    }
    Some(fence(seen).unwrap_or(Action::Switch { from: live.color(), to }))
}

/// A lost or edited Service gets its committed color back before anything else.
fn restore(seen: &Observed, live: Live) -> Option<Action> {
    match (live, &seen.service) {
        (Live::Lost(_), Child::Absent) => Some(Action::CreateService),
        (Live::Lost(to), Child::Ours(_)) => Some(Action::Restore { to }),
        (Live::Lost(_), Child::Collecting | Child::Foreign) | (Live::Selected(_) | Live::Never, _) => None,
    }
}

/// What is missing of `color` and can be created without making any pod unready.
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

/// Steps that could make a color unready: each waits for the fence, and for a live look.
fn change(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    let edits: Vec<Action> =
        Color::ALL.into_iter().filter_map(|color| upkeep(intent, seen, live, color)).collect();
    // Fencing while the target still rolls keeps it out of the way of the switch.
    let switching = live != Live::Selected(intent.active);
    let wants_fence = !edits.is_empty() || switching || !seen.recorded.settled;
    if wants_fence && let Some(stamps) = fence(seen) {
        return vec![stamps];
    }
    if !edits.is_empty() {
        return guarded(seen, edits);
    }
    Color::ALL
        .into_iter()
        .flat_map(|color| {
            let facts = seen.colors.get(color);
            facts.obsolete.iter().map(move |&number| Action::DropRevision { color, number })
        })
        .collect()
}

/// Edits of Deployments, after the stamps that they need.
fn guarded(seen: &Observed, edits: Vec<Action>) -> Vec<Action> {
    if let Some(stamps) = fence(seen) {
        return vec![stamps];
    }
    // The Service must be ours and fenced: otherwise a late switch onto the edited color could still commit.
    let service_held = seen.service.ours().is_some_and(|s| s.fence == Fence::Mine);
    if service_held { edits } else { Vec::new() }
}

/// All that a paused app does: its live color follows `spec.replicas`, as a paused Deployment does.
pub(super) fn resize_live(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    let Live::Selected(color) = live else { return Vec::new() };
    let size = seen.colors.get(color).deployment.ours().map(|deployment| deployment.replicas);
    let replicas = intent.replicas;
    if !is_resize(seen, color) || size == Some(replicas) {
        return Vec::new();
    }
    guarded(seen, vec![Action::EditDeployment { color, replicas }])
}

/// An edit of the color's Deployment would change its size alone.
pub(super) fn is_resize(seen: &Observed, color: Color) -> bool {
    let facts = seen.colors.get(color);
    let both = facts.current.zip(facts.deployment.ours());
    both.is_some_and(|(current, deployment)| !is_edited(current.number, deployment))
}

/// The Deployment differs from the revision with this number in more than its size.
fn is_edited(number: i64, deployment: &DeploymentFacts) -> bool {
    number != deployment.revision || !deployment.matches
}

/// The stamps that are missing; `None` if everything carries this leader's token.
pub(super) fn fence(seen: &Observed) -> Option<Action> {
    let (service, colors) = unfenced(seen);
    (service || !colors.is_empty()).then_some(Action::Fence { service, colors })
}

/// Brings an existing color to its rendering and size, or removes it; at most one step.
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
    (edited || deployment.replicas != replicas).then_some(Action::EditDeployment { color, replicas })
}

fn has_anything(facts: &ColorFacts) -> bool {
    facts.newest.is_some()
        || matches!(facts.service, Child::Ours(_))
        || matches!(facts.deployment, Child::Ours(_))
}
