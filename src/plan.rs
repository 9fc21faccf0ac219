//! PURE: intent + observation → what to do next.
//!
//! `plan` is total: no async, clock, client, randomness or panic. The same function runs in the controller,
//! in the exhaustive model, in the property tests and behind `kubectl bluegreen plan`.
//!
//! The rules, each with its one home below:
//!
//! | rule | home |
//! |---|---|
//! | what is live | [`live`] |
//! | which color may be touched, and how large it is | [`role`], [`size`] |
//! | when a color's pods may change | [`needs_revision`], [`upkeep`] |
//! | when a color may be selected | [`gate`] |
//! | when the old color may be touched | [`drained`] |
//! | what must be fenced first | [`unfenced`] |

mod facts;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use facts::{
    Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Observed, Recorded, Selection,
    ServiceFacts, Standby, Stored,
};

use crate::api::{ActiveUpdatePolicy, Color};

/// One request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Create the live Service. It selects no pod: a create has no precondition but absence, so a late one could
    /// select a color that was left long ago.
    CreateService,
    /// Put the committed color back into a Service that somebody edited, or that was lost and is created anew:
    /// no gate, or a scratch becomes a blackout.
    Restore {
        /// The committed color.
        to: Color,
    },
    /// Declare the live Service's other fields again, selector unchanged.
    UpdateService,
    /// Create or correct a color's own Service.
    ApplyColorService(Color),
    /// Render the spec for this color and keep the result under this number.
    StoreRevision {
        /// The color.
        color: Color,
        /// The new revision's number.
        number: i64,
    },
    /// Keep what the color's Deployment runs as this revision: the stored one was lost.
    RecoverRevision {
        /// The color.
        color: Color,
        /// The number that its pods carry.
        number: i64,
    },
    /// Record on the Service that the live color now runs a newer revision (in-place update).
    Promote {
        /// The live color.
        color: Color,
        /// Its newest revision.
        number: i64,
    },
    /// Create a color's Deployment.
    CreateDeployment {
        /// The color.
        color: Color,
        /// Its size.
        replicas: i32,
    },
    /// Bring a color's Deployment to its stored revision and this size.
    EditDeployment {
        /// The color.
        color: Color,
        /// Its size.
        replicas: i32,
    },
    /// Stamp the token: `service`, then the Deployments of `colors`.
    Fence {
        /// Stamp the live Service.
        service: bool,
        /// Stamp these Deployments.
        colors: Vec<Color>,
    },
    /// Point the Service at another color.
    Switch {
        /// The color that serves now.
        from: Option<Color>,
        /// The color that passed the gate.
        to: Color,
    },
    /// Delete a stored rendering that nothing needs.
    DropRevision {
        /// The color.
        color: Color,
        /// Its number.
        number: i64,
    },
    /// Delete everything of an idle color whose block left the spec.
    RemoveColor(Color),
}

impl Action {
    /// The color that it is about, if it is about one alone.
    pub fn color(&self) -> Option<Color> {
        match self {
            Self::CreateService { .. }
            | Self::Restore { .. }
            | Self::UpdateService
            | Self::Fence { .. }
            | Self::Switch { .. }
            | Self::Promote { .. } => None,
            Self::ApplyColorService(color) | Self::RemoveColor(color) => Some(*color),
            Self::StoreRevision { color, .. }
            | Self::RecoverRevision { color, .. }
            | Self::CreateDeployment { color, .. }
            | Self::EditDeployment { color, .. }
            | Self::DropRevision { color, .. } => Some(*color),
        }
    }
}

/// Why a target may not be selected yet: the first thing that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The color's block is not in the spec.
    Block,
    /// Its rendering is not stored yet, or the spec has a newer one.
    Revision,
    /// There is no Deployment of ours.
    Deployment,
    /// The Deployment differs from the stored rendering or has another size.
    Rollout,
    /// The Deployment controller has not seen the newest generation.
    Observed,
    /// Pods are not updated, ready and available yet.
    Pods {
        /// Available pods of the newest revision.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// The roll passed its progress deadline.
    Deadline,
    /// The ReplicaSet is not this Deployment's, or has another revision.
    ReplicaSet,
    /// Its own EndpointSlices do not list enough ready pods.
    Endpoints {
        /// Ready pods listed.
        have: i32,
        /// Pods needed.
        want: i32,
    },
}

/// What is live now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Live {
    /// The Service selects this color, as we committed it.
    Selected(Color),
    /// The Service is missing or edited; this color was committed last.
    Lost(Color),
    /// Nothing has ever been committed.
    Never,
}

