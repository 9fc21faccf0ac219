//! Checks: what they mean for a switch. The verdicts are those that the status records; Jobs decide nothing.
//!
//! Three ideas carry all of it. The *aim* is the color that should be live: `spec.active`, unless a check has refused exactly
//! that. A color is *exempt* when its revision has served and is not under suspicion, so that a way back waits for no check.
//! And what can't tell never moves traffic, in neither direction: it takes no switch back, and it casts no suspicion either.

use std::time::Duration;

use super::{Action, Intent, Live, Missing, Observed, gate};
use bluegreen_api::{CheckResult, CheckTime, Color, PerColor};

/// How many Jobs a check may have: one that is deleted before its verdict is made again once.
pub const ATTEMPTS: u8 = 2;

/// The checks of an app, as far as a decision needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checks {
    /// What the checks are about now; `None` while nothing is to be checked.
    pub run: Option<Run>,
    /// Each check of the spec, in its order, as far as it is about that run.
    pub all: Vec<CheckFacts>,
    /// What a check has refused, while the spec asks for exactly that.
    pub rejected: Option<Rejected>,
    /// The revision of each color whose checks after the switch are not over, or have found it to be bad.
    pub unproven: PerColor<Option<i64>>,
    /// As many Jobs run in the cluster as may: no other one begins now.
    pub full: bool,
    /// How many Jobs of the app nothing needs any more.
    pub strays: u8,
}

/// One try to make a color live, which checks are about. Verdicts of another run count for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The color.
    pub color: Color,
    /// Its revision.
    pub revision: i64,
    /// The `status.switch.generation` of the switch.
    pub generation: i64,
    /// The status records that switch as under way.
    pub open: bool,
    /// There is a color to go back to: another one served before, and its block is in the spec.
    pub guarded: bool,
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckFacts {
    /// When it runs.
    pub when: CheckTime,
    /// It decides something.
    pub enforced: bool,
    /// What the status records of it for this very run.
    pub recorded: Option<Verdict>,
    /// Its newest Job.
    pub job: CheckJob,
    /// What that Job's pods wait for.
    pub pods: JobPods,
}

/// What the pods of a check's Job wait for, as far as the Job shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobPods {
    /// Nothing: one is ready or has ended, or there is no Job.
    Fine,
    /// None was created yet, or it is not ready. That is worth telling after this time.
    Awaited(Duration),
    /// None was created, for longer than the Job controller takes.
    Missing,
    /// The first one is there, and not ready for longer than most images take.
    Unready,
    /// The Job is suspended.
    Suspended,
}

/// What the status records of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What it has found.
    pub result: CheckResult,
    /// How many Jobs it has had.
    pub attempts: u8,
    /// The time until its deadline.
    pub left: Duration,
}

/// The Job of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckJob {
    /// This read did not bring the Jobs.
    Unread,
    /// There is none.
    Absent,
    /// An object of its name belongs to somebody else.
    Foreign,
    /// There is one.
    Ours {
        /// Which one: the first, or the second.
        attempt: u8,
        /// What it says.
        result: CheckResult,
    },
}

/// What a check has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rejected {
    /// The color.
    pub color: Color,
    /// Whether it gated the switch or guarded it.
    pub when: CheckTime,
    /// What it found.
    pub result: CheckResult,
}

impl CheckFacts {
    /// Returns true if the check is over, as the status has it.
    pub fn is_final(&self) -> bool {
        self.recorded.is_some_and(|verdict| verdict.result.is_final())
    }

    /// Returns true if its deadline has passed without a verdict.
    pub(super) fn is_late(&self) -> bool {
        self.recorded.is_some_and(|verdict| verdict.left.is_zero())
    }

    /// Returns true if there is no Job of it, and no verdict either.
    fn lacks_job(&self) -> bool {
        !self.is_final() && self.job == CheckJob::Absent
    }

    fn has_begun(&self) -> bool {
        self.recorded.is_some()
    }

