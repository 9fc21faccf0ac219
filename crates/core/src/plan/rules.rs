//! The rules, each in one place: what is live, what may be selected, touched, or how large it is.

use super::{
    Change, Child, ColorFacts, Fence, Holder, Intent, Live, Missing, Observed, Recorded, Selection,
    ServiceFacts, Stored, size,
};
use bluegreen_api::{ActiveUpdatePolicy, Color, PerColor};

/// What a color is used for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// It serves (or did until somebody edited the Service).
    Live,
    /// It is to serve next.
    Target,
    /// It served until just now: until the drain has passed it may grow, and nothing else.
    Draining,
    /// Nothing depends on it.
    Idle,
}

/// What is live: the Service's selector, unless somebody edited it. The record of the committed color is in
/// the same object and was written in the same request, so the two differ only after a foreign edit;
/// `status.active` decides when the Service is gone.
pub fn live(service: &Child<ServiceFacts>, recorded: &Recorded) -> Live {
    let recorded = recorded.active;
    let Some(service) = service.ours() else {
        return recorded.map_or(Live::Never, Live::Lost);
    };
    match (service.selects, service.committed.or(recorded)) {
        (Selection::Color(selected), Some(committed)) if selected == committed => Live::Selected(selected),
        // The record was edited, not the selector: the status still knows.
        (Selection::Color(selected), _) if recorded == Some(selected) => Live::Selected(selected),
        (_, Some(committed)) => Live::Lost(committed),
        (Selection::Color(_) | Selection::Nothing | Selection::Edited, None) => Live::Never,
    }
}

/// May `color` be selected? `Err` names the first thing that is missing.
///
/// The whole readiness rule: current revision, every declared field, observed generation, no pod of another revision, a
/// complete roll-out of at least as many pods as carry the traffic now, a ReplicaSet that is this Deployment's, and as many
/// ready pods of it in the color's own EndpointSlices. Where traffic stays on the node that it came to, these pods must also
/// be on every node that serves now. `size` says how many pods are needed.
pub fn gate(intent: &Intent, seen: &Observed, color: Color) -> Result<(), Missing> {
    let facts = seen.colors.get(color);
    if !*intent.wanted.get(color) {
        return Err(Missing::Block);
    }
    let Some(current) = facts.current else { return Err(Missing::Revision) };
    let live = live(&seen.service, &seen.recorded);
    // A live color may lag behind the spec (a held edit), a target may not: not even while its drain keeps the
    // new rendering waiting.
    let is_newest = |newest: Stored| newest == current && !outdated(newest, facts);
    let lags = live.color() != Some(color) && !facts.newest.is_some_and(is_newest);
    if lags || needs_revision(intent, seen, live, color).is_some() {
        return Err(Missing::Revision);
    }
    let Some(deployment) = facts.deployment.ours() else { return Err(Missing::Deployment) };
    if !deployment.matches || deployment.revision != current.number {
        return Err(Missing::Rollout);
    }
    size::enough(intent, live, color, deployment, size::needed(intent, seen, live, color), facts.endpoints)?;
    // Not asked of a rollback: pods that have served have their places, and no wait would move them, while the color
    // that fails goes on serving. What such a switch can lose is what comes to a node before its clients leave it.
    let moves = live.color().is_some_and(|live| live != color);
    if moves && !facts.served && !facts.uncovered.is_empty() {
        return Err(Missing::Nodes { uncovered: facts.uncovered.len() });
    }
    Ok(())
}

/// Has the color that served before been left alone for long enough? No endpoint of it has been live for the whole drain,
/// however many pods the new color has: a pod that comes and goes must not keep the old color, nor its edits, waiting.
pub(super) fn drained(intent: &Intent, seen: &Observed) -> bool {
    seen.elapsed.cleared.is_some_and(|cleared| cleared >= intent.drain)
}

/// A switch away from `color` is recent: the status has not recorded the end of its drain.
pub(super) fn left_recently(seen: &Observed, live: Live, color: Color) -> bool {
    let Some(now) = live.color() else { return false };
    let has_served =
        seen.service.ours().map_or(seen.colors.get(color).served, |s| s.served.get(color).is_some());
    let drain_recorded = seen.recorded.active == Some(now) && !seen.recorded.switching;
    color != now && has_served && !drain_recorded
}