impl Live {
    /// The color that serves, or would if nobody had interfered.
    pub fn color(self) -> Option<Color> {
        match self {
            Self::Selected(color) | Self::Lost(color) => Some(color),
            Self::Never => None,
        }
    }
}

/// Where the app stands; `status` turns it into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Another installation's operator, or a later leader, holds the objects.
    Yielding,
    /// `spec.paused`: nothing is changed.
    Paused,
    /// The pause was asked for, but a late write could still commit.
    Pausing,
    /// The target is not ready to be selected.
    Preparing {
        /// The color in `spec.active`.
        target: Color,
        /// The first thing that is missing.
        missing: Missing,
    },
    /// Everything is there: the selector is about to move, or has just moved and the endpoints follow.
    Switching {
        /// The color in `spec.active`.
        to: Color,
    },
    /// The new color serves; the old one is kept as it is until the drain has passed.
    Draining {
        /// The color that served before.
        old: Color,
    },
    /// The color in `spec.active` serves and is fully ready.
    Serving,
    /// The color in `spec.active` is selected but not (or no longer) fully ready.
    Unready {
        /// The first thing that is missing.
        missing: Missing,
    },
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// What to do now, in this order; empty when there is nothing to do but wait.
    pub actions: Vec<Action>,
    /// Where the app stands.
    pub stage: Stage,
    /// What is live.
    pub live: Live,
    /// An edit of the live color's block waits: the color it is held for.
    pub held: Option<Color>,
    /// Look again after this long, even if nothing happens.
    pub wake: Option<Duration>,
}

/// What a color is used for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    /// It serves (or did until somebody edited the Service).
    Live,
    /// It is to serve next.
    Target,
    /// It served until just now: untouchable until the drain has passed.
    Draining,
    /// Nothing depends on it.
    Idle,
}

