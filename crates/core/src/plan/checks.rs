//! Checks: what they mean for a switch. The verdicts are those that the status records; Jobs decide nothing.
//!
//! Three ideas carry all of it. The *aim* is the color that should be live: `spec.active`, unless a check has refused exactly
//! that. A color is *exempt* when its revision has served and is not under suspicion, so that a way back waits for no check.
//! And what can't tell never moves traffic, in neither direction: it takes no switch back, and it casts no suspicion either.

use super::check_facts::{CheckFacts, Rejected, Run};
use super::facts::{Intent, Observed};
use super::stage::{Live, Missing};
use bluegreen_api::{CheckResult, CheckTime, Color};

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
pub(super) fn is_suspect(seen: &Observed, color: Color) -> bool {
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
