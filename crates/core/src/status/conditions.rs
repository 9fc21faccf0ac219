//! The four conditions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::reasons::Why;
use super::record::{Failed, Record, Stall, Standing, Work, fails, is_degraded};
use super::{Report, checks, conflicts, live, words};
use crate::apply::Failure;
use crate::harmless::visible;
use crate::observe::Stranger;
use crate::plan::{Intent, Missing, Stage, Standby, outdated};
use crate::text::cut;
use bluegreen_api::{
    BlueGreenAppStatus, CONDITION_MESSAGE, CheckTime, READY, RECONCILING, STALLED, STANDBY_READY,
};

/// Returns the conditions. `old`: the status that is there, and `record`: what is read back of it.
pub(super) fn conditions(
    report: &Report,
    old: &BlueGreenAppStatus,
    record: &Record,
    standing: Standing,
) -> Vec<Condition> {
    let (stall, work) = match standing {
        Standing::Stalled(stall) => (Some(stall), None),
        Standing::Working(work) => (None, Some(work)),
        Standing::Resting => (None, None),
    };
    let stalled = stall.map(|stall| stalled(report, stall));
    let (is_ready, why) = ready(report, record, report.intent, stalled.as_ref());
    let reconciling = work.map(|work| reconciling(report, work, &why));
    let (standby, standby_why) = standby(report, report.intent);
    let why = (why.0, words::with_astray(why.1, &report.app.name_any(), &report.material.foreign_slices));
    let mut all = vec![(READY, is_ready, why), (STANDBY_READY, standby, standby_why)];
    all.extend(reconciling.map(|why| (RECONCILING, true, why)));
    all.extend(stalled.map(|why| (STALLED, true, why)));
    all.into_iter().map(|(type_, on, why)| condition(report, old, type_, on, why)).collect()
}

/// Returns one condition, whose transition time stays while its status does.
fn condition(
    report: &Report,
    old: &BlueGreenAppStatus,
    type_: &str,
    on: bool,
    (reason, message): Why,
) -> Condition {
    let status = if on { "True" } else { "False" };
    let since = old
        .condition(type_)
        .filter(|was| was.status == status)
        .map_or(Time(report.now), |was| was.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        // Whoever wrote a part of it, everybody's terminal shows it.
        message: cut(visible(&message), CONDITION_MESSAGE),
        observed_generation: Some(report.app.metadata.generation.unwrap_or(0)),
        last_transition_time: since,
    }
}

fn ready(report: &Report, old: &Record, intent: &Intent, stalled: Option<&Why>) -> (bool, Why) {
    let Report { app, plan, seen, problems, .. } = report;
    let target = intent.active;
    let waits = || words::waits(app, seen, plan, &problems.pods).unwrap_or_default();
    let serves = |words| words::with_unlisted(words, &app.name_any(), seen, target);
    // A pause changes nothing about pods that fail, and the switch that it holds back does not either.
    if plan.stage == Stage::Paused && plan.waits.gate.is_some() && is_degraded(old, intent, seen, plan) {
        return (false, ("LiveNotReady", waits()));
    }
    if let Some((reason, message)) = stalled {
        return (false, (reason, message.clone()));
    }
    let is_told = |failure: &Failure| {
        let failed = Failed::from(failure);
        !failed.is_of_idle(intent, plan) && !failed.aside
    };
    let failure = problems.failure(app, intent.active).filter(is_told);
    let doubts = || {
        let all = [checks::doubts(report, target), words::leftover(&problems.failures(app, intent.active))];
        all.into_iter().flatten().map(|words| format!("; {words}")).collect::<String>()
    };
    match (fails(old, intent, seen, plan), failure.as_ref().map(words::failed)) {
        (true, Some((reason, words))) => {
            return (false, ("LiveNotReady", format!("{}; {reason}: {words}", waits())));
        }
        (false, Some(why)) => return (false, why),
        (_, None) => {}
    }
    match plan.stage {
        Stage::Serving => {
            (true, ("Serving", serves(format!("{target} is live and fully ready{}", doubts()))))
        }
        Stage::Draining { old } => {
            let words = format!("{target} is live and fully ready; {old} is draining{}", doubts());
            (true, ("Serving", serves(words)))
        }
        Stage::Preparing { .. } => {
            let waits_for_collector = !conflicts::collecting(app, seen).is_empty();
            (false, (if waits_for_collector { "Collecting" } else { "WaitingForTarget" }, waits()))
        }
        Stage::Checking { to } => (false, ("Checking", checks::running(report, CheckTime::Before, to))),
        Stage::Watching { old } => {
            (false, ("Checking", checks::running(report, CheckTime::After, old.other())))
        }
        Stage::Switching { .. } => (false, ("Switching", waits())),
        Stage::Unready { missing } => live::unready(report, old, intent, missing, waits()),
        Stage::Paused => {
            let words =
                format!("Paused: {target} is live; changes are not applied until spec.paused is false");
            (true, ("Paused", words))
        }
        Stage::Pausing => (false, ("Pausing", waits())),
        // Both are stalled, and have been answered above.
        Stage::Yielding => (false, ("FenceConflict", waits())),
        Stage::Invalid => (false, ("InvalidSpec", waits())),
    }
}

