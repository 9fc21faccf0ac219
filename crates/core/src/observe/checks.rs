//! What the status records of checks, and what their Jobs say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};

use super::Snapshot;
use super::elapsed::since;
use super::owner::is_controlled;
use crate::desired;
use crate::plan::{
    ATTEMPTS, CheckFacts, CheckJob, Checks, ColorFacts, JobPods, Live, Rejected, Run, Verdict,
};
use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, Check, CheckResult, CheckStatus, CheckTime, PerColor};

/// Why the Job controller gives a Job up as soon as a container has exited with a code that is a verdict
/// (`JobReasonPodFailurePolicy` of `k8s.io/api/batch/v1`).
const BY_EXIT_CODE: &str = "PodFailurePolicy";

/// How long a Job may take to have a pod, and that pod to get ready, before it is told.
pub const POD_TAKES: Duration = Duration::from_secs(10);

/// Returns the checks of an app, with the colors as they are observed.
pub(super) fn checks(
    seen: &Snapshot,
    status: &BlueGreenAppStatus,
    colors: &PerColor<ColorFacts>,
    live: Live,
    now: Timestamp,
) -> Checks {
    let app = &seen.app;
    let rejected = rejected(app, status, colors, live);
    // Without checks there is nothing to be about.
    let run = run(app, status, colors, live, rejected.is_some()).filter(|_| !app.spec.checks.is_empty());
    let all: Vec<CheckFacts> =
        app.spec.checks.iter().map(|check| facts(seen, status, run.as_ref(), check, now)).collect();
    Checks {
        full: false,
        rejected,
        unproven: PerColor::from_fn(|color| status.color(color).and_then(|color| color.unproven_revision)),
        strays: u8::try_from(strays(seen, run.as_ref(), &all).len()).unwrap_or(u8::MAX),
        run,
        all,
    }
}

/// What a check has refused, if the spec still asks for exactly that.
///
/// By content and not by generation: an autoscaler changes that, and so does a GitOps tool that applies the same again. While
/// the color that was refused is live, an edit of its block is held, so it is no reason to stay with what was refused. Whoever
/// takes the other block out leaves nothing to go back to.
fn rejected(
    app: &BlueGreenApp,
    status: &BlueGreenAppStatus,
    colors: &PerColor<ColorFacts>,
    live: Live,
) -> Option<Rejected> {
    let rejected = status.rejected.as_ref()?;
    let color = rejected.color;
    let current = colors.get(color).current.map(|current| current.number);
    let serves = live.color() == Some(color) && current == Some(rejected.revision);
    let is_same_block = || desired::block_hash(&app.spec, color).as_ref() == Some(&rejected.block);
    let has_way_back = rejected.when == CheckTime::Before || app.spec.color(color.other()).is_some();
    let stands = has_way_back
        && app.spec.active == color
        && desired::checks_hash(&app.spec) == rejected.checks
        && (serves || is_same_block());
    stands.then_some(Rejected { color, when: rejected.when, result: rejected.result })
}

/// What the checks are about: what was refused, or the switch that is under way, or the last one that was checked.
fn run(
    app: &BlueGreenApp,
    status: &BlueGreenAppStatus,
    colors: &PerColor<ColorFacts>,
    live: Live,
    is_rejected: bool,
) -> Option<Run> {
    if let Some(rejected) = status.rejected.as_ref().filter(|_| is_rejected) {
        let (color, revision, generation) = (rejected.color, rejected.revision, rejected.generation);
        return Some(Run { color, revision, generation, open: false, guarded: false });
    }
    if let Some(switch) = &status.switch {
        let revision = colors.get(switch.to).current?.number;
        let goes_back = switch.from.is_some_and(|from| from != switch.to && app.spec.color(from).is_some());
        let (color, generation) = (switch.to, switch.generation);
        return Some(Run { color, revision, generation, open: true, guarded: goes_back });
    }
    let last = status.checks.first()?;
    let current = colors.get(last.color).current.map(|current| current.number);
    let is_live = live.color() == Some(last.color) && current == Some(last.revision);
    let (color, revision, generation) = (last.color, last.revision, last.generation);
    is_live.then_some(Run { color, revision, generation, open: false, guarded: false })
}

fn facts(
    seen: &Snapshot,
    status: &BlueGreenAppStatus,
    run: Option<&Run>,
    check: &Check,
    now: Timestamp,
) -> CheckFacts {
    let recorded = run.and_then(|run| entry(status, run, check)).map(|entry| Verdict {
        result: entry.result,
        attempts: u8::try_from(entry.attempts).unwrap_or(u8::MAX),
        left: left(check, entry, now),
    });
    let job = run.map_or(CheckJob::Absent, |run| job(seen, run, check));
    let pods = match (job, run) {
        (CheckJob::Ours { attempt, .. }, Some(run)) => {
            job_of(seen, run, check, attempt).map_or(JobPods::Fine, |job| pods(job, now))
        }
        (CheckJob::Unread | CheckJob::Absent | CheckJob::Foreign, _) | (CheckJob::Ours { .. }, None) => {
            JobPods::Fine
        }
    };
    CheckFacts { when: check.when, enforced: check.enforce, recorded, job, pods }
}