    fn is(&self, result: CheckResult) -> bool {
        self.recorded.is_some_and(|verdict| verdict.result == result)
    }
}

impl Checks {
    /// Returns the checks of that time.
    pub fn at(&self, when: CheckTime) -> impl Iterator<Item = &CheckFacts> {
        self.all.iter().filter(move |check| check.when == when)
    }

    /// Returns true if a Job may have to be created. Only then it matters whether there is [room](Self::full).
    pub fn may_begin(&self) -> bool {
        self.run.is_some() && self.all.iter().any(CheckFacts::lacks_job)
    }
}

/// Returns the aim: the color that should be live.
///
/// A check that fails after the switch takes it back, whatever it was that asked for it. One that fails before the switch, or
/// can't tell, leaves everything as it is.
pub fn aim(asked: Color, rejected: Option<Rejected>, live: Live) -> Color {
    let Some(rejected) = rejected.filter(|rejected| rejected.color == asked) else { return asked };
    match (rejected.when, rejected.result) {
        (CheckTime::After, CheckResult::Failed) => asked.other(),
        (CheckTime::Before | CheckTime::After, _) => live.color().unwrap_or(asked),
    }
}

/// Returns true if the operator goes back to the other color, although the spec asks for this one.
pub(super) fn goes_back(intent: &Intent, seen: &Observed, live: Live) -> bool {
    let refused = seen.checks.rejected.map(|rejected| rejected.color);
    refused.is_some() && refused == live.color() && refused != Some(intent.active)
}

/// Returns true if a switch to `color` waits for no check: its revision has served before, the checks after that switch were over
/// when it was left, and none of them had found it to be bad.
pub fn is_exempt(seen: &Observed, color: Color) -> bool {
    let is_enforced = seen.checks.at(CheckTime::After).any(|check| check.enforced);
    seen.colors.get(color).served && !(is_enforced && is_suspect(seen, color))
}

/// Returns the number of the present revision of `color`.
fn current(seen: &Observed, color: Color) -> Option<i64> {
    seen.colors.get(color).current.map(|current| current.number)
}

/// Returns true if the present revision of `color` is recorded as unproven.
fn is_suspect(seen: &Observed, color: Color) -> bool {
    let current = current(seen, color);
    current.is_some() && *seen.checks.unproven.get(color) == current
}

/// Returns the run that is about the present revision of `color`.
pub(super) fn run_of(seen: &Observed, color: Color) -> Option<Run> {
    let current = current(seen, color);
    seen.checks.run.filter(|run| run.color == color && Some(run.revision) == current)
}

/// Returns true if that run is about a switch that is under way.
fn is_open(seen: &Observed, color: Color) -> bool {
    run_of(seen, color).is_some_and(|run| run.open)
}

/// Checks whether the checks let the Service be pointed at `color`, which passes the gate.
///
/// # Errors
/// What is missing; `Ok(false)` while checks run.
pub(super) fn passed(intent: &Intent, seen: &Observed, live: Live, color: Color) -> Result<bool, Missing> {
    if is_exempt(seen, color) {
        return Ok(true);
    }
    if goes_back(intent, seen, live) {
        return Err(Missing::Unproven);
    }
    let passed = |check: &CheckFacts| match check.enforced {
        true => check.is(CheckResult::Passed),
        // What only reports has begun, so that it is not left out.
        false => check.has_begun(),
    };
    let mut before = seen.checks.at(CheckTime::Before).peekable();
    Ok(before.peek().is_none() || (is_open(seen, color) && before.all(passed)))
}

/// Returns true if the status records what it must before `to` is selected: that a switch is under way, and, where checks
/// follow, that it is this very switch and that the color is unproven.
///
/// Without the first, if the user switches to green and back between two reads, nothing would show that green was live, and
/// its drain would be skipped. Without the second, a color that is left in the middle of its checks would not be under suspicion.
pub(super) fn is_recorded(seen: &Observed, to: Color) -> bool {
    seen.recorded.switching && ((is_open(seen, to) && is_suspect(seen, to)) || !is_guarded(seen, to))
}

