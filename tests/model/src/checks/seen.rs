//! What a controller saw of checks → the planner's facts, and the next status, as `observe` and `status` do it.

use std::time::Duration;

use bluegreen_api::{CheckResult, CheckTime, Color, PerColor};
use bluegreen_core::plan::verdicts::{self, Entry};
use bluegreen_core::plan::{
    CheckFacts, CheckJob, Checks, ColorFacts, JobPods, Live, Observed, Plan, Rejected, Run, Verdict,
};
use bluegreen_core::status::record;

use super::{Gates, Identity, Job, Noted, Refused, Reported};
use crate::Guards;
use crate::objects::{Objects, Status};

/// As `observe::checks`.
pub(crate) fn facts(seen: &Objects, colors: &PerColor<ColorFacts>, live: Live, guards: &Guards) -> Checks {
    let (asked, status) = (seen.app.checks, seen.app.status.checks);
    if asked.gates == Gates::None {
        return Checks::default();
    }
    let current = |color: Color| {
        let current = colors.get(color).current.map_or(0, |current| current.number);
        u8::try_from(current).unwrap_or(u8::MAX)
    };
    let refused =
        status.refused.filter(|refused| guards.latch && stands(seen, refused, live, current(refused.color)));
    let run = run(seen, refused, live, current);
    let all = asked.gates.times().map(|when| check(seen, run, when, guards)).collect();
    let number = |number: u8| (number > 0 && guards.unproven).then(|| i64::from(number));
    Checks {
        full: false,
        run: run.map(|(run, _)| Run { guarded: run.guarded && guards.watch, ..run }),
        all,
        rejected: refused.map(|Refused { color, when, result, .. }| Rejected { color, when, result }),
        unproven: status.unproven.map(number),
        // Without the guard, the Jobs of an earlier switch are of use.
        strays: if guards.identity { u8::try_from(strays(seen, run).len()).unwrap_or(u8::MAX) } else { 0 },
    }
}

fn stands(seen: &Objects, refused: &Refused, live: Live, current: u8) -> bool {
    let Refused { color, revision, tag, lenient, when, .. } = *refused;
    let app = &seen.app;
    if when == CheckTime::After && !*app.present.get(color.other()) {
        return false;
    }
    let is_same = *app.present.get(color) && *app.tags.get(color) == tag;
    let serves = live.color() == Some(color) && current == revision;
    app.active == color && app.checks.lenient == lenient && (is_same || serves)
}

/// What the checks are about, with the generation.
fn run(
    seen: &Objects,
    refused: Option<Refused>,
    live: Live,
    current: impl Fn(Color) -> u8,
) -> Option<(Run, u8)> {
    let status = &seen.app.status;
    let of = |color, revision: u8, generation: u8, open, guarded| {
        let run =
            Run { color, revision: i64::from(revision), generation: i64::from(generation), open, guarded };
        Some((run, revision))
    };
    if let Some(Refused { color, revision, generation, .. }) = refused {
        return of(color, revision, generation, false, false);
    }
    if let Some((from, to)) = status.switch {
        let guarded = from.is_some_and(|from| from != to && *seen.app.present.get(from));
        return (current(to) > 0).then(|| of(to, current(to), status.checks.generation, true, guarded))?;
    }
    let last = status.checks.noted.into_iter().flatten().next()?.of;
    let is_live = live.color() == Some(last.color) && current(last.color) == last.revision;
    if is_live { of(last.color, last.revision, last.generation, false, false) } else { None }
}

fn identity(run: (Run, u8), when: CheckTime, attempt: u8) -> Identity {
    let (Run { color, generation, .. }, revision) = run;
    Identity { when, color, revision, generation: u8::try_from(generation).unwrap_or(u8::MAX), attempt }
}

fn noted(status: &Status, run: (Run, u8), when: CheckTime) -> Option<Noted> {
    let all = status.checks.noted.into_iter().flatten();
    all.into_iter().find(|noted| noted.of == identity(run, when, noted.of.attempt))
}

fn check(seen: &Objects, run: Option<(Run, u8)>, when: CheckTime, guards: &Guards) -> CheckFacts {
    let recorded = run.and_then(|run| noted(&seen.app.status, run, when)).map(|noted| Verdict {
        result: noted.result,
        attempts: noted.of.attempt,
        left: Duration::from_secs(600),
    });
    let passed = Verdict { result: CheckResult::Passed, attempts: 1, left: Duration::from_secs(600) };
    let lie = !guards.verdict && when == CheckTime::Before;
    CheckFacts {
        when,
        enforced: !seen.app.checks.lenient,
        recorded: if lie { Some(passed) } else { recorded },
        job: run.map_or(CheckJob::Absent, |run| job(seen, run, when, guards)),
        // It is about words alone.
        pods: JobPods::Fine,
    }
}

