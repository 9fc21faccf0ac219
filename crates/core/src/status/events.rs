//! One Event per transition, none on a steady state.

use super::reasons::CONTESTED;
use super::words;
use crate::desired;
use bluegreen_api::{
    BlueGreenAppStatus, Cause, CheckResult, CheckStatus, Color, READY, RECONCILING, STALLED, STANDBY_READY,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Every event reason, for the documentation's test.
pub const EVENTS: &[&str] = &[
    "Activated",
    "AddressChanged",
    "CheckFailed",
    "CheckInconclusive",
    "CheckPassed",
    "CheckStarted",
    "ColorReady",
    CONTESTED,
    "Drained",
    "EditReverted",
    "ForeignEndpoints",
    "LiveDegraded",
    "LiveRecovered",
    "ObjectsNotRead",
    "PodsMutated",
    "Recovered",
    "Restarted",
    "RolledBack",
    "SelectorRestored",
    "Stalled",
    "StatusNotWritten",
    "SwitchBlocked",
    "SwitchCanceled",
    "SwitchStarted",
    "Switched",
    "SwitchedBack",
    "TestedPodsReplaced",
    "WriteFailed",
];

/// The `action` of an Event, as it is spelled there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The operator applied an object.
    Apply,
    /// A check began or ended.
    Check,
    /// A switch was canceled.
    Cancel,
    /// The old color drained.
    Drain,
    /// The operator saw the live color's pods change.
    Observe,
    /// The idle color was prepared.
    Prepare,
    /// The operator could not go on, or can again.
    Reconcile,
    /// The operator put the live Service back.
    Restore,
    /// The Service was pointed at a color, or is about to be.
    Switch,
}

/// An Event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Warning, else Normal.
    pub warning: bool,
    /// One of [`EVENTS`].
    pub reason: &'static str,
    /// What was done, or failed.
    pub action: Verb,
    /// In words.
    pub note: String,
}

fn normal(reason: &'static str, action: Verb, note: String) -> Note {
    Note { warning: false, reason, action, note }
}

fn warning(reason: &'static str, action: Verb, note: String) -> Note {
    Note { warning: true, reason, action, note }
}

/// What changed between two statuses, as Events.
pub fn events(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Vec<Note> {
    let mut notes: Vec<Note> = new.checks.iter().filter_map(|check| check_event(old, check)).collect();
    notes.extend(switch_events(old, new));
    notes.extend(address_event(old, new));
    notes.extend(standby_event(old, new));
    notes.extend(contested_event(old, new));
    notes.extend(stalled_event(old, new));
    notes.extend(failed_event(old, new));
    notes.extend(degraded_event(old, new));
    notes.extend(astray_event(old, new));
    notes.extend(Color::ALL.into_iter().filter_map(|color| restarted_event(old, new, color)));
    notes
}

fn switch_events(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Vec<Note> {
    let mut notes = Vec::new();
    let target = |status: &BlueGreenAppStatus| status.switch.as_ref().map(|switch| switch.to);
    if let Some(to) = target(new)
        && target(old) != Some(to)
        && old.active != Some(to)
    {
        notes.push(normal("SwitchStarted", Verb::Switch, words::switching(old.active, to)));
    }
    if let Some(to) = new.active
        && old.active != Some(to)
    {
        notes.push(moved(old, new, to));
    } else if let Some(to) = target(old)
        && target(new) != Some(to)
    {
        if old.active != Some(to) {
            let live =
                new.active.map_or_else(|| "no color is live".to_owned(), |c| format!("{c} stays live"));
            notes.push(normal("SwitchCanceled", Verb::Cancel, format!("Switch to {to} canceled; {live}")));
        } else if target(new).is_none()
            // The first activation leaves no color behind.
            && let Some(from) = old.switch.as_ref().and_then(|switch| switch.from)
        {
            let words = format!("{from} has drained; it may be scaled down or changed now");
            notes.push(normal("Drained", Verb::Drain, words));
        }
    }
    notes
}

/// A check that began or ended.
fn check_event(old: &BlueGreenAppStatus, check: &CheckStatus) -> Option<Note> {
    let CheckStatus { name, color, revision, result, message, .. } = check;
    let is_same = |was: &&CheckStatus| {
        (&was.name, was.color, was.revision, was.generation) == (name, *color, *revision, check.generation)
    };
    let before = old.checks.iter().find(is_same).map(|was| was.result);
    if before == Some(*result) {
        return None;
    }
    let why = message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    let of = format!("Check {name} of {color} (revision {revision})");
    Some(match result {
        CheckResult::Running => normal("CheckStarted", Verb::Check, format!("{of} has started")),
        CheckResult::Passed => normal("CheckPassed", Verb::Check, format!("{of} has passed")),
        CheckResult::Failed => warning("CheckFailed", Verb::Check, format!("{of} has failed{why}")),
        CheckResult::Inconclusive => {
            warning("CheckInconclusive", Verb::Check, format!("{of} can't tell whether {color} is good{why}"))
        }
    })
}

fn moved(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus, to: Color) -> Note {
    let image = new.color(to).map(|color| color.image.clone()).unwrap_or_default();
    let again = old.color(to).is_some_and(|c| c.served_revision.is_some_and(|served| served == c.revision));
    match old.active {
        None => {
            normal("Activated", Verb::Switch, format!("Switched to {to}, the first live color ({image})"))
        }
        Some(from) if new.history.first().is_some_and(|last| last.cause == Cause::Check) => warning(
            "SwitchedBack",
            Verb::Switch,
            format!("Switched back from {from} to {to} ({image}), because a check failed after the switch"),
        ),
        Some(from) if again => {
            normal("RolledBack", Verb::Switch, format!("Switched back from {from} to {to} ({image})"))
        }
        Some(from) => normal("Switched", Verb::Switch, format!("Switched from {from} to {to} ({image})")),
    }
}

/// The live Service was created again, and not at the addresses that it had. The cluster IP of a Service never changes, so this
/// shows it; a node port alone may be what the spec asks for.
fn address_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    let (had, has) = (old.service.as_ref()?, new.service.as_ref()?);
    let (from, to) = (had.cluster_ip.as_ref()?, has.cluster_ip.as_ref()?);
    if from == to {
        return None;
    }
    let mut words = format!(
        "The live Service was created again, and could not have the addresses that it had. Its cluster IP was {from} and is {to}"
    );
    let mut say = |what: &str, had: Option<i32>, has: Option<i32>| {
        if let (Some(from), Some(to)) = (had, has)
            && from != to
        {
            words.push_str(&format!("; its {what} was {from} and is {to}"));
        }
    };
    say("node port", had.node_port, has.node_port);
    for (name, from) in &had.extra_node_ports {
        say(&format!("node port {name}"), Some(*from), has.extra_node_ports.get(name).copied());
    }
    say("node port for health checks", had.health_check_node_port, has.health_check_node_port);
    words.push_str(
        ". Whoever uses an old one may reach something else there; the Service's name leads to the new one",
    );
    Some(warning("AddressChanged", Verb::Restore, words))
}

fn standby_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    let is =
        |status: &BlueGreenAppStatus| status.condition(STANDBY_READY).is_some_and(|c| c.status == "True");
    let became = !is(old) && is(new) && old.active == new.active;
    let condition = new.condition(STANDBY_READY).filter(|_| became)?;
    Some(normal("ColorReady", Verb::Prepare, condition.message.clone()))
}

