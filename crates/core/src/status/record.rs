//! PURE: what later decisions read back from the status, without its words and its times.
//!
//! The exhaustive model writes exactly this record in the place of a status, so that the function that it explores is the
//! one that runs. It uses the planner's types only.

use crate::apply::{Failure, FailureKind};
use crate::plan::{self, Child, Intent, Live, Observed, Plan, Stage};
use bluegreen_api::{Color, PerColor};

/// The part of a status that is read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// `status.active`: the color that the Service selects, as committed last.
    pub active: Option<Color>,
    /// `status.switch`: from which color, and to which.
    pub switch: Option<(Option<Color>, Color)>,
    /// Nothing was under way, and no earlier write could still take effect.
    pub settled: bool,
    /// `servedRevision` of each color: the revision that was live last.
    pub served: PerColor<Option<i64>>,
    /// `status.desiredHealthy`: how many pods of the live color should be available.
    pub healthy: Option<i32>,
}

/// A write that does not succeed. The planner does not know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failed {
    /// The color whose object it was about; `None` for the live Service.
    pub color: Option<Color>,
    /// Who has to do something about it.
    pub kind: FailureKind,
    /// It was about the Job of a check, or about what nothing needs any more: the app waits for neither.
    pub aside: bool,
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        Self { color: failure.color, kind: failure.kind, aside: failure.check.is_some() || failure.leftover }
    }
}

impl Failed {
    /// Returns true if it concerns the idle color alone, so it is no reason to call the app anything.
    pub fn is_of_idle(self, intent: &Intent, plan: &Plan) -> bool {
        plan.live == Live::Selected(intent.active) && self.color == Some(intent.active.other())
    }
}

/// Why nothing will happen without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stall {
    /// Another installation's operator, or a later leader, holds the objects.
    Holder,
    /// The spec breaks a rule.
    InvalidSpec,
    /// An object of a child's name belongs to somebody else.
    Conflict,
    /// The API server refused a write that the app waits for, or somebody reverts it each time.
    Refused,
    /// `spec.paused` holds back a change.
    Paused,
    /// A check has refused what the spec asks for.
    Check,
    /// It waited for longer than the progress deadline.
    Deadline,
    /// An edit of the live color's block is held.
    Held,
}

impl Stall {
    /// Returns true if it is told only when no earlier write can still take effect.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Holder | Self::InvalidSpec | Self::Paused | Self::Held => true,
            Self::Conflict | Self::Refused | Self::Check | Self::Deadline => false,
        }
    }
}

/// Work that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// The target is made ready.
    Target,
    /// Checks run.
    Checking,
    /// The Service is pointed at the target, or its endpoints follow.
    Switching,
    /// A write did not succeed, and is tried again.
    Retry,
    /// Earlier writes that may still take effect are fenced.
    Fencing,
    /// The live color is brought to what the spec says.
    Live,
    /// The idle color is.
    Idle(Color),
}

/// Where an app stands: whether anything goes on, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing will happen without a change.
    Stalled(Stall),
    /// Work is under way.
    Working(Work),
    /// There is nothing to do.
    Resting,
}

impl Standing {
    /// Returns true if nothing is under way, and no earlier write can still take effect.
    fn is_settled(self) -> bool {
        match self {
            Self::Stalled(stall) => stall.is_settled(),
            Self::Working(_) => false,
            Self::Resting => true,
        }
    }
}

/// Returns the record that follows from the one before and from the decision.
pub fn record(
    old: &Record,
    intent: &Intent,
    facts: &Observed,
    plan: &Plan,
    failed: Option<Failed>,
) -> Record {
    record_of(old, intent, facts, plan, standing(old, intent, facts, plan, failed))
}

/// Returns the same [`record`] of an app of which it is known where it stands.
pub(super) fn record_of(
    old: &Record,
    intent: &Intent,
    facts: &Observed,
    plan: &Plan,
    standing: Standing,
) -> Record {
    Record {
        active: plan.live.color().or(old.active),
        // A switch that may still take effect is not over, whatever the spec says now: its drain would be skipped.
        switch: switch(old, intent, plan).or(old.switch.filter(|_| is_unfenced(facts, plan))),
        settled: standing.is_settled(),
        served: PerColor::from_fn(|color| served(old, intent, facts, color)),
        healthy: healthy(old.healthy, intent, facts, plan),
    }
}

