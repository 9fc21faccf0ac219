//! The four conditions, and every reason that they can have.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Report, live};
use crate::api::{BlueGreenAppStatus, Color};
use crate::memory::Refusal;
use crate::observe;
use crate::plan::{self, Child, Live, Missing, Stage, Standby, outdated};

/// The color in `spec.active` is served and fully ready at this generation.
pub const READY: &str = "Ready";
/// The idle color could be switched to.
pub const STANDBY_READY: &str = "StandbyReady";
/// Work that the spec asked for is under way; present only while True.
pub const RECONCILING: &str = "Reconciling";
/// No progress will come without a change; present only while True.
pub const STALLED: &str = "Stalled";

/// Every reason, for the documentation's test.
pub const REASONS: &[&str] = &[
    "Absent",
    "Collecting",
    "InvalidSpec",
    "LiveColorEditHeld",
    "LiveNotReady",
    "NameConflict",
    "NotLeading",
    "NotReady",
    "Paused",
    "Pausing",
    "ProgressDeadlineExceeded",
    "Reduced",
    "Refused",
    "ScaledDown",
    "Scaling",
    "Serving",
    "StandbyUpdating",
    "Switching",
    "TwoOperators",
    "Updating",
    "WaitingForTarget",
    "Warm",
];

/// A reason and its message.
pub(super) type Why = (&'static str, String);

pub(super) fn conditions(report: &Report, old: &BlueGreenAppStatus, generation: i64) -> Vec<Condition> {
    let stalled = stalled(report);
    let (is_ready, why) = ready(report, stalled.as_ref());
    let reconciling = if stalled.is_some() { None } else { reconciling(report, is_ready, &why) };
    let (standby, standby_why) = standby(report);
    let mut all = vec![(READY, is_ready, why), (STANDBY_READY, standby, standby_why)];
    all.extend(reconciling.map(|why| (RECONCILING, true, why)));
    all.extend(stalled.map(|why| (STALLED, true, why)));
    all.into_iter().map(|(type_, on, why)| condition(old, generation, report.now, type_, on, why)).collect()
}

/// Keeps the transition time while the status stays the same.
fn condition(
    old: &BlueGreenAppStatus,
    generation: i64,
    now: Timestamp,
    type_: &str,
    on: bool,
    (reason, message): Why,
) -> Condition {
    let status = if on { "True" } else { "False" };
    let since = old
        .condition(type_)
        .filter(|was| was.status == status)
        .map_or(Time(now), |was| was.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: Some(generation),
        last_transition_time: since,
    }
}

fn ready(report: &Report, stalled: Option<&Why>) -> (bool, Why) {
    if let Some((reason, message)) = stalled {
        return (false, (reason, message.clone()));
    }
    let target = report.app.spec.active;
    match report.plan.stage {
        Stage::Serving => (true, ("Serving", format!("{target} serves"))),
        Stage::Draining { old } => (true, ("Serving", format!("{target} serves; {old} drains"))),
        Stage::Preparing { target, missing } => {
            let live = report.plan.live.color();
            let now = live.map_or_else(|| "nothing serves yet".to_owned(), |c| format!("{c} keeps serving"));
            if let Some(words) = report.trouble.collecting.first() {
                return (false, ("Collecting", format!("{words}; {now}")));
            }
            (false, ("WaitingForTarget", format!("{}; {now}", lacks(report, target, missing))))
        }
        Stage::Switching { to } => (false, ("Switching", format!("the Service moves to {to}"))),
        Stage::Unready { missing } => live::unready(report, missing),
        // Converged and paused is healthy; a pause in the middle of something is stalled.
        Stage::Paused => (true, ("Paused", format!("{target} serves; spec.paused holds every change"))),
        Stage::Pausing => (false, ("Pausing", "waiting until no late write can commit".to_owned())),
        Stage::Yielding => (false, ("NotLeading", "a later leader holds this app".to_owned())),
    }
}

/// The Deployment is still being brought to what the spec says, as opposed to pods that fail.
fn updating(missing: Missing) -> bool {
    match missing {
        Missing::Block
        | Missing::Revision
        | Missing::Deployment
        | Missing::Rollout
        | Missing::Size { .. }
        | Missing::Observed => true,
        Missing::Pods { .. }
        | Missing::Deadline
        | Missing::ReplicaSet
        | Missing::Endpoints { .. }
        | Missing::Nodes { .. } => false,
    }
}

fn reconciling(report: &Report, is_ready: bool, (reason, message): &Why) -> Option<Why> {
    match report.plan.stage {
        Stage::Preparing { .. } | Stage::Switching { .. } | Stage::Pausing => Some((reason, message.clone())),
        // Pods that fail are no work that the spec asked for.
        Stage::Unready { missing } => {
            let reason = if *reason == "LiveNotReady" { "Updating" } else { reason };
            (updating(missing) || !live::is_degraded(report)).then(|| (reason, message.clone()))
        }
        Stage::Serving => {
            let idle = report.app.spec.active.other();
            // What was refused makes no progress without an edit; the standby's condition says so.
            let refused = report.trouble.refused.as_ref().is_some_and(|refusal| refusal.color == Some(idle));
            let waits =
                is_ready && report.app.spec.color(idle).is_some() && !refused && rolling(report, idle);
            waits.then(|| ("StandbyUpdating", format!("{idle} is being updated")))
        }
        Stage::Draining { .. } | Stage::Paused | Stage::Yielding => None,
    }
}

/// The color is on its way to its newest revision and has not passed its deadline.
fn rolling(report: &Report, color: Color) -> bool {
    let facts = report.seen.colors.get(color);
    match facts.deployment.ours() {
        Some(deployment) => {
            let complete = deployment.rolled_out
                && deployment.observed
                && Some(deployment.revision) == facts.current.map(|stored| stored.number);
            !complete && !deployment.deadline_exceeded && deployment.replicas > 0
        }
        None => facts.deployment == Child::Absent,
    }
}

/// Why nothing will happen without a change; the first cause wins.
pub(super) fn stalled(report: &Report) -> Option<Why> {
    let Report { app, plan, seen, trouble, .. } = report;
    let target = app.spec.active;
    if !trouble.invalid.is_empty() {
        return Some(("InvalidSpec", trouble.invalid.join("; ")));
    }
    if let Some(other) = &trouble.other_operator {
        let words = format!(
            "the operator with the Lease {other} manages this app's objects; remove one of the two, or take over \
             by removing the annotation bluegreen.dev/operator from the Service"
        );
        return Some(("TwoOperators", words));
    }
    if let Some(conflict) = trouble.conflicts.first() {
        return Some(("NameConflict", conflict.clone()));
    }
    if let Some(refusal) = &trouble.refused
        && !only_standby(report, refusal)
    {
        return Some(("Refused", refusal.words.clone()));
    }
    let too_late = seen.elapsed.switching.is_some_and(|passed| passed >= observe::intent(app).deadline);
    match plan.stage {
        Stage::Paused if paused_midway(report) => {
            let words = "spec.paused holds a change that is not applied; set it to false to go on";
            Some(("Paused", words.to_owned()))
        }
        // What is yet to be stored begins its time then.
        Stage::Preparing { target, missing }
            if missing == Missing::Deadline || (too_late && missing != Missing::Revision) =>
        {
            Some(("ProgressDeadlineExceeded", lacks(report, target, missing)))
        }
        Stage::Unready { missing: missing @ Missing::Deadline } => {
            Some(("ProgressDeadlineExceeded", lacks(report, target, missing)))
        }
        Stage::Preparing { .. }
        | Stage::Switching { .. }
        | Stage::Draining { .. }
        | Stage::Serving
        | Stage::Unready { .. }
        | Stage::Paused
        | Stage::Pausing
        | Stage::Yielding => held(report, target),
    }
}

/// A broken idle color is no reason to call the app stalled.
fn only_standby(report: &Report, refusal: &Refusal) -> bool {
    let target = report.app.spec.active;
    report.plan.live == Live::Selected(target) && refusal.color == Some(target.other())
}

fn held(report: &Report, target: Color) -> Option<Why> {
    let idle = target.other();
    let waits = report.plan.held == Some(target) && report.plan.live.color() == Some(target);
    waits.then(|| {
        let words = format!(
            "spec.{target} changed while {target} is live, so the change waits; put it in spec.{idle} and set \
             spec.active to {idle}, or set spec.activeUpdatePolicy to RollingUpdate"
        );
        ("LiveColorEditHeld", words)
    })
}

/// The spec asks for something else than what is there.
fn paused_midway(report: &Report) -> bool {
    plan::paused_midway(&observe::intent(report.app), report.seen)
}

/// What a color lacks, in words.
pub(super) fn lacks(report: &Report, color: Color, missing: Missing) -> String {
    let told = live::pods(report, missing).filter(|_| color == report.app.spec.active);
    let what = told.unwrap_or_else(|| lacks_by_rule(report, color, missing));
    match report.trouble.pods.get(color) {
        Some(why) => format!("{what}: {why}"),
        None => what,
    }
}

fn lacks_by_rule(report: &Report, color: Color, missing: Missing) -> String {
    match missing {
        Missing::Block => format!("spec.{color} is missing"),
        Missing::Revision => format!("{color} is being rendered"),
        Missing::Deployment => format!("{color} has no Deployment yet"),
        Missing::Rollout => format!("{color} is being updated"),
        Missing::Size { have, want } => format!("{color} is being scaled from {have} to {want} pods"),
        Missing::Observed => format!("{color} has just been updated"),
        Missing::Pods { have, want } => format!("{color} has {have} of {want} pods available"),
        Missing::Deadline => format!("{color} made no progress within its deadline"),
        Missing::ReplicaSet => format!("{color}'s pods are of another revision"),
        Missing::Endpoints { have, want } => {
            format!("{color}'s Service lists {have} of {want} ready endpoints")
        }
        Missing::Nodes { .. } => {
            let nodes = some_of(&report.seen.colors.get(color).uncovered);
            let live = color.other();
            format!("{color} has no ready pod on {nodes}, where {live} serves (externalTrafficPolicy: Local)")
        }
    }
}

/// The first few names: a message has to end somewhere.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more nodes"),
    }
}