fn contested_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    let told = |status: &BlueGreenAppStatus| {
        let conditions = [STALLED, STANDBY_READY].into_iter().filter_map(|type_| status.condition(type_));
        conditions.filter(|c| c.reason == CONTESTED).map(|c| c.message.clone()).next()
    };
    let words = told(new).filter(|_| told(old).is_none())?;
    Some(warning(CONTESTED, Verb::Apply, words))
}

fn stalled_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    match (old.condition(STALLED), new.condition(STALLED)) {
        // It has an Event of its own.
        (_, Some(now)) if now.reason == CONTESTED => None,
        (was, Some(now)) if was.map(|c| &c.reason) != Some(&now.reason) => {
            let reason = if new.switch.is_some() { "SwitchBlocked" } else { "Stalled" };
            Some(warning(reason, Verb::Reconcile, format!("{}: {}", now.reason, now.message)))
        }
        (Some(was), None) => {
            Some(normal("Recovered", Verb::Reconcile, format!("Resolved: {}: {}", was.reason, was.message)))
        }
        (None | Some(_), _) => None,
    }
}

/// A write that does not succeed and does not stall the app: the cluster may mend it, or it concerns the idle color alone.
fn failed_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    fn failed(status: &BlueGreenAppStatus) -> Option<&Condition> {
        let conditions = [RECONCILING, STANDBY_READY].map(|type_| status.condition(type_));
        let is_stalled = status.condition(STALLED).is_some();
        let failed = |c: &&Condition| c.reason == "WriteFailed" || (c.reason == "Refused" && !is_stalled);
        conditions.into_iter().flatten().find(failed)
    }
    match (failed(old), failed(new)) {
        (None, Some(now)) => {
            Some(warning("WriteFailed", Verb::Reconcile, format!("{}: {}", now.reason, now.message)))
        }
        (Some(was), None) if new.condition(STALLED).is_none() => {
            Some(normal("Recovered", Verb::Reconcile, format!("Resolved: {}: {}", was.reason, was.message)))
        }
        (None | Some(_), _) => None,
    }
}

fn restarted_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus, color: Color) -> Option<Note> {
    let at = |status: &BlueGreenAppStatus| status.color(color).and_then(|color| color.restarted_at.clone());
    at(new).filter(|now| Some(now) != at(old).as_ref())?;
    let mut words = format!(
        "{color}'s Deployment was restarted by hand (kubectl rollout restart, which sets the annotation {} of its pods): its pods \
         are replaced in place, and the annotation is kept until {color}'s next revision",
        desired::RESTARTED_AT
    );
    if new.active == Some(color) {
        let other = color.other();
        let instead = format!(
            ". To have new pods that are ready before they serve, set spec.{other}.revision to a new value, and switch to {other}"
        );
        words.push_str(&instead);
    }
    Some(normal("Restarted", Verb::Observe, words))
}

fn degraded_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    let degraded = |status: &BlueGreenAppStatus| {
        status.condition(READY).filter(|c| c.reason == "LiveNotReady").map(|c| c.message.clone())
    };
    let ready = new.condition(READY).is_some_and(|c| c.status == "True");
    match (degraded(old), degraded(new)) {
        (None, Some(words)) => Some(warning("LiveDegraded", Verb::Observe, words)),
        (Some(_), None) if ready => {
            let live = new.active.map_or("The live color", Color::as_str);
            Some(normal(
                "LiveRecovered",
                Verb::Observe,
                format!("{live} has as many pods available as before"),
            ))
        }
        (None | Some(_), _) => None,
    }
}

/// Tells of traffic that no switch moves.
fn astray_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    let message = |status: &BlueGreenAppStatus| status.condition(READY).map(|ready| ready.message.clone());
    let astray = |message: &String| words::astray(message).map(str::to_owned);
    let now = message(new)?;
    let is_new = astray(&now).is_some() && message(old).as_ref().and_then(astray) != astray(&now);
    is_new.then(|| warning("ForeignEndpoints", Verb::Observe, now))
}