/// Returns how many of the live color's pods are available and listed by the live Service.
fn listed_and_available(facts: &Observed, plan: &Plan) -> i32 {
    let color = plan.live.color();
    let available = color
        .and_then(|color| facts.colors.get(color).deployment.ours())
        .map_or(0, |deployment| deployment.available);
    available.min(facts.service.ours().map_or(0, |service| service.endpoints))
}

/// Returns how many pods of the live color should be available; `before` is the number that was recorded.
///
/// As many as have been at once, so that a pod that is lost counts, and one that is yet to come does not. A switch keeps the
/// number: the new color has to carry what the old one did.
fn healthy(before: Option<i32>, intent: &Intent, facts: &Observed, plan: &Plan) -> Option<i32> {
    let color = plan.live.color()?;
    // Where nothing is recorded: all pods of a Deployment whose size nobody has changed yet.
    let size = || facts.colors.get(color).deployment.ours().map(|deployment| deployment.replicas);
    before.or_else(size).map(|before| before.max(listed_and_available(facts, plan)).min(intent.replicas))
}

/// Returns true if fewer pods of the live color are available than there were: pods have failed.
pub fn is_degraded(old: &Record, intent: &Intent, facts: &Observed, plan: &Plan) -> bool {
    listed_and_available(facts, plan) < healthy(old.healthy, intent, facts, plan).unwrap_or(1).max(1)
}

/// Returns true if there is something to do, and an earlier write may still take effect. Where there is nothing to do, a
/// report before this one has made sure of that.
fn is_unfenced(facts: &Observed, plan: &Plan) -> bool {
    !plan.actions.is_empty() && !plan::is_fenced(facts)
}

/// Returns true if the color that should be live is, and its pods fail. Nothing that waits for a person may hide that:
/// neither a pause nor a write that is refused. Who is called for such pods is called.
pub fn fails(old: &Record, intent: &Intent, facts: &Observed, plan: &Plan) -> bool {
    plan.live == Live::Selected(intent.active)
        && plan.waits.gate.is_some()
        && is_degraded(old, intent, facts, plan)
}

/// Returns the switch that is under way: from the moment in which the user asks for it until the old color has drained.
fn switch(old: &Record, intent: &Intent, plan: &Plan) -> Option<(Option<Color>, Color)> {
    let target = intent.active;
    let to_target = old.switch.filter(|(_, to)| *to == target);
    match plan.stage {
        Stage::Preparing { .. } | Stage::Checking { .. } | Stage::Switching { .. } => match plan.live.color()
        {
            // The Service selects the target already: the switch keeps the color that it came from.
            Some(live) if live == target => {
                to_target.or(Some((old.switch.map(|(_, before)| before), target)))
            }
            from => Some((from, target)),
        },
        Stage::Draining { old } => Some((Some(old), target)),
        Stage::Watching { .. } => old.switch,
        // However many pods the new color has: the old one's drain is over.
        Stage::Unready { .. } if plan.switched => None,
        // The Service may have been pointed back before anybody saw that it had left: that drain is still to come.
        Stage::Unready { .. } => to_target.or(old.switch.map(|_| (Some(target.other()), target))),
        Stage::Paused | Stage::Pausing | Stage::Yielding | Stage::Invalid => old.switch,
        Stage::Serving => None,
    }
}

/// Returns the generation that is recorded with a switch: that at which it was first recorded. What was found before a pause says
/// nothing about what is there after it, so a pause renews the number. `kept` is that of the same switch, if it is recorded.
pub fn generation(kept: Option<i64>, plan: &Plan, now: i64) -> i64 {
    let is_paused = matches!(plan.stage, Stage::Paused | Stage::Pausing);
    kept.filter(|_| !is_paused).unwrap_or(now)
}

/// Returns the revision of a color that was live last. It is remembered for as long as the color has a block or a Deployment, or
/// a lost Service would make it forgotten.
fn served(old: &Record, intent: &Intent, facts: &Observed, color: Color) -> Option<i64> {
    let remains = facts.colors.get(color).deployment.ours().is_some() || *intent.wanted.get(color);
    let on_service = facts.service.ours().and_then(|service| *service.served.get(color));
    on_service.or(*old.served.get(color)).filter(|_| remains)
}