/// What is `color` used for now?
pub(super) fn role(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Role {
    if live.color() == Some(color) {
        Role::Live
    } else if intent.active == color {
        Role::Target
    } else if left_recently(seen, live, color) && !drained(intent, seen) {
        Role::Draining
    } else {
        Role::Idle
    }
}

/// The change to the live color's block that waits until it may apply.
pub(super) fn holds(intent: &Intent, seen: &Observed, color: Color) -> bool {
    let change = seen.colors.get(color).current.map(|stored| stored.change);
    intent.policy == ActiveUpdatePolicy::Freeze && change == Some(Change::Block)
}

/// Must `color` be rendered anew, and under which number?
///
/// A color's pods change only when its own block changes, and never while it is live; one that has not served
/// since its own last edit is being prepared and takes shared edits at once.
pub(super) fn needs_revision(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Option<i64> {
    if !*intent.wanted.get(color) {
        return None;
    }
    let facts = seen.colors.get(color);
    let running = facts.deployment.ours().map_or(0, |d| d.revision);
    let Some(newest) = facts.newest else {
        // With a Deployment in place its rendering is recovered, not guessed.
        // A number that the Service remembers is not used again: the new rendering has not served.
        let last = seen.service.ours().and_then(|service| *service.served.get(color)).unwrap_or(0);
        return (running == 0).then(|| last.saturating_add(1));
    };
    let next = newest.number.max(running).saturating_add(1);
    let allowed = match role(intent, seen, live, color) {
        Role::Live => {
            let edited = newest.change == Change::Block || never_began(facts);
            intent.policy == ActiveUpdatePolicy::RollingUpdate && edited
        }
        Role::Draining => false,
        // The target of a switch back may still be draining: its block is edited only after that.
        Role::Target => !left_recently(seen, live, color) || drained(intent, seen),
        Role::Idle => true,
    };
    (outdated(newest, facts) && allowed).then_some(next)
}

/// Which revision should the live color run instead of the one that is recorded for it?
///
/// The newest, if it may be updated in place. An update that was recorded but has not begun is taken back once the
/// spec asks for something else: the API server may refuse it for ever, and the edit that mends it would be held.
pub(super) fn in_place(intent: &Intent, facts: &ColorFacts) -> Option<i64> {
    let (current, newest) = (facts.current?, facts.newest?);
    if intent.policy == ActiveUpdatePolicy::RollingUpdate
        && newest.number > current.number
        // A shared field that was edited since concerns the next rendering, not whether this one is wanted.
        && newest.change != Change::Block
    {
        return Some(newest.number);
    }
    let unwanted = never_began(facts) && current.change != Change::None;
    facts.deployment.ours().filter(|_| unwanted).map(|running| running.revision)
}

/// The revision that is recorded as serving never ran: the pods are of the one before. So it is under an update in
/// place, until the Deployment is edited.
fn never_began(facts: &ColorFacts) -> bool {
    let running = facts.deployment.ours().filter(|deployment| deployment.stored);
    running.zip(facts.current).is_some_and(|(running, current)| running.revision < current.number)
}

/// Would the spec render this color differently now, in a way that concerns it?
pub fn outdated(newest: Stored, facts: &ColorFacts) -> bool {
    match newest.change {
        Change::None => false,
        Change::Shared => !facts.served || never_began(facts),
        Change::Block => true,
    }
}

/// What does not carry this leader's token: the Service, and the Deployments.
pub(super) fn unfenced(seen: &Observed) -> (bool, Vec<Color>) {
    let stale = |fence: &Fence| *fence != Fence::Mine;
    let service = seen.service.ours().is_some_and(|s| stale(&s.fence));
    let colors = Color::ALL
        .into_iter()
        .filter(|&c| seen.colors.get(c).deployment.ours().is_some_and(|d| stale(&d.fence)))
        .collect();
    (service, colors)
}

/// Who else holds the objects: an operator of another installation, or a later leader of this one.
pub(super) fn holder(seen: &Observed) -> Option<Holder> {
    let on_service = seen.service.ours().map(|service| &service.fence);
    let on_colors = PerColor::from_fn(|color| seen.colors.get(color).deployment.ours().map(|d| &d.fence));
    let (mut service, mut colors) = (false, Vec::new());
    let tokens =
        [(None, on_service), (Some(Color::Blue), on_colors.blue), (Some(Color::Green), on_colors.green)];
    for (color, fence) in tokens {
        match (fence, color) {
            (Some(Fence::Foreign(operator)), _) => return Some(Holder::Installation(operator.clone())),
            (Some(Fence::Newer), None) => service = true,
            (Some(Fence::Newer), Some(color)) => colors.push(color),
            (Some(Fence::Mine | Fence::Stale) | None, _) => {}
        }
    }
    (service || !colors.is_empty()).then_some(Holder::Leader { service, colors })
}

/// What the live color lacks at its present size, apart from changes that are yet to be made: pods that fail.
pub(super) fn failing(intent: &Intent, seen: &Observed, live: Live) -> Option<(Color, Missing)> {
    let Live::Selected(color) = live else { return None };
    let Some(deployment) = seen.colors.get(color).deployment.ours() else {
        return Some((color, Missing::Deployment));
    };
    let as_it_is =
        Intent { replicas: deployment.replicas, policy: ActiveUpdatePolicy::Freeze, ..intent.clone() };
    let missing = serving(&as_it_is, seen, color).err()?;
    (!missing.is_update()).then_some((color, missing))
}

/// Is the live color as the spec wants it, all `spec.replicas` pods of it? The gate's rule, except that a held edit is no
/// fault of the pods.
pub(super) fn serving(intent: &Intent, seen: &Observed, color: Color) -> Result<(), Missing> {
    match gate(intent, seen, color) {
        Err(Missing::Block) => Ok(()),
        other => other,
    }
}
