//! What the status says of checks.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::Report;
use crate::desired;
use crate::harmless::visible;
use crate::observe::POD_TAKES;
use crate::plan::verdicts::{self, Because, Entry};
use crate::plan::{CheckFacts, CheckJob, JobPods, Live, Rejected, Run, Stage, is_queued};
use crate::text::cut;
use bluegreen_api::{
    BlueGreenAppStatus, Check, CheckResult, CheckStatus, CheckTime, Color, PerColor, Rejection,
};

/// How many bytes are told of why a check has its result.
const MESSAGE: usize = 1000;

/// What the status is to hold of checks.
pub(super) struct Told {
    pub checks: Vec<CheckStatus>,
    pub rejected: Option<Rejection>,
    pub unproven: PerColor<Option<i64>>,
}

/// What there is to tell of the checks; `switch` is the one that is recorded now.
pub(super) fn told(
    report: &Report,
    old: &BlueGreenAppStatus,
    switch: Option<(Option<Color>, Color)>,
) -> Told {
    let Report { app, plan, seen, problems, .. } = report;
    let refused = problems.failure.as_ref().and_then(|failure| failure.check);
    let entries = verdicts::entries(seen, plan, refused);
    let run = seen.checks.run;
    let told = app.spec.checks.iter().zip(&entries).enumerate().filter_map(|(index, (check, entry))| {
        Some(status(report, old, run.as_ref()?, (index, check), entry.as_ref()?))
    });
    let mut checks: Vec<CheckStatus> = told.collect();
    let refusal = verdicts::refusal(seen, plan, &entries);
    let kept = old.rejected.clone().filter(|_| seen.checks.rejected.is_some());
    let rejected = kept.or_else(|| rejection(report, refusal?, run?, &checks));
    if !run.is_some_and(|run| verdicts::are_kept(run, plan.live, switch, rejected.is_some())) {
        checks.clear();
    }
    Told { unproven: verdicts::unproven(seen, plan, &entries), rejected, checks }
}

fn status(
    report: &Report,
    old: &BlueGreenAppStatus,
    run: &Run,
    (index, check): (usize, &Check),
    entry: &Entry,
) -> CheckStatus {
    let before = crate::observe::check_entry(old, run, check);
    if let Some(before) = before.filter(|before| before.result.is_final()) {
        return before.clone();
    }
    let message = message(report, index, check, entry, before).map(|words| cut(visible(&words), MESSAGE));
    let job = (entry.attempts > 0).then(|| desired::job_name(report.app, run, check, entry.attempts));
    CheckStatus {
        name: check.name.clone(),
        when: check.when,
        color: run.color,
        revision: run.revision,
        generation: run.generation,
        hash: desired::check_hash(check),
        job,
        attempts: entry.attempts.into(),
        result: entry.result,
        started_at: before.map_or(Time(report.now), |before| before.started_at.clone()),
        finished_at: entry.result.is_final().then_some(Time(report.now)),
        message,
    }
}

/// What a verdict rests on, or what the check waits for.
fn message(
    report: &Report,
    index: usize,
    check: &Check,
    entry: &Entry,
    before: Option<&CheckStatus>,
) -> Option<String> {
    let words = because(report, index, check, entry);
    let facts = report.seen.checks.all.get(index);
    let waits = facts.and_then(|facts| held(report, check, facts));
    let told = || before.and_then(|before| before.message.clone());
    let has_job = facts.is_some_and(|facts| matches!(facts.job, CheckJob::Ours { .. }));
    match entry.result {
        // What keeps a Job from being created stays told between two tries; what holds up its pods only for as long as it does.
        CheckResult::Running => words.or(waits).or_else(|| told().filter(|_| !has_job)),
        // What it waited for until then is why it can't tell. Its Job may be gone by now.
        CheckResult::Inconclusive => match (words, waits.or_else(told)) {
            (Some(words), Some(waits)) if !words.contains(&waits) => {
                Some(format!("{}. {waits}", words.trim_end_matches('.')))
            }
            (words, waits) => words.or(waits),
        },
        CheckResult::Passed | CheckResult::Failed => words,
    }
}

/// What holds up the pods of a check's Job. The words stay the same for as long as it does.
fn held(report: &Report, check: &Check, facts: &CheckFacts) -> Option<String> {
    let (CheckJob::Ours { attempt, .. }, Some(run)) = (facts.job, report.seen.checks.run) else {
        return None;
    };
    let job = || desired::job_name(report.app, &run, check, attempt);
    match facts.pods {
        JobPods::Fine | JobPods::Awaited(_) => None,
        JobPods::Missing => Some(format!(
            "No pod of Job {0} was created within {1} seconds: `kubectl describe job {0}` tells why, often a ResourceQuota or an \
             admission policy",
            job(),
            POD_TAKES.as_secs()
        )),
        JobPods::Unready => Some(format!(
            "The pod of Job {0} is not ready after {1} seconds: `kubectl describe pods -l batch.kubernetes.io/job-name={0}` tells why, \
             often an image that can't be pulled, a Secret or ConfigMap that is missing, or no node with room",
            job(),
            POD_TAKES.as_secs()
        )),
        JobPods::Suspended => {
            Some(format!("Job {} is suspended (spec.suspend), for example by Kueue", job()))
        }
    }
}

