//! The rules of the planner, each in one place: what is live, what may be selected, and what may be changed.

use super::{
    Change, Child, ColorFacts, Fence, Holder, Intent, Live, Missing, Observed, Recorded, Routing, Selection,
    ServiceFacts, Stored, checks, need,
};
use bluegreen_api::{ActiveUpdatePolicy, Color, PerColor};

/// What a color is used for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// It is live (or was until somebody edited the Service).
    Live,
    /// It is the target of a switch.
    Target,
    /// It is the old color. Until the end of the drain it may grow, and nothing else.
    Draining,
    /// It is idle, and nothing depends on it.
    Idle,
}

/// Returns what is live: what the Service selects, unless somebody edited the selector.
///
/// The Service also records the live color, in an annotation that is written in the same request. So the two differ
/// only after somebody else's edit. If the Service is gone, `status.active` decides.
pub fn live(service: &Child<ServiceFacts>, recorded: &Recorded) -> Live {
    let recorded = recorded.active;
    let Some(service) = service.ours() else {
        return recorded.map_or(Live::Never, Live::Lost);
    };
    match (service.selects, service.committed.or(recorded)) {
        (Selection::Color(selected), Some(committed)) if selected == committed => Live::Selected(selected),
        // Somebody edited the record and not the selector: the status still has the live color.
        (Selection::Color(selected), _) if recorded == Some(selected) => Live::Selected(selected),
        (_, Some(committed)) => Live::Lost(committed),
        (Selection::Color(_) | Selection::Nothing | Selection::Edited, None) => Live::Never,
    }
}

impl Intent {
    /// Returns the same intent with its aim, as these facts have it.
    #[must_use]
    pub fn aimed(&self, seen: &Observed) -> Self {
        let live = live(&seen.service, &seen.recorded);
        Self { active: checks::aim(self.active, seen.checks.rejected, live), ..self.clone() }
    }
}

impl Routing {
    /// Returns what is live.
    pub fn live(&self) -> Live {
        live(&self.service, &self.recorded)
    }
}

/// The gate: checks whether `color` may be selected.
///
/// The color needs the newest revision, every declared field, an observed generation that has caught up, no pod of
/// another revision, a complete rollout of at least as many pods as carry the traffic now, a ReplicaSet that belongs
/// to this Deployment, and as many ready pods of that ReplicaSet in the color's own EndpointSlices, each with every port
/// of the Service. If traffic stays on the node that it came to, there must also be such a pod on every node on which the live color has one. `need`
/// says how many pods are needed.
///
/// # Errors
/// The first thing that is missing.
pub fn gate(intent: &Intent, seen: &Observed, color: Color) -> Result<(), Missing> {
    let facts = seen.colors.get(color);
    if !*intent.wanted.get(color) {
        return Err(Missing::Block);
    }
    let Some(current) = facts.current else { return Err(Missing::Revision) };
    let live = live(&seen.service, &seen.recorded);
    // A live color may be behind the spec (a held edit). A target may not, not even while its own drain keeps its new
    // revision waiting.
    let is_newest = |newest: Stored| newest == current && !outdated(newest, facts);
    // What the operator goes back to by itself is what has served, whatever the spec asks for next.
    let lags = live.color() != Some(color)
        && !checks::goes_back(intent, seen, live)
        && !facts.newest.is_some_and(is_newest);
    if lags || needs_revision(intent, seen, live, color).is_some() {
        return Err(Missing::Revision);
    }
    let Some(deployment) = facts.deployment.ours() else { return Err(Missing::Deployment) };
    // An edit of the settings counts for a color that is being prepared, as that of any shared field. What has served
    // is a way back, which must not wait for a write.
    let is_set = deployment.settings || facts.served;
    if !deployment.matches || !is_set || deployment.revision != current.number {
        return Err(Missing::Rollout);
    }
    let need = need::needed(intent, seen, live, color);
    need::enough(intent, live, color, deployment, need, facts.endpoints)?;
    // The live color is not asked: a port that is added to the Services takes nothing from those that it has.
    if live.color() != Some(color) && facts.ported < need {
        return Err(Missing::Ports { have: facts.ported, want: need });
    }
    // A rollback is not asked for this. No wait would move pods that already have their nodes, and the failing color
    // would stay live in the meantime. Such a switch can lose only requests to a node that its clients have not left
    // yet.
    let moves = live.color().is_some_and(|live| live != color);
    if moves && !facts.served && !facts.uncovered.is_empty() {
        return Err(Missing::Nodes { uncovered: facts.uncovered.len() });
    }
    Ok(())
}

