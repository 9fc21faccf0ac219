//! What the status is to record of checks: from what it records now, and from what their Jobs say.

use super::check_facts::{ATTEMPTS, CheckFacts, CheckJob, Checks, Rejected, Run};
use super::{Live, Observed, Plan, Stage};
use bluegreen_api::{CheckResult, CheckTime, Color, PerColor};

/// What there is to record of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What it has found.
    pub result: CheckResult,
    /// How many Jobs it has had.
    pub attempts: u8,
    /// Why it can't tell; `None` unless the operator says so itself.
    pub because: Option<Because>,
}

/// Why the operator itself says that a check can't tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Because {
    /// It had no verdict by its deadline.
    Late,
    /// Its Jobs were deleted before they had one.
    Gone,
    /// Its Job's name belongs to another object.
    Foreign,
    /// Another check of the same time has failed, so it was ended.
    Ended,
}

/// What is to be recorded of each check of the spec; `None`: it has not begun. `refused`: the API server refuses the Job of
/// the check with this index, or does not answer.
pub fn entries(seen: &Observed, plan: &Plan, refused: Option<u8>) -> Vec<Option<Entry>> {
    let checks = &seen.checks;
    let stands_still = plan.stage.stands_still();
    let now = |(index, check): (usize, &CheckFacts)| {
        let recorded =
            check.recorded.map(|it| Entry { result: it.result, attempts: it.attempts, because: None });
        if stands_still { recorded } else { entry(check, recorded, refused.map(usize::from) == Some(index)) }
    };
    let mut entries: Vec<Option<Entry>> = checks.all.iter().enumerate().map(now).collect();
    for when in [CheckTime::Before, CheckTime::After] {
        end_others(checks, when, &mut entries);
    }
    entries
}

/// Returns true if what the checks say of a run is still of interest: it is refused, or under way by the record that is made
/// now, or about what serves. Of a switch that was canceled, nothing is left.
pub fn are_kept(run: Run, live: Live, switch: Option<(Option<Color>, Color)>, is_refused: bool) -> bool {
    is_refused || live == Live::Selected(run.color) || switch.is_some_and(|(_, to)| to == run.color)
}

/// What is to be recorded of one check.
fn entry(check: &CheckFacts, recorded: Option<Entry>, is_refused: bool) -> Option<Entry> {
    if recorded.is_some_and(|entry| entry.result.is_final()) {
        return recorded;
    }
    let is_late = check.is_late();
    let attempts = recorded.map_or(0, |entry| entry.attempts);
    let cannot_tell =
        |because| Some(Entry { result: CheckResult::Inconclusive, attempts, because: Some(because) });
    match check.job {
        CheckJob::Unread => recorded,
        CheckJob::Foreign => cannot_tell(Because::Foreign),
        CheckJob::Ours { attempt, result: CheckResult::Running } if is_late => {
            Some(Entry { result: CheckResult::Inconclusive, attempts: attempt, because: Some(Because::Late) })
        }
        CheckJob::Ours { attempt, result } => Some(Entry { result, attempts: attempt, because: None }),
        CheckJob::Absent if attempts >= ATTEMPTS => cannot_tell(Because::Gone),
        CheckJob::Absent if is_late => cannot_tell(Because::Late),
        CheckJob::Absent if is_refused && recorded.is_none() => {
            Some(Entry { result: CheckResult::Running, attempts: 0, because: None })
        }
        CheckJob::Absent => recorded,
    }
}

/// Ends the other checks of this time once an enforced one has failed: they have nothing more to say.
fn end_others(checks: &Checks, when: CheckTime, entries: &mut [Option<Entry>]) {
    let failed = |(check, entry): (&CheckFacts, &Option<Entry>)| {
        check.when == when && check.enforced && entry.is_some_and(|entry| entry.result == CheckResult::Failed)
    };
    if !checks.all.iter().zip(entries.iter()).any(failed) {
        return;
    }
    for (_, entry) in checks.all.iter().zip(entries.iter_mut()).filter(|(check, _)| check.when == when) {
        if let Some(entry) = entry.as_mut().filter(|entry| !entry.result.is_final()) {
            *entry = Entry { result: CheckResult::Inconclusive, because: Some(Because::Ended), ..*entry };
        }
    }
}