/// Returns true if checks follow a switch to `to`.
pub(crate) fn is_guarded(seen: &Observed, to: Color) -> bool {
    seen.checks.at(CheckTime::After).next().is_some() && !is_exempt(seen, to)
}

/// Returns true if the checks after the switch to the live color are not over yet.
pub(super) fn is_watched(seen: &Observed, live: Live) -> bool {
    let Live::Selected(color) = live else { return false };
    let waits = |check: &CheckFacts| !check.has_begun() || may_take_back(seen, check);
    is_open(seen, color)
        && seen.checks.rejected.is_none()
        && is_suspect(seen, color)
        && seen.checks.at(CheckTime::After).any(waits)
}

/// Returns true if what this check finds may still take the switch back, so that the old color is kept for it.
fn may_take_back(seen: &Observed, check: &CheckFacts) -> bool {
    check.enforced && seen.checks.run.is_some_and(|run| run.guarded) && !check.is_final()
}

/// Returns true if the checks after the switch may still take it back, so that the old color must stay as it is.
pub(super) fn holds_old(seen: &Observed, live: Live) -> bool {
    is_watched(seen, live) && seen.checks.at(CheckTime::After).any(|check| may_take_back(seen, check))
}

/// Returns the Jobs that are to be created now.
pub(super) fn begin(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    if seen.checks.full { Vec::new() } else { due(intent, seen, live) }
}

/// Returns true if a Job waits for others to end.
pub fn is_queued(intent: &Intent, seen: &Observed) -> bool {
    let live = super::live(&seen.service, &seen.recorded);
    seen.checks.full && !due(intent, seen, live).is_empty()
}

/// Returns the Jobs that are to be created as soon as there is room.
fn due(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    let color = intent.active;
    let Some(run) = run_of(seen, color).filter(|_| seen.checks.rejected.is_none()) else {
        return Vec::new();
    };
    let is_live = live == Live::Selected(color);
    let is_due = |check: &CheckFacts| match check.when {
        CheckTime::Before => {
            !is_live && run.open && !is_exempt(seen, color) && gate(intent, seen, color).is_ok()
        }
        // The first answers are those of the new color alone.
        CheckTime::After => {
            let begins = run.open && seen.elapsed.cleared.is_some() && seen.elapsed.moved.is_some();
            is_live && is_suspect(seen, color) && (begins || check.has_begun())
        }
    };
    let job = |(index, check): (usize, &CheckFacts)| {
        let attempt = check.recorded.map_or(0, |verdict| verdict.attempts).saturating_add(1);
        let wanted = check.lacks_job() && !check.is_late() && attempt <= ATTEMPTS;
        (wanted && is_due(check)).then_some(Action::RunCheck { check: u8::try_from(index).ok()?, attempt })
    };
    seen.checks.all.iter().enumerate().filter_map(job).collect()
}

/// How often to look whether there is room for another Job: no watch tells an app of the Jobs of others.
const QUEUED: Duration = Duration::from_secs(2);

/// Returns how long until the first deadline of a check that runs, until it is worth telling that a Job has no pod, or until
/// the next look for room.
pub(super) fn wake(intent: &Intent, seen: &Observed) -> Option<Duration> {
    let queued = is_queued(intent, seen).then_some(QUEUED);
    let running = seen.checks.all.iter().filter(|check| check.is(CheckResult::Running));
    let lefts = running.filter_map(|check| check.recorded.map(|verdict| verdict.left));
    let awaited =
        seen.checks.all.iter().filter(|check| !check.is_final()).filter_map(|check| match check.pods {
            JobPods::Awaited(left) => Some(left),
            JobPods::Fine | JobPods::Missing | JobPods::Unready | JobPods::Suspended => None,
        });
    lefts.chain(awaited).filter(|left| !left.is_zero()).chain(queued).min()
}
