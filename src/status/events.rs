//! One Event per transition, none on a steady state.

use super::{READY, STALLED, STANDBY_READY};
use crate::api::{BlueGreenAppStatus, Color};

/// Every event reason, for the documentation's test.
pub const EVENTS: &[&str] = &[
    "Activated",
    "ColorReady",
    "Contested",
    "Drained",
    "LiveDegraded",
    "LiveRecovered",
    "Recovered",
    "RolledBack",
    "SelectorRestored",
    "Stalled",
    "SwitchBlocked",
    "SwitchCanceled",
    "SwitchStarted",
    "Switched",
];

/// An Event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Warning, else Normal.
    pub warning: bool,
    /// One of [`EVENTS`].
    pub reason: &'static str,
    /// In words.
    pub note: String,
}

fn normal(reason: &'static str, note: String) -> Note {
    Note { warning: false, reason, note }
}

fn warning(reason: &'static str, note: String) -> Note {
    Note { warning: true, reason, note }
}

/// What changed between two statuses, as Events.
pub fn events(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Vec<Note> {
    let mut notes = switch_events(old, new);
    notes.extend(standby_event(old, new));
    notes.extend(stalled_event(old, new));
    notes.extend(degraded_event(old, new));
    notes
}

fn switch_events(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Vec<Note> {
    let mut notes = Vec::new();
    let target = |status: &BlueGreenAppStatus| status.switch.as_ref().map(|switch| switch.to);
    if let Some(to) = target(new)
        && target(old) != Some(to)
        && old.active != Some(to)
    {
        notes.push(normal("SwitchStarted", format!("{to} is to serve")));
    }
    if let Some(to) = new.active
        && old.active != Some(to)
    {
        notes.push(moved(old, new, to));
    } else if let Some(to) = target(old)
        && target(new) != Some(to)
    {
        if old.active != Some(to) {
            let serving =
                new.active.map_or_else(|| "nothing serves".to_owned(), |c| format!("{c} keeps serving"));
            notes.push(normal("SwitchCanceled", format!("{to} is no longer asked for; {serving}")));
        } else if target(new).is_none()
            // The first activation leaves no color behind.
            && let Some(from) = old.switch.as_ref().and_then(|switch| switch.from)
        {
            notes.push(normal("Drained", format!("{from} may now be scaled down or changed")));
        }
    }
    notes
}

fn moved(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus, to: Color) -> Note {
    let image = new.color(to).map(|color| color.image.clone()).unwrap_or_default();
    let again = old.color(to).is_some_and(|c| c.served_revision.is_some_and(|served| served == c.revision));
    match old.active {
        None => normal("Activated", format!("{to} serves {image}")),
        Some(from) if again => normal("RolledBack", format!("from {from} back to {to}, {image}")),
        Some(from) => normal("Switched", format!("from {from} to {to}, {image}")),
    }
}

fn standby_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    let is =
        |status: &BlueGreenAppStatus| status.condition(STANDBY_READY).is_some_and(|c| c.status == "True");
    let became = !is(old) && is(new) && old.active == new.active;
    became.then(|| new.condition(STANDBY_READY).map(|c| normal("ColorReady", c.message.clone()))).flatten()
}

fn stalled_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    match (old.condition(STALLED), new.condition(STALLED)) {
        (was, Some(now)) if was.map(|c| &c.reason) != Some(&now.reason) => {
            let reason = if new.switch.is_some() { "SwitchBlocked" } else { "Stalled" };
            Some(warning(reason, format!("{}: {}", now.reason, now.message)))
        }
        (Some(_), None) => Some(normal("Recovered", "nothing is in the way any more".to_owned())),
        (None | Some(_), _) => None,
    }
}

fn degraded_event(old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Note> {
    let degraded = |status: &BlueGreenAppStatus| {
        status.condition(READY).filter(|c| c.reason == "LiveNotReady").map(|c| c.message.clone())
    };
    let ready = new.condition(READY).is_some_and(|c| c.status == "True");
    match (degraded(old), degraded(new)) {
        (None, Some(words)) => Some(warning("LiveDegraded", words)),
        (Some(_), None) if ready => {
            Some(normal("LiveRecovered", "the live color is fully ready again".to_owned()))
        }
        (None | Some(_), _) => None,
    }
}