fn reconciling(report: &Report, work: Work, (reason, message): &Why) -> Why {
    match work {
        Work::Retry => {
            let failure = report.problems.failure(report.app, report.intent.active);
            failure.as_ref().map_or_else(|| (*reason, message.clone()), words::failed)
        }
        Work::Target | Work::Checking | Work::Switching => (reason, message.clone()),
        Work::Fencing if *reason == "Serving" => ("Fencing", format!("The operator is {}", words::fencing())),
        Work::Fencing => (reason, message.clone()),
        Work::Live if *reason == "LiveNotReady" => ("Updating", message.clone()),
        Work::Live => (reason, message.clone()),
        Work::Idle(idle) => ("StandbyUpdating", format!("{idle} is being updated")),
    }
}

/// Why nothing will happen without a change.
fn stalled(report: &Report, stall: Stall) -> Why {
    let Report { app, intent, plan, seen, problems, material, .. } = report;
    let (name, target) = (app.name_any(), intent.active);
    match stall {
        Stall::Holder => {
            let words = plan.waits.holder.as_ref().map(|holder| words::held_by(&name, holder));
            let reason = if plan.waits.is_other_installation() { "TwoOperators" } else { "FenceConflict" };
            (reason, words.unwrap_or_default())
        }
        Stall::InvalidSpec => ("InvalidSpec", words::invalid(app)),
        Stall::Conflict => {
            let is_unreadable = |(_, why): &(String, Stranger)| matches!(why, Stranger::Unreadable(_));
            let reason =
                if material.strangers.iter().any(is_unreadable) { "Unreadable" } else { "NameConflict" };
            (reason, conflicts::conflicts(app, seen, &material.strangers))
        }
        Stall::Refused => {
            problems.failure(app, target).as_ref().map_or(("Refused", String::new()), words::failed)
        }
        Stall::Paused => ("Paused", words::paused()),
        Stall::Check => app.status.as_ref().and_then(|status| status.rejected.as_ref()).map_or_else(
            || ("CheckFailed", String::new()),
            |rejected| (checks::reason(rejected), checks::rejected(report, rejected)),
        ),
        Stall::Deadline => {
            let words = match plan.waits.gate {
                Some((color, missing)) => words::lacks_because(&name, seen, color, missing, &problems.pods),
                None => format!(
                    "Service {name} selects {target}, but its EndpointSlices do not list exactly the ready pods of {target}"
                ),
            };
            ("ProgressDeadlineExceeded", words)
        }
        Stall::Held => {
            let idle = target.other();
            let words = format!(
                "spec.{target} changed while {target} is live, so the change is held until {target} is idle. To apply \
                 it now, put it in spec.{idle} and set spec.active to {idle}, or set spec.activeUpdatePolicy to \
                 RollingUpdate"
            );
            ("LiveColorEditHeld", words)
        }
    }
}

fn standby(report: &Report, intent: &Intent) -> (bool, Why) {
    let Report { app, plan, seen, problems, .. } = report;
    // Until the Service selects the target, the idle color is still the target.
    let idle = plan.live.color().unwrap_or(intent.active).other();
    let (name, facts) = (app.name_any(), seen.colors.get(idle));
    let lacks = |missing| words::lacks(&name, seen, idle, missing);
    let not_ready = |what: String| {
        let words = words::with_cause(what, problems.pods.get(idle).as_ref());
        (false, ("NotReady", words))
    };
    if app.spec.color(idle).is_none() {
        return (false, ("Absent", format!("spec.{idle} is not set")));
    }
    let of_idle = |failure: &Failure| failure.color == Some(idle) && !failure.leftover;
    if let Some(failure) = problems.failures(app, intent.active).into_iter().find(of_idle) {
        return (false, words::failed(&failure));
    }
    let Some(deployment) = facts.deployment.ours() else {
        return (false, ("NotReady", lacks(Missing::Deployment)));
    };
    if facts.newest.is_some_and(|newest| outdated(newest, facts)) {
        // What is ready is the previous version: who waits for the new one must not be told of that one.
        let words =
            format!("spec.{idle} changed; Deployment {name}-{idle} is updated once {idle} has drained");
        return (false, ("NotReady", words));
    }
    if deployment.replicas == 0 {
        return (false, ("ScaledDown", format!("{idle} is scaled to 0; a switch scales it up first")));
    }
    let is_current = facts.current.is_some_and(|stored| stored.number == deployment.revision);
    if !is_current || !deployment.matches {
        return not_ready(lacks(Missing::Rollout));
    }
    if !deployment.observed {
        return not_ready(lacks(Missing::Observed));
    }
    let want = deployment.replicas;
    let have = deployment.newest_available().min(facts.endpoints);
    // Behind the color's own Service, old pods would still answer the tests of the new version.
    let leaving = deployment.total > deployment.updated;
    if deployment.updated < want || have < want || leaving {
        if deployment.deadline_exceeded {
            let words = words::with_cause(lacks(Missing::Deadline), problems.pods.get(idle).as_ref());
            return (false, ("ProgressDeadlineExceeded", words));
        }
        if !facts.sparse.is_empty() && deployment.newest_available() >= want && !leaving {
            return not_ready(lacks(Missing::Endpoints { have: facts.endpoints, want }));
        }
        let old = if leaving && have >= want { ", and still pods of its previous revision" } else { "" };
        return not_ready(format!("{idle} has {have} of {want} pods ready{old}"));
    }
    if facts.ported < want {
        return not_ready(lacks(Missing::Ports { have: facts.ported, want }));
    }
    let reduced = want < app.spec.replicas && intent.standby != Standby::Warm;
    if reduced {
        (true, ("Reduced", format!("{idle} is ready with {want} of {} pods", app.spec.replicas)))
    } else {
        (true, ("Warm", format!("{idle} is ready with {want} {}", if want == 1 { "pod" } else { "pods" })))
    }
}