/// What the pods of a Job wait for. That the Job controller can't create one is in its Events alone, and what keeps a pod from starting is
/// in that pod, neither of which the operator reads. But then the Job never had a pod, or never a ready one.
fn pods(job: &Job, now: Timestamp) -> JobPods {
    let status = job.status.clone().unwrap_or_default();
    let is_true = |type_: &str| {
        let mut all = status.conditions.iter().flatten();
        all.any(|condition| condition.type_ == type_ && condition.status == "True")
    };
    if is_true("Suspended") {
        return JobPods::Suspended;
    }
    // The field is there, and empty, as soon as the Job controller has seen the Job.
    let uncounted = status.uncounted_terminated_pods.iter();
    let uncounted = uncounted.flat_map(|pods| pods.failed.iter().chain(&pods.succeeded)).flatten();
    let is_any = |counts: &[Option<i32>]| counts.iter().flatten().any(|count| *count > 0);
    // A later pod is told of at the deadline alone: the time of this one would have to be known.
    let had_one = is_any(&[status.failed, status.succeeded, status.terminating]) || uncounted.count() > 0;
    if had_one || ended(job).is_some() {
        return JobPods::Fine;
    }
    let lacks = match (is_any(&[status.active]), status.ready) {
        (false, _) => JobPods::Missing,
        (true, Some(0)) => JobPods::Unready,
        (true, _) => return JobPods::Fine,
    };
    // A Job that a queue lets go begins then.
    let Some(began) = status.start_time.or(job.metadata.creation_timestamp.clone()) else {
        return JobPods::Fine;
    };
    let left = POD_TAKES.saturating_sub(since(began.0, now));
    if left.is_zero() { lacks } else { JobPods::Awaited(left) }
}

/// What the status records of this check for this run.
pub fn entry<'a>(status: &'a BlueGreenAppStatus, run: &Run, check: &Check) -> Option<&'a CheckStatus> {
    let hash = desired::check_hash(check);
    status.checks.iter().find(|entry| {
        entry.name == check.name
            && entry.when == check.when
            && (entry.color, entry.revision, entry.generation) == (run.color, run.revision, run.generation)
            && entry.hash == hash
    })
}

fn left(check: &Check, entry: &CheckStatus, now: Timestamp) -> Duration {
    let deadline = Duration::from_secs(u64::try_from(check.deadline_seconds).unwrap_or(0));
    deadline.saturating_sub(since(entry.started_at.0, now))
}

/// The newest Job of a check.
fn job(seen: &Snapshot, run: &Run, check: &Check) -> CheckJob {
    let Some(jobs) = &seen.jobs else { return CheckJob::Unread };
    if jobs.is_empty() {
        return CheckJob::Absent;
    }
    let newest = (1..=ATTEMPTS).rev().find_map(|attempt| {
        named(jobs, &desired::job_name(&seen.app, run, check, attempt)).map(|job| (attempt, job))
    });
    match newest {
        None => CheckJob::Absent,
        // Only what this very app controls is believed: a verdict may move traffic.
        Some((_, job)) if !is_controlled(&seen.app, job.as_ref()) => CheckJob::Foreign,
        Some((attempt, job)) => CheckJob::Ours { attempt, result: result(job) },
    }
}

/// Finds the Job of a check, to tell of it.
pub fn job_of<'a>(seen: &'a Snapshot, run: &Run, check: &Check, attempt: u8) -> Option<&'a Arc<Job>> {
    let job = named(seen.jobs.as_deref()?, &desired::job_name(&seen.app, run, check, attempt))?;
    is_controlled(&seen.app, job.as_ref()).then_some(job)
}

fn named<'a>(jobs: &'a [Arc<Job>], name: &str) -> Option<&'a Arc<Job>> {
    jobs.iter().find(|job| job.metadata.name.as_deref() == Some(name))
}

/// The condition with which the Job controller ends a Job.
pub fn ended(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_deref().unwrap_or_default();
    conditions.iter().find(|it| it.status == "True" && matches!(it.type_.as_str(), "Complete" | "Failed"))
}

/// What a Job says. A Job that failed for any reason but an exit code says nothing about the color.
pub fn result(job: &Job) -> CheckResult {
    match ended(job) {
        None => CheckResult::Running,
        Some(end) if end.type_ == "Complete" => CheckResult::Passed,
        Some(end) if end.reason.as_deref() == Some(BY_EXIT_CODE) => CheckResult::Failed,
        Some(_) => CheckResult::Inconclusive,
    }
}

/// The Jobs of this app that nothing needs any more: of another run, or still running after their verdict.
pub fn strays(seen: &Snapshot, run: Option<&Run>, all: &[CheckFacts]) -> Vec<Arc<Job>> {
    let Some(jobs) = seen.jobs.as_ref().filter(|jobs| !jobs.is_empty()) else { return Vec::new() };
    // The Jobs that a check may have, and whether it is over. A name is a hash, so each is made once.
    let mut known: HashMap<String, bool> = HashMap::new();
    if let Some(run) = run {
        for (check, facts) in seen.app.spec.checks.iter().zip(all) {
            let names = (1..=ATTEMPTS).map(|attempt| desired::job_name(&seen.app, run, check, attempt));
            known.extend(names.map(|name| (name, facts.is_final())));
        }
    }
    let is_needed = |job: &Job| {
        let is_over = job.metadata.name.as_ref().and_then(|name| known.get(name));
        is_over.is_some_and(|is_over| !is_over || ended(job).is_some())
    };
    let own = jobs.iter().filter(|job| is_controlled(&seen.app, job.as_ref()));
    own.filter(|job| job.metadata.deletion_timestamp.is_none() && !is_needed(job)).cloned().collect()
}
