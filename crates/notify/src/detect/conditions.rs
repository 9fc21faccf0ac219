//! PURE: what the conditions say.

use bluegreen_api::{BlueGreenAppStatus, Color, Phase, READY, STALLED};
use jiff::Timestamp;

use super::About;
use crate::transition::{Kind, Transition};

/// The reason of `Stalled` for a pause in the middle of a switch, which is no trouble. An app that serves and is paused has no such
/// condition.
const PAUSED: &str = "Paused";

/// The reason of `Ready` for a live color that has lost pods.
const LIVE_NOT_READY: &str = "LiveNotReady";

/// What a condition says.
struct Said<'a> {
    reason: &'a str,
    message: &'a str,
    since: Timestamp,
    generation: Option<i64>,
}

/// The app is stalled, paused, or neither any more; the live color has lost pods, or has them back.
pub(super) fn transitions(
    about: &About,
    old: &BlueGreenAppStatus,
    new: &BlueGreenAppStatus,
) -> Vec<Transition> {
    [paused(about, old, new), stalled(about, old, new), degraded(about, old, new)]
        .into_iter()
        .flatten()
        .collect()
}

fn said<'a>(status: &'a BlueGreenAppStatus, type_: &str, value: &str) -> Option<Said<'a>> {
    let condition = status.condition(type_).filter(|condition| condition.status == value)?;
    Some(Said {
        reason: &condition.reason,
        message: &condition.message,
        since: condition.last_transition_time.0,
        generation: condition.observed_generation,
    })
}

fn paused(about: &About, old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Transition> {
    let is = |status: &BlueGreenAppStatus| status.phase == Some(Phase::Paused);
    let (kind, words) = match (is(old), is(new)) {
        (false, true) => {
            (Kind::Paused, "The app is paused: changes are not applied until spec.paused is false")
        }
        (true, false) => (Kind::Resumed, "The app is not paused any more"),
        (false, false) | (true, true) => return None,
    };
    Some(Transition {
        color: new.active,
        generation: Some(new.observed_generation),
        ..about.transition(kind, &[&new.observed_generation], words.to_owned())
    })
}

fn stalled(about: &About, old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Transition> {
    let stalled = |status| said(status, STALLED, "True").filter(|said| said.reason != PAUSED);
    match (stalled(old), stalled(new)) {
        (was, Some(now)) => {
            // Another reason is another trouble; another message may only count otherwise.
            let is_known = was.is_some_and(|was| was.reason == now.reason && was.since == now.since);
            let kind = if new.switch.is_some() { Kind::SwitchBlocked } else { Kind::Stalled };
            let words = format!("{}: {}", now.reason, now.message);
            (!is_known).then(|| of(about, kind, &now, now.since, new, words))
        }
        (Some(was), None) => {
            let words = format!("Resolved: {}: {}", was.reason, was.message);
            // The condition is gone, and with it the time at which it went.
            let recovered = of(about, Kind::Recovered, &was, was.since, new, words);
            Some(Transition { time: None, ..recovered })
        }
        (None, None) => None,
    }
}

fn degraded(about: &About, old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Transition> {
    let degraded = |status| said(status, READY, "False").filter(|said| said.reason == LIVE_NOT_READY);
    match (degraded(old), degraded(new)) {
        (None, Some(now)) => {
            Some(of(about, Kind::LiveDegraded, &now, now.since, new, now.message.to_owned()))
        }
        (Some(_), None) => {
            let now = said(new, READY, "True")?;
            let live = new.active.map_or("The live color", Color::as_str);
            let words = format!("{live} has as many pods available as before");
            Some(of(about, Kind::LiveRecovered, &now, now.since, new, words))
        }
        (None, None) | (Some(_), Some(_)) => None,
    }
}

/// A transition that a condition tells.
fn of(
    about: &About,
    kind: Kind,
    said: &Said,
    time: Timestamp,
    status: &BlueGreenAppStatus,
    words: String,
) -> Transition {
    let generation = said.generation.unwrap_or_default();
    let color = status.switch.as_ref().map(|switch| switch.to).or(status.active);
    let found = color.and_then(|color| status.color(color));
    Transition {
        time: Some(time),
        color,
        image: found.map(|color| color.image.clone()),
        revision: found.map(|color| color.revision),
        generation: said.generation,
        reason: Some(said.reason.to_owned()),
        ..about.transition(kind, &[&said.reason, &said.since, &generation], words)
    }
}