fn standby(report: &Report) -> (bool, Why) {
    let app = report.app;
    // Until the Service has moved, the standby is still the color that will serve.
    let idle = report.plan.live.color().unwrap_or(app.spec.active).other();
    let facts = report.seen.colors.get(idle);
    if app.spec.color(idle).is_none() {
        return (false, ("Absent", format!("spec.{idle} is not set")));
    }
    if let Some(refusal) = &report.trouble.refused
        && refusal.color == Some(idle)
    {
        return (false, ("Refused", refusal.words.clone()));
    }
    let Some(deployment) = facts.deployment.ours() else {
        return (false, ("NotReady", format!("{idle} has no Deployment yet")));
    };
    if facts.newest.is_some_and(|newest| outdated(newest, facts)) {
        // What is ready is the version before: whoever waits for this one must not be told of the other.
        return (
            false,
            ("NotReady", format!("{idle} was edited and keeps its pods until the drain has passed")),
        );
    }
    if deployment.replicas == 0 {
        return (false, ("ScaledDown", format!("{idle} is scaled to 0; it is scaled up before a switch")));
    }
    let want = deployment.replicas;
    let have = deployment.newest_available().min(facts.endpoints);
    let up_to_date = deployment.observed
        && deployment.matches
        && facts.current.is_some_and(|stored| stored.number == deployment.revision)
        && deployment.updated >= want;
    // Behind the color's Service, they would still answer the tests of the new version.
    let leaving = deployment.total > deployment.updated;
    if !up_to_date || have < want || leaving {
        let old = if leaving && have >= want { ", and pods of the version before" } else { "" };
        let what = format!("{idle} has {have} of {want} pods ready{old}");
        let words = report.trouble.pods.get(idle).as_ref().map(|why| format!("{what}: {why}"));
        return (false, ("NotReady", words.unwrap_or(what)));
    }
    let reduced = want < app.spec.replicas && !matches!(observe::intent(app).standby, Standby::Warm);
    if reduced {
        (true, ("Reduced", format!("{idle} is ready with {want} of {} pods", app.spec.replicas)))
    } else {
        (true, ("Warm", format!("{idle} is ready with {want} pods")))
    }
}