/// What the checks refuse now, with the index of the check that says so. A check refuses only the run that it was asked about,
/// while that is under way.
pub fn refusal(seen: &Observed, plan: &Plan, entries: &[Option<Entry>]) -> Option<(u8, Rejected)> {
    let checks = &seen.checks;
    let run = checks.run.filter(|run| run.open && checks.rejected.is_none())?;
    let when = match plan.live {
        Live::Selected(live) if live == run.color => CheckTime::After,
        Live::Selected(_) | Live::Lost(_) | Live::Never => CheckTime::Before,
    };
    if plan.stage.stands_still() || (when == CheckTime::After && !run.guarded) {
        return None;
    }
    // A switch is taken back by a verdict that comes in now, or never: one that was recorded while there was nothing to go back
    // to, or while the check only reported, has been lived with.
    let is_new = |check: &CheckFacts| when == CheckTime::Before || !check.is_final();
    let enforced = || {
        let all = checks.all.iter().zip(entries).enumerate();
        all.filter(move |(_, (check, _))| check.when == when && check.enforced && is_new(check))
    };
    let first = |result: CheckResult| {
        let found = enforced().find(|(_, (_, entry))| entry.is_some_and(|entry| entry.result == result));
        found.and_then(|(index, _)| u8::try_from(index).ok())
    };
    let rejected = |result| move |check| (check, Rejected { color: run.color, when, result });
    if let Some(check) = first(CheckResult::Failed) {
        return Some(rejected(CheckResult::Failed)(check));
    }
    let is_over = enforced().all(|(_, (_, entry))| entry.is_some_and(|entry| entry.result.is_final()));
    // After the switch, what can't tell takes nothing back.
    let cannot_tell = first(CheckResult::Inconclusive).filter(|_| is_over && when == CheckTime::Before);
    cannot_tell.map(rejected(CheckResult::Inconclusive))
}

/// The revisions that are to be recorded as unproven.
pub fn unproven(seen: &Observed, plan: &Plan, entries: &[Option<Entry>]) -> PerColor<Option<i64>> {
    PerColor::from_fn(|color| {
        let facts = seen.colors.get(color);
        let current = facts.current.map(|current| current.number);
        let is_target = matches!(plan.stage, Stage::Checking { to } | Stage::Switching { to } if to == color);
        let is_live = plan.live == Live::Selected(color);
        if is_target && !is_live && super::checks::is_guarded(seen, color) {
            return current;
        }
        let served = seen.service.ours().and_then(|service| *service.served.get(color));
        let before = (*seen.checks.unproven.get(color)).filter(|it| [current, served].contains(&Some(*it)));
        before.filter(|_| !is_live || !is_cleared(seen, color, entries))
    })
}

/// Returns true if the checks after the switch to `color`, which is live, are over, and none that decides something has found it
/// to be bad; or if none is left.
///
/// What can't tell has found nothing. It takes no switch back, so the color serves on, perhaps for months, and when the other
/// one turns out to be bad there is no better place to go.
fn is_cleared(seen: &Observed, color: Color, entries: &[Option<Entry>]) -> bool {
    let run = super::checks::run_of(seen, color);
    // A check that is edited after its switch does not run for that switch any more.
    let is_past = run.is_some_and(|run| !run.open);
    let mut after = seen.checks.all.iter().zip(entries).filter(|(check, _)| check.when == CheckTime::After);
    after.all(|(check, entry)| match entry {
        Some(entry) if check.enforced => entry.result.is_final() && entry.result != CheckResult::Failed,
        Some(entry) => entry.result.is_final(),
        None => is_past,
    })
}