/// Returns where an app stands. What is stalled does no work.
pub(super) fn standing(
    old: &Record,
    intent: &Intent,
    facts: &Observed,
    plan: &Plan,
    failed: Option<Failed>,
) -> Standing {
    if let Some(stall) = stall(old, intent, facts, plan, failed) {
        return Standing::Stalled(stall);
    }
    work(old, intent, facts, plan, failed).map_or(Standing::Resting, Standing::Working)
}

/// Returns why nothing will happen without a change; the first cause wins.
fn stall(
    old: &Record,
    intent: &Intent,
    facts: &Observed,
    plan: &Plan,
    failed: Option<Failed>,
) -> Option<Stall> {
    let target = intent.active;
    if plan.waits.holder.is_some() {
        return Some(Stall::Holder);
    }
    if intent.invalid {
        return Some(Stall::InvalidSpec);
    }
    if facts.has_foreign(intent.wanted) {
        return Some(Stall::Conflict);
    }
    let fails = fails(old, intent, facts, plan);
    // A check's Job that is refused is what that check says; the app waits for its deadline. What is not removed stays.
    let is_refused = |failed: &Failed| {
        failed.kind != FailureKind::Failed && !failed.is_of_idle(intent, plan) && !failed.aside
    };
    if failed.as_ref().is_some_and(is_refused) && !fails {
        return Some(Stall::Refused);
    }
    if facts.checks.rejected.is_some() && !fails {
        return Some(Stall::Check);
    }
    if plan.waits.late {
        return Some(Stall::Deadline);
    }
    // Those two are told only of an app at rest: a later pass takes it that nothing is to be fenced any more.
    if is_unfenced(facts, plan) {
        return None;
    }
    if plan.waits.paused && !fails {
        return Some(Stall::Paused);
    }
    // It waits for the checks first.
    let is_watched = matches!(plan.stage, Stage::Watching { .. });
    let held = plan.held == Some(target) && plan.live.color() == Some(target) && !is_watched;
    held.then_some(Stall::Held)
}

/// Returns what is under way in an app that is not stalled.
fn work(
    old: &Record,
    intent: &Intent,
    facts: &Observed,
    plan: &Plan,
    failed: Option<Failed>,
) -> Option<Work> {
    let target = intent.active;
    // Nothing may be called done before that: it is what tells a later pass that there is nothing to fence.
    let is_retried = failed.is_some_and(|failed| failed.kind == FailureKind::Failed && !failed.aside)
        && !fails(old, intent, facts, plan);
    if is_unfenced(facts, plan) {
        // Why there is something to fence says more than that it is fenced.
        return Some(if is_retried { Work::Retry } else { Work::Fencing });
    }
    if is_retried {
        return Some(Work::Retry);
    }
    if failed.is_some() && fails(old, intent, facts, plan) {
        return None;
    }
    match plan.stage {
        Stage::Preparing { .. } => Some(Work::Target),
        Stage::Checking { .. } | Stage::Watching { .. } => Some(Work::Checking),
        Stage::Switching { .. } => Some(Work::Switching),
        Stage::Pausing => Some(Work::Fencing),
        // Pods that fail are no work that the spec asked for.
        Stage::Unready { .. } if plan.waits.checks.is_some() && !is_degraded(old, intent, facts, plan) => {
            Some(Work::Checking)
        }
        Stage::Unready { missing } => {
            (missing.is_update() || !is_degraded(old, intent, facts, plan)).then_some(Work::Live)
        }
        Stage::Serving => {
            let idle = target.other();
            // What was refused makes no progress without an edit; StandbyReady says so.
            let is_refused = failed.is_some_and(|failed| failed.color == Some(idle));
            let waits = *intent.wanted.get(idle) && !is_refused && is_rolling(facts, idle);
            waits.then_some(Work::Idle(idle))
        }
        Stage::Draining { .. } | Stage::Paused | Stage::Yielding | Stage::Invalid => None,
    }
}

/// Returns true if the color is on its way to its newest revision, and has not exceeded its progress deadline.
fn is_rolling(facts: &Observed, color: Color) -> bool {
    let facts = facts.colors.get(color);
    match facts.deployment.ours() {
        Some(deployment) => {
            let complete = deployment.rolled_out
                && deployment.observed
                && deployment.matches
                && Some(deployment.revision) == facts.current.map(|stored| stored.number);
            !complete && !deployment.deadline_exceeded && deployment.replicas > 0
        }
        None => facts.deployment == Child::Absent,
    }
}
