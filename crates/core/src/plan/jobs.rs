//! The Jobs of checks that are to be created, and when to look at them again.

use std::time::Duration;

use super::check_facts::{ATTEMPTS, CheckFacts, JobPods};
use super::checks::{is_exempt, is_suspect, run_of};
use super::rules::{gate, live};
use super::{Action, Intent, Live, Observed};
use bluegreen_api::{CheckResult, CheckTime};

/// Returns the Jobs that are to be created now.
pub(super) fn begin(intent: &Intent, seen: &Observed, live: Live) -> Vec<Action> {
    if seen.checks.full { Vec::new() } else { due(intent, seen, live) }
}

/// Returns true if a Job waits for others to end.
pub(crate) fn is_queued(intent: &Intent, seen: &Observed) -> bool {
    let live = live(&seen.service, &seen.recorded);
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