/// Returns true if the drain of the old color is over: for all of `drainSeconds`, no endpoint of it was behind the
/// live Service.
///
/// The number of pods of the new color does not matter. Otherwise, a pod that comes and goes would keep the old color
/// and its edits waiting.
pub(super) fn drained(intent: &Intent, seen: &Observed) -> bool {
    seen.elapsed.cleared.is_some_and(|cleared| cleared >= intent.drain)
}

/// Returns true if there was a switch away from `color`, and the status has not recorded the end of its drain.
pub(super) fn left_recently(seen: &Observed, live: Live, color: Color) -> bool {
    let Some(now) = live.color() else { return false };
    let has_served =
        seen.service.ours().map_or(seen.colors.get(color).served, |s| s.served.get(color).is_some());
    let drain_recorded = seen.recorded.active == Some(now) && !seen.recorded.switching;
    color != now && has_served && !drain_recorded
}

/// Returns true if `color` may still be in its drain, or checks may still take the switch away from it back, so that only its
/// size may grow.
pub(super) fn drains(intent: &Intent, seen: &Observed, live: Live, color: Color) -> bool {
    left_recently(seen, live, color) && (!drained(intent, seen) || checks::holds_old(seen, live))
}

/// Returns what `color` is used for now.
pub(super) fn role(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Role {
    if live.color() == Some(color) {
        Role::Live
    } else if intent.active == color {
        Role::Target
    } else if drains(intent, seen, live, color) {
        Role::Draining
    } else {
        Role::Idle
    }
}

/// Returns true if an edit of the live color's block is held.
pub(super) fn holds(intent: &Intent, seen: &Observed, color: Color) -> bool {
    let change = seen.colors.get(color).current.map(|stored| stored.change);
    intent.policy == ActiveUpdatePolicy::Freeze && change == Some(Change::Block)
}

/// Returns the number of the revision to store, if `color` must be rendered again.
///
/// A color's pods change only when its own block changes, and never while it is live. A color that was not live since
/// its own last edit is being prepared, and takes shared edits at once.
pub(super) fn needs_revision(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Option<i64> {
    if !*intent.wanted.get(color) {
        return None;
    }
    let facts = seen.colors.get(color);
    let running = facts.deployment.ours().map_or(0, |d| d.revision);
    let Some(newest) = facts.newest else {
        // If there is a Deployment, its revision is recovered from it instead. A number that the Service has recorded
        // is not used again, because the new revision was never live.
        let last = seen.service.ours().and_then(|service| *service.served.get(color)).unwrap_or(0);
        return (running == 0).then(|| last.max(facts.taken).saturating_add(1));
    };
    let next = newest.number.max(running).max(facts.taken).saturating_add(1);
    let allowed = match role(intent, seen, live, color) {
        Role::Live => {
            let edited = newest.change == Change::Block || never_began(facts);
            // What the checks are about stays until they have their verdict.
            intent.policy == ActiveUpdatePolicy::RollingUpdate && edited && !checks::holds_old(seen, live)
        }
        Role::Draining => false,
        // The target of a switch back may still be in its drain. Its pods change only after that.
        // What the operator goes back to by itself stays as it has served.
        Role::Target => !drains(intent, seen, live, color) && !checks::goes_back(intent, seen, live),
        Role::Idle => true,
    };
    (outdated(newest, facts) && allowed).then_some(next)
}

/// Returns the revision that should be recorded for the live color instead of the present one.
///
/// That is the newest revision, if the color may be updated in place. An update that was recorded and has not begun
/// is taken back when the spec asks for something else. Otherwise, if the API server keeps refusing the update, the
/// edit that fixes it would be held.
pub(super) fn in_place(intent: &Intent, facts: &ColorFacts) -> Option<i64> {
    let (current, newest) = (facts.current?, facts.newest?);
    if intent.policy == ActiveUpdatePolicy::RollingUpdate
        && newest.number > current.number
        // An edit of a shared field since then concerns only the next revision.
        && newest.change != Change::Block
    {
        return Some(newest.number);
    }
    let unwanted = never_began(facts) && current.change != Change::None;
    facts.deployment.ours().filter(|_| unwanted).map(|running| running.revision)
}

/// Returns true if an in-place update is recorded and has not begun: the Service records a revision as live, but the
/// Deployment still runs an older one.
fn never_began(facts: &ColorFacts) -> bool {
    let running = facts.deployment.ours().filter(|deployment| deployment.stored);
    running.zip(facts.current).is_some_and(|(running, current)| running.revision < current.number)
}

/// Returns true if the spec has changed since the newest revision was rendered, in a way that this color takes over.
pub fn outdated(newest: Stored, facts: &ColorFacts) -> bool {
    match newest.change {
        Change::None => false,
        Change::Shared => !facts.served || never_began(facts),
        Change::Block => true,
    }
}

/// Returns true if the spec asks for what a color runs again, before the newer revision of an edit had any pod. Then the revision
/// that runs counts as the newest: no pod is replaced for an edit that was taken back, and a way back to these pods waits for no
/// write of the Deployment. `served`: what runs has been live.
pub fn is_taken_back(running: Stored, newer: Stored, served: bool) -> bool {
    let is_asked_for = match running.change {
        Change::None => true,
        Change::Shared => served,
        Change::Block => false,
    };
    running.number < newer.number && newer.change != Change::None && is_asked_for
}

/// Returns the revision whose pods are ready and would be replaced before the switch to `target`, only because an edit of
/// the shared fields came with it. People may have tested these pods, so they are told.
pub fn replaces_tested(seen: &Observed, target: Color) -> Option<i64> {
    let live = live(&seen.service, &seen.recorded).color()?;
    let facts = seen.colors.get(target);
    let (newest, deployment) = (facts.newest?, facts.deployment.ours()?);
    let is_ready = deployment.revision == newest.number && deployment.rolled_out;
    (live != target && newest.change == Change::Shared && is_ready).then_some(newest.number)
}

/// Returns which objects do not carry this leader's token: the Service, and the Deployments of which colors.
pub(super) fn unfenced(seen: &Observed) -> (bool, Vec<Color>) {
    let stale = |fence: &Fence| *fence != Fence::Mine;
    let service = seen.service.ours().is_some_and(|s| stale(&s.fence));
    let colors = Color::ALL
        .into_iter()
        .filter(|&c| seen.colors.get(c).deployment.ours().is_some_and(|d| stale(&d.fence)))
        .collect();
    (service, colors)
}

/// Returns who else holds the objects: an operator of another installation, or a later leader of this one.
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

/// Returns what the live color lacks at its present size because pods fail. Changes that are still to be made are
/// left out.
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

/// Checks whether the live color is as the spec asks for it, with all `spec.replicas` pods. It is the rule of the
/// gate, except that a color may be live without a block.
///
/// # Errors
/// The first thing that is missing.
pub(super) fn serving(intent: &Intent, seen: &Observed, color: Color) -> Result<(), Missing> {
    match gate(intent, seen, color) {
        Err(Missing::Block) => Ok(()),
        other => other,
    }
}