fn job(seen: &Objects, run: (Run, u8), when: CheckTime, guards: &Guards) -> CheckJob {
    let Some(jobs) = &seen.jobs else { return CheckJob::Unread };
    let of_run = |attempt: u8| {
        let of = identity(run, when, attempt);
        let is_it = |job: &&Job| {
            // Without the guard, a verdict of an earlier switch counts.
            let generation = if guards.identity { of.generation } else { job.of.generation };
            job.of == Identity { generation, ..of }
        };
        jobs.0.iter().flatten().find(is_it).map(|job| (attempt, *job))
    };
    let newest = [2, 1].into_iter().find_map(of_run);
    newest.map_or(CheckJob::Absent, |(attempt, Job { of: _, result })| {
        let cannot_tell = result == CheckResult::Inconclusive && !guards.inconclusive;
        CheckJob::Ours { attempt, result: if cannot_tell { CheckResult::Failed } else { result } }
    })
}

/// The Jobs that nothing needs any more.
pub(crate) fn strays(seen: &Objects, run: Option<(Run, u8)>) -> Vec<Identity> {
    let is_needed = |job: &Job| {
        let is_over =
            |run| noted(&seen.app.status, run, job.of.when).is_some_and(|noted| noted.result.is_final());
        run.is_some_and(|run| {
            let is_kept = job.result.is_final() || !is_over(run);
            is_kept && job.of == identity(run, job.of.when, job.of.attempt)
        })
    };
    seen.jobs
        .iter()
        .flat_map(|jobs| jobs.0)
        .flatten()
        .filter(|job| !is_needed(job))
        .map(|job| job.of)
        .collect()
}

/// The Job that an action creates.
pub(crate) fn created(seen: &Objects, facts: &Observed, check: u8, attempt: u8) -> Option<Identity> {
    let when = seen.app.checks.gates.times().nth(usize::from(check))?;
    let run = facts.checks.run?;
    Some(identity((run, u8::try_from(run.revision).ok()?), when, attempt))
}

/// The Job that an action deletes.
pub(crate) fn dropped(seen: &Objects, facts: &Observed, stray: u8) -> Option<Identity> {
    let run = facts.checks.run.and_then(|run| Some((run, u8::try_from(run.revision).ok()?)));
    strays(seen, run).get(usize::from(stray)).copied()
}

/// As `status::checks`, with the switch that is to be recorded.
pub(crate) fn report(
    seen: &Objects,
    facts: &Observed,
    plan: &Plan,
    switch: Option<(Option<Color>, Color)>,
    guards: &Guards,
) -> Reported {
    let app = &seen.app;
    if app.checks.gates == Gates::None {
        return Reported::default();
    }
    let old = &app.status;
    let kept = old.switch.is_some_and(|old| Some(old) == switch).then(|| i64::from(old.checks.generation));
    let generation = switch.map_or(0, |_| record::generation(kept, plan, i64::from(app.checks.generation)));
    let entries = verdicts::entries(facts, plan, None);
    let small = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
    let run = facts.checks.run.map(|run| (run, small(run.revision)));
    let mut noted = [None; 2];
    for (when, entry) in app.checks.gates.times().zip(&entries) {
        let slot = &mut noted[usize::from(when == CheckTime::After)];
        *slot = run
            .zip(*entry)
            .map(|(run, entry)| Noted { of: identity(run, when, entry.attempts), result: entry.result });
    }
    let refused = verdicts::refusal(facts, plan, &entries).zip(run).map(|((_, rejected), run)| {
        let Rejected { color, when, result } = rejected;
        let stored = crate::facts::kept(seen, color, run.1);
        let tag = stored.map_or(0, |kept| kept.content / 2);
        let Identity { revision, generation, .. } = identity(run, when, 1);
        Refused { color, revision, generation, tag, lenient: app.checks.lenient, when, result }
    });
    let refused = old.checks.refused.filter(|_| facts.checks.rejected.is_some()).or(refused);
    let is_kept = |run: Option<Run>| {
        run.is_some_and(|run| verdicts::are_kept(run, plan.live, switch, refused.is_some()))
    };
    if !is_kept(facts.checks.run) {
        noted = [None; 2];
    }
    let number = |number: Option<i64>| number.map_or(0, small);
    Reported {
        generation: small(generation),
        noted,
        refused,
        unproven: verdicts::unproven(facts, plan, &suspected(entries, guards)).map(number),
    }
}

/// What suspicion rests on: without its guards, what has failed, or is not over, is taken for what can't tell.
fn suspected(entries: Vec<Option<Entry>>, guards: &Guards) -> Vec<Option<Entry>> {
    let is_seen = |entry: &Option<Entry>| match entry.map(|entry| entry.result) {
        Some(CheckResult::Failed) => guards.failed,
        None | Some(CheckResult::Running) => guards.unfinished,
        Some(CheckResult::Passed | CheckResult::Inconclusive) => true,
    };
    let cannot_tell = Entry { result: CheckResult::Inconclusive, attempts: 1, because: None };
    entries.into_iter().map(|entry| if is_seen(&entry) { entry } else { Some(cannot_tell) }).collect()
}