/// Decides what to do next.
pub fn plan(intent: &Intent, seen: &Observed) -> Plan {
    let live = live(&seen.service, &seen.recorded);
    let stage = stage(intent, seen, live);
    let actions = match stage {
        Stage::Yielding | Stage::Paused => Vec::new(),
        Stage::Pausing => fence(unfenced(seen)),
        Stage::Preparing { .. }
        | Stage::Switching { .. }
        | Stage::Draining { .. }
        | Stage::Serving
        | Stage::Unready { .. } => steps(intent, seen, live),
    };
    let held = live.color().filter(|&color| holds(intent, seen, color));
    Plan { actions, stage, live, held, wake: wake(intent, seen, live) }
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
/// The whole readiness rule: current rendering, every declared field, observed generation, updated == total ==
/// ready == available == desired, a ReplicaSet that is this Deployment's, and that many ready pods of it in the
/// color's own EndpointSlices.
pub fn gate(intent: &Intent, seen: &Observed, color: Color) -> Result<(), Missing> {
    let facts = seen.colors.get(color);
    if !*intent.wanted.get(color) {
        return Err(Missing::Block);
    }
    let Some(current) = facts.current else { return Err(Missing::Revision) };
    let live = live(&seen.service, &seen.recorded);
    // A live color may lag behind the spec (a held edit), a target may not: not even while its drain keeps the
    // new rendering waiting.
    let lags = live.color() != Some(color) && facts.newest.is_some_and(|newest| outdated(newest, facts));
    if lags || needs_revision(intent, seen, live, color).is_some() {
        return Err(Missing::Revision);
    }
    let Some(deployment) = facts.deployment.ours() else { return Err(Missing::Deployment) };
    let want = intent.replicas;
    if !deployment.matches || deployment.revision != current.number || deployment.replicas != want || want < 1
    {
        return Err(Missing::Rollout);
    }
    if !deployment.observed {
        return Err(Missing::Observed);
    }
    if deployment.deadline_exceeded {
        return Err(Missing::Deadline);
    }
    let counts = [deployment.total, deployment.updated, deployment.ready, deployment.available];
    if counts.iter().any(|&count| count != want) {
        let have = deployment.updated.min(deployment.ready).min(deployment.available);
        return Err(Missing::Pods { have, want });
    }
    if !deployment.proven {
        return Err(Missing::ReplicaSet);
    }
    if facts.endpoints < want {
        return Err(Missing::Endpoints { have: facts.endpoints, want });
    }
    Ok(())
}

/// Has the color that served before been left alone for long enough? Strict: the live slices have held only
/// the new color's pods, enough of them ready, for the whole drain.
fn drained(intent: &Intent, seen: &Observed) -> bool {
    seen.elapsed.moved.is_some_and(|moved| moved >= intent.drain)
}

/// As [`drained`], for an explicit edit of the old color's block: it needs only that no endpoint of the old
/// color has been live for the whole drain. A broken target must not block its own fix.
fn cleared(intent: &Intent, seen: &Observed) -> bool {
    drained(intent, seen) || seen.elapsed.cleared.is_some_and(|cleared| cleared >= intent.drain)
}

/// A switch away from `color` is recent: the status has not recorded the end of its drain.
fn left_recently(seen: &Observed, live: Live, color: Color) -> bool {
    let Some(now) = live.color() else { return false };
    let has_served =
        seen.service.ours().map_or(seen.colors.get(color).served, |s| s.served.get(color).is_some());
    let drain_recorded = seen.recorded.active == Some(now) && !seen.recorded.switching;
    color != now && has_served && !drain_recorded
}

/// What is `color` used for now?
fn role(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Role {
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

/// How many pods `color` should have; `None`: leave it as it is.
fn size(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Option<i32> {
    match role(intent, seen, live, color) {
        Role::Live | Role::Target => Some(intent.replicas),
        Role::Draining => None,
        Role::Idle => Some(standby_size(intent, seen, color)),
    }
}

fn standby_size(intent: &Intent, seen: &Observed, color: Color) -> i32 {
    match intent.standby {
        Standby::Warm => intent.replicas,
        Standby::Reduced { replicas, after } => {
            let facts = seen.colors.get(color);
            // A color that never served was put there to be looked at: at least one pod.
            let looked_at = replicas.min(intent.replicas).max(1);
            if *seen.elapsed.idle.get(color) < after {
                if facts.served { intent.replicas } else { looked_at }
            } else if facts.served || !after.is_zero() {
                replicas.min(intent.replicas)
            } else {
                looked_at
            }
        }
    }
}

/// The change to the live color's block that waits until it may apply.
fn holds(intent: &Intent, seen: &Observed, color: Color) -> bool {
    let change = seen.colors.get(color).current.map(|stored| stored.change);
    intent.policy == ActiveUpdatePolicy::Freeze && change == Some(Change::Block)
}

/// Must `color` be rendered anew, and under which number?
///
/// A color's pods change only when its own block changes, and never while it is live; one that has not served
/// since its own last edit is being prepared and takes shared edits at once.
fn needs_revision(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Option<i64> {
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
        Role::Live => intent.policy == ActiveUpdatePolicy::RollingUpdate && newest.change == Change::Block,
        Role::Draining => newest.change == Change::Block && cleared(intent, seen),
        // The target of a switch back may still be draining: its block is edited only after that.
        Role::Target => !left_recently(seen, live, color) || cleared(intent, seen),
        Role::Idle => true,
    };
    (outdated(newest, facts) && allowed).then_some(next)
}

/// Would the spec render this color differently now, in a way that concerns it?
fn outdated(newest: Stored, facts: &ColorFacts) -> bool {
    match newest.change {
        Change::None => false,
        Change::Shared => !facts.served,
        Change::Block => true,
    }
}

/// What does not carry this leader's token: the Service, and the Deployments.
fn unfenced(seen: &Observed) -> (bool, Vec<Color>) {
    let stale = |fence: &Fence| *fence != Fence::Mine;
    let service = seen.service.ours().is_some_and(|s| stale(&s.fence));
    let colors = Color::ALL
        .into_iter()
        .filter(|&c| seen.colors.get(c).deployment.ours().is_some_and(|d| stale(&d.fence)))
        .collect();
    (service, colors)
}

fn fence((service, colors): (bool, Vec<Color>)) -> Vec<Action> {
    if service || !colors.is_empty() { vec![Action::Fence { service, colors }] } else { Vec::new() }
}

/// Somebody with an equal or better claim holds the objects.
fn yields(seen: &Observed) -> bool {
    let fences =
        seen.service.ours().map(|s| &s.fence).into_iter().chain(
            Color::ALL.into_iter().filter_map(|c| seen.colors.get(c).deployment.ours().map(|d| &d.fence)),
        );
    fences.into_iter().any(|fence| match fence {
        Fence::Newer | Fence::Foreign(_) => true,
        Fence::Mine | Fence::Stale => false,
    })
}

fn stage(intent: &Intent, seen: &Observed, live: Live) -> Stage {
    if yields(seen) {
        return Stage::Yielding;
    }
    if intent.paused {
        let (service, colors) = unfenced(seen);
        let clean = !service && colors.is_empty();
        return if clean || seen.recorded.settled { Stage::Paused } else { Stage::Pausing };
    }
    let active = intent.active;
    if live != Live::Selected(active) {
        return match gate(intent, seen, active) {
            Ok(()) => Stage::Switching { to: active },
            Err(missing) => Stage::Preparing { target: active, missing },
        };
    }
    if let Err(missing) = serving(intent, seen, active) {
        return Stage::Unready { missing };
    }
    let fresh = seen.recorded.active != Some(active) || seen.recorded.switching;
    if fresh && seen.elapsed.moved.is_none() {
        return Stage::Switching { to: active };
    }
    let old = active.other();
    if left_recently(seen, live, old) && !drained(intent, seen) {
        return Stage::Draining { old };
    }
    Stage::Serving
}

/// Is the live color as the spec wants it? The gate's rule, except that a held edit is no fault of the pods.
fn serving(intent: &Intent, seen: &Observed, color: Color) -> Result<(), Missing> {
    match gate(intent, seen, color) {
        Err(Missing::Block) => Ok(()),
        other => other,
    }
}

/// What to do, in order of urgency. A step that needs the cluster to settle first comes alone.
fn steps(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
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
    let (service, colors) = unfenced(seen);
    if service || !colors.is_empty() {
        return Some(Action::Fence { service, colors });
    }
    Some(Action::Switch { from: live.color(), to })
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
        let replicas = size(intent, seen, live, color).unwrap_or(intent.replicas);
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
    if wants_fence {
        let (service, colors) = unfenced(seen);
        if service || !colors.is_empty() {
            return fence((service, colors));
        }
    }
    // The Service must be ours and fenced: otherwise a late switch onto the edited color could still commit.
    let service_held = seen.service.ours().is_some_and(|s| s.fence == Fence::Mine);
    if !edits.is_empty() {
        return if service_held { edits } else { Vec::new() };
    }
    Color::ALL
        .into_iter()
        .flat_map(|color| {
            let facts = seen.colors.get(color);
            facts.obsolete.iter().map(move |&number| Action::DropRevision { color, number })
        })
        .collect()
}

/// Brings an existing color to its rendering and size, or removes it; at most one step.
fn upkeep(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Option<Action> {
    let facts = seen.colors.get(color);
    let role = role(intent, seen, live, color);
    if !*intent.wanted.get(color) && role == Role::Idle {
        return has_anything(facts).then_some(Action::RemoveColor(color));
    }
    let current = facts.current?;
    let newest = facts.newest?;
    if role == Role::Live
        && intent.policy == ActiveUpdatePolicy::RollingUpdate
        && newest.number > current.number
        && newest.change == Change::None
    {
        return Some(Action::Promote { color, number: newest.number });
    }
    let deployment = facts.deployment.ours()?;
    let edited = current.number != deployment.revision || !deployment.matches;
    if role == Role::Draining {
        // Only the edit of its own block, and only once no connection can reach it, breaks the rest.
        return (current.number > deployment.revision && cleared(intent, seen))
            .then_some(Action::EditDeployment { color, replicas: standby_size(intent, seen, color) });
    }
    let replicas = size(intent, seen, live, color)?;
    // A switch back during the drain uses the target as it is, or waits: connections may still reach it.
    let lowers = edited || replicas < deployment.replicas;
    if role == Role::Target && lowers && left_recently(seen, live, color) && !cleared(intent, seen) {
        return None;
    }
    (edited || deployment.replicas != replicas).then_some(Action::EditDeployment { color, replicas })
}

fn has_anything(facts: &ColorFacts) -> bool {
    facts.newest.is_some()
        || matches!(facts.service, Child::Ours(_))
        || matches!(facts.deployment, Child::Ours(_))
}

/// When to look again although nothing happened: the end of a drain, of a deadline, of the standby timer.
fn wake(intent: &Intent, seen: &Observed, live: Live) -> Option<Duration> {
    let left = |limit: Duration, passed: Duration| limit.checked_sub(passed).filter(|d| !d.is_zero());
    let draining = Color::ALL.into_iter().any(|c| left_recently(seen, live, c));
    let drain = [seen.elapsed.moved, seen.elapsed.cleared]
        .into_iter()
        .flatten()
        .filter(|_| draining)
        .filter_map(|passed| left(intent.drain, passed))
        .min();
    let deadline = seen.elapsed.switching.and_then(|passed| left(intent.deadline, passed));
    let standby = match intent.standby {
        Standby::Warm => None,
        Standby::Reduced { after, .. } => Color::ALL
            .into_iter()
            .filter(|&c| live.color() != Some(c) && *intent.wanted.get(c))
            .filter_map(|c| left(after, *seen.elapsed.idle.get(c)))
            .min(),
    };
    [drain, deadline, standby].into_iter().flatten().min()
}