/// What the operator itself has to say of a check, or else its Job.
fn because(report: &Report, index: usize, check: &Check, entry: &Entry) -> Option<String> {
    let refused = report.problems.failure.as_ref().filter(|it| it.check.map(usize::from) == Some(index));
    let seconds = check.deadline_seconds;
    match (entry.because, refused) {
        (Some(Because::Late), Some(failure)) => {
            Some(format!("There was no verdict within {seconds} seconds. {}", failure.words))
        }
        (Some(Because::Late), None) => Some(format!("There was no verdict within {seconds} seconds")),
        (Some(Because::Gone), _) => Some("Its Job was deleted twice before there was a verdict".to_owned()),
        (Some(Because::Foreign), _) => Some("The name of its Job belongs to another object".to_owned()),
        (Some(Because::Ended), _) => Some("It was ended, because another check has failed".to_owned()),
        (None, Some(failure)) if entry.result == CheckResult::Running => Some(failure.words.clone()),
        (None, _) => report.material.jobs.get(index).cloned().flatten(),
    }
}

/// What was refused, with all that the spec asked for.
fn rejection(
    report: &Report,
    (check, Rejected { color, when, result }): (u8, Rejected),
    run: Run,
    checks: &[CheckStatus],
) -> Option<Rejection> {
    let name = &report.app.spec.checks.get(usize::from(check))?.name;
    let message = checks.iter().find(|check| check.name == *name).and_then(|check| check.message.clone());
    Some(Rejection {
        color,
        revision: run.revision,
        block: report.material.blocks.get(color).clone().unwrap_or_default(),
        checks: desired::checks_hash(&report.app.spec),
        generation: run.generation,
        check: name.clone(),
        when,
        result,
        message: message.unwrap_or_default(),
        at: Time(report.now),
    })
}

/// The reason of a rejection in conditions.
pub(super) fn reason(rejection: &Rejection) -> &'static str {
    match rejection.result {
        CheckResult::Failed => "CheckFailed",
        CheckResult::Running | CheckResult::Passed | CheckResult::Inconclusive => "CheckInconclusive",
    }
}

/// What was refused, what the app does about it, and the ways out.
pub(super) fn rejected(report: &Report, rejection: &Rejection) -> String {
    let Rejection { color, revision, check, message, result, .. } = rejection;
    let what = match result {
        CheckResult::Failed => "failed",
        CheckResult::Running | CheckResult::Passed | CheckResult::Inconclusive => "can't tell",
    };
    let why = if message.is_empty() { String::new() } else { format!(": {message}") };
    let other = color.other();
    let then = match (rejection.when, report.plan.live) {
        (CheckTime::After, Live::Selected(live)) if live != *color => format!("{live} was made live again"),
        (CheckTime::After, _) => match report.plan.stage {
            Stage::Preparing { missing, .. } => format!(
                "{other} can't be made live again yet: {}",
                super::words::lacks(&report.app.name_any(), report.seen, other, missing)
            ),
            Stage::Yielding
            | Stage::Invalid
            | Stage::Paused
            | Stage::Pausing
            | Stage::Checking { .. }
            | Stage::Switching { .. }
            | Stage::Watching { .. }
            | Stage::Draining { .. }
            | Stage::Serving
            | Stage::Unready { .. } => format!("{other} is being made live again"),
        },
        (CheckTime::Before, live) => match live.color() {
            Some(live) => format!("{live} stays live"),
            None => "no color is live yet".to_owned(),
        },
    };
    format!(
        "Check {check} {what} for {color} (revision {revision}){why}. {then}. To go on, edit spec.{color} (a new text in \
         spec.{color}.revision tries the same again), set spec.active to {other}, or set enforce: false in the check"
    )
}

/// Which checks run.
pub(super) fn running(report: &Report, when: CheckTime, color: Color) -> String {
    let waits = |(check, facts): &(&Check, &crate::plan::CheckFacts)| check.when == when && !facts.is_final();
    let all = report.app.spec.checks.iter().zip(&report.seen.checks.all);
    let names: Vec<&str> = all.clone().filter(waits).map(|(check, _)| check.name.as_str()).collect();
    let refused = report.problems.failure.as_ref().filter(|failure| failure.check.is_some());
    let refused = refused.map_or_else(String::new, |failure| format!("; {}", failure.words));
    let mut running = all.clone().filter(waits);
    let held = running.find_map(|(check, facts)| held(report, check, facts));
    let held = held.map_or_else(String::new, |words| format!("; {words}"));
    let time = match when {
        CheckTime::Before => "before the switch",
        CheckTime::After => "after the switch",
    };
    let queued = if is_queued(report.intent, report.seen) {
        "; a Job waits until fewer checks of other apps run (--max-running-checks)"
    } else {
        ""
    };
    format!("{color} is being checked {time}: {}{refused}{held}{queued}", names.join(", "))
}

/// What the checks after the switch say against the live color, although it stays live.
pub(super) fn doubts(report: &Report, live: Color) -> Option<String> {
    let run = report.seen.checks.run.filter(|run| run.color == live)?;
    let old = report.app.status.as_ref()?;
    let doubt = |check: &Check| {
        let entry = crate::observe::check_entry(old, &run, check)?;
        let says = match entry.result {
            CheckResult::Failed => "failed",
            CheckResult::Inconclusive => "can't tell",
            CheckResult::Running | CheckResult::Passed => return None,
        };
        let why = entry.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
        Some(format!("check {} {says}{why}", check.name))
    };
    let after = report.app.spec.checks.iter().filter(|check| check.enforce && check.when == CheckTime::After);
    let doubts: Vec<String> = after.filter_map(doubt).collect();
    (!doubts.is_empty()).then(|| doubts.join(", "))
}
