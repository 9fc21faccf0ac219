//! PURE: a trial of an app's checks: what it is about, which checks it runs, and what is told of them.
//!
//! A trial runs the Jobs that the operator would run before a switch, with the rights of the user. Its verdicts count for nothing.

pub mod run;

use std::time::Duration;

use bluegreen_api::{BlueGreenApp, Check, CheckResult, CheckTime, Color};
use bluegreen_core::plan::Run;
use bluegreen_core::status::STANDBY_READY;
use kube::ResourceExt;

use crate::exit::End;
use crate::line::{Line, Tone};
use crate::shape::{CheckTrial, TriedCheck};

/// What a trial is about: the pods that run now.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The color and its revision.
    pub run: Run,
    /// The image that its pods run.
    pub image: String,
}

/// Returns what a trial of this app is about: the idle color, or before the first activation the color in `spec.active`.
///
/// # Errors
/// Why the color can't be checked now, in words.
pub fn subject(app: &BlueGreenApp) -> Result<Subject, String> {
    let (name, generation) = (app.name_any(), app.metadata.generation);
    let status = app.status.clone().unwrap_or_default();
    if Some(status.observed_generation) != generation {
        return Err(format!(
            "the operator has not observed the last edit of {name} yet: wait with `kubectl bluegreen status {name} --for standby`"
        ));
    }
    let color = status.active.map_or(app.spec.active, Color::other);
    let Some(pods) = status.color(color).filter(|pods| pods.revision > 0) else {
        return Err(format!(
            "{color} has no pods: add spec.{color}, or deploy to it with `kubectl bluegreen deploy {name}`"
        ));
    };
    // While a switch to it is under way, the condition is about no color.
    let is_idle = status.active == Some(app.spec.active);
    let condition = status.condition(STANDBY_READY).filter(|condition| is_idle && condition.status != "True");
    if let Some(condition) = condition {
        return Err(format!("{color} is not ready: {}", condition.message));
    }
    if pods.endpoints == 0 || pods.ready_replicas < pods.replicas {
        return Err(format!(
            "{color} is not ready: {} of {} pods are ready, and {} are endpoints of Service {name}-{color}",
            pods.ready_replicas, pods.replicas, pods.endpoints
        ));
    }
    let (revision, generation) = (pods.revision, generation.unwrap_or_default());
    let run = Run { color, revision, generation, open: false, guarded: false };
    Ok(Subject { run, image: pods.image.clone() })
}

/// Returns the checks of a trial: all that gate a switch, or those of these names.
///
/// # Errors
/// In words, when there is none, or a name is not that of such a check.
pub fn chosen<'a>(app: &'a BlueGreenApp, only: &[String]) -> Result<Vec<&'a Check>, String> {
    let before: Vec<&Check> =
        app.spec.checks.iter().filter(|check| check.when == CheckTime::Before).collect();
    if before.is_empty() {
        return Err(format!("{} has no check with `when: Before` in spec.checks", app.name_any()));
    }
    for name in only {
        if before.iter().all(|check| check.name != *name) {
            let names: Vec<&str> = before.iter().map(|check| check.name.as_str()).collect();
            let is_after = app.spec.checks.iter().any(|check| check.name == *name);
            let why = if is_after {
                "runs after the switch, against the live Service"
            } else {
                "is not in spec.checks"
            };
            return Err(format!("check {name:?} {why}; --only takes one of {}", names.join(", ")));
        }
    }
    Ok(before.into_iter().filter(|check| only.is_empty() || only.contains(&check.name)).collect())
}

/// Returns true if the Job of a check runs the operator's image.
#[must_use]
pub const fn is_short_form(check: &Check) -> bool {
    check.job.is_none()
}

/// How long a trial takes at most: as long as the longest of its checks, and some seconds for the Job controller to say so.
#[must_use]
pub fn patience(checks: &[&Check]) -> Duration {
    let longest = checks.iter().map(|check| u64::try_from(check.deadline_seconds).unwrap_or(0)).max();
    Duration::from_secs(longest.unwrap_or(0).saturating_add(10))
}

/// What all checks that decide something say together. What only reports decides nothing.
#[must_use]
pub fn verdict(checks: &[TriedCheck]) -> CheckResult {
    let enforced = || checks.iter().filter(|check| check.enforced).map(|check| check.result);
    if enforced().any(|result| result == CheckResult::Failed) {
        return CheckResult::Failed;
    }
    if enforced().all(|result| result == CheckResult::Passed) {
        return CheckResult::Passed;
    }
    CheckResult::Inconclusive
}

/// How the command ends.
#[must_use]
pub const fn end(verdict: CheckResult) -> End {
    match verdict {
        CheckResult::Passed => End::Reached,
        CheckResult::Failed => End::Failed,
        CheckResult::Running | CheckResult::Inconclusive => End::TimedOut,
    }
}

/// A trial for people.
#[must_use]
pub fn lines(trial: &CheckTrial) -> Vec<Line> {
    let mut lines: Vec<Line> = trial.checks.iter().flat_map(check_lines).collect();
    let (tone, would) = match trial.result {
        CheckResult::Passed => (Tone::Good, "these checks would let a switch pass"),
        CheckResult::Failed => (Tone::Bad, "these checks would refuse a switch"),
        CheckResult::Running | CheckResult::Inconclusive => {
            (Tone::Busy, "a check can't tell: the operator would not switch")
        }
    };
    let CheckTrial { color, revision, image, .. } = trial;
    lines.push(Line::new().add(trial.result.as_str(), tone).add(
        format!(": {color} (revision {revision}, {image}): {would}. The operator does not use this result"),
        Tone::Plain,
    ));
    lines
}

fn check_lines(check: &TriedCheck) -> Vec<Line> {
    let TriedCheck { name, enforced, result, message, log, seconds, job: _ } = check;
    let tone = match result {
        CheckResult::Passed => Tone::Good,
        CheckResult::Failed => Tone::Bad,
        CheckResult::Running | CheckResult::Inconclusive => Tone::Busy,
    };
    let reports = if *enforced { "" } else { ", reports only" };
    let why = message.as_ref().filter(|_| *result != CheckResult::Passed);
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let first = Line::new()
        .cell(result.as_str(), 13, tone)
        .add(name, Tone::Strong)
        .add(format!(" ({seconds:.0}s{reports}){why}"), Tone::Plain);
    let log = log.iter().map(|line| Line::new().add("  | ", Tone::Dim).add(line, Tone::Dim));
    std::iter::once(first).chain(log).collect()
}
