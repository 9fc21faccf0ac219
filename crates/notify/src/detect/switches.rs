//! PURE: switches, of the history and of the record of the one that is under way.

use bluegreen_api::{BlueGreenAppStatus, Cause, HistoryEntry, SwitchStatus};

use super::About;
use crate::transition::{Kind, Transition};

/// How many switches the history keeps: of more, some may be unknown.
const HISTORY: usize = 10;

/// Switches that began, were done or canceled, and drains that ended; oldest first.
pub(super) fn transitions(
    about: &About,
    old: &BlueGreenAppStatus,
    new: &BlueGreenAppStatus,
) -> Vec<Transition> {
    let mut found: Vec<Transition> = canceled(about, old, new).into_iter().collect();
    for (index, entry) in new.history.iter().enumerate().rev() {
        let known = old.history.iter().find(|was| is_same(was, entry));
        if known.is_none() {
            let earlier = new.history.iter().skip(index + 1);
            found.push(done(about, old, entry, earlier));
        }
        if entry.drained_at.is_some() && known.is_none_or(|known| known.drained_at.is_none()) {
            found.extend(drained(about, entry));
        }
    }
    found.extend(started(about, old, new));
    found
}

/// Everything but the end of the drain, which comes later.
fn is_same(one: &HistoryEntry, other: &HistoryEntry) -> bool {
    (one.to, one.revision, one.generation, &one.started_at, &one.finished_at)
        == (other.to, other.revision, other.generation, &other.started_at, &other.finished_at)
}

/// A switch that is done. `earlier` are the entries before it.
fn done<'a>(
    about: &About,
    old: &BlueGreenAppStatus,
    entry: &HistoryEntry,
    mut earlier: impl Iterator<Item = &'a HistoryEntry>,
) -> Transition {
    let HistoryEntry { from, to, image, revision, finished_at, cause, .. } = entry;
    let served = old.color(*to).and_then(|color| color.served_revision) == Some(*revision);
    let again = served || earlier.any(|earlier| (earlier.to, earlier.revision) == (*to, *revision));
    let (kind, words) = match (from, cause) {
        (None, _) => (Kind::Activated, format!("Switched to {to}, the first live color ({image})")),
        (Some(from), Cause::Check) => (
            Kind::SwitchedBack,
            format!("Switched back from {from} to {to} ({image}), because a check failed after the switch"),
        ),
        (Some(from), Cause::Spec) if again => {
            (Kind::RolledBack, format!("Switched back from {from} to {to} ({image})"))
        }
        (Some(from), Cause::Spec) => (Kind::Switched, format!("Switched from {from} to {to} ({image})")),
    };
    of_entry(about, kind, entry, words, finished_at.0)
}

fn drained(about: &About, entry: &HistoryEntry) -> Option<Transition> {
    let (from, time) = (entry.from?, entry.drained_at.as_ref()?);
    let words = format!("{from} has drained; it may be scaled down or changed now");
    Some(of_entry(about, Kind::Drained, entry, words, time.0))
}

fn of_entry(
    about: &About,
    kind: Kind,
    entry: &HistoryEntry,
    words: String,
    time: jiff::Timestamp,
) -> Transition {
    let HistoryEntry { from, to, image, revision, finished_at, generation, .. } = entry;
    Transition {
        time: Some(time),
        color: Some(*to),
        from: *from,
        image: Some(image.clone()).filter(|image| !image.is_empty()),
        revision: Some(*revision),
        generation: Some(*generation),
        ..about.transition(kind, &[to, revision, generation, &finished_at.0], words)
    }
}

fn is_one_switch(one: &SwitchStatus, other: &SwitchStatus) -> bool {
    (one.from, one.to, &one.started_at) == (other.from, other.to, &other.started_at)
}

/// A switch that is under way. Once its color is live it is done, and the history has it.
fn started(about: &About, old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Transition> {
    let switch = new.switch.as_ref().filter(|switch| new.active != Some(switch.to))?;
    if old.switch.as_ref().is_some_and(|was| is_one_switch(was, switch)) {
        return None;
    }
    let SwitchStatus { from, to, started_at, generation, .. } = switch;
    let color = new.color(*to);
    let image = color.map_or_else(String::new, |color| format!(" ({})", color.image));
    let words = match from {
        Some(from) => format!("Switch from {from} to {to}{image} has started"),
        None => format!("Switch to {to}{image}, the first color, has started"),
    };
    Some(Transition {
        time: Some(started_at.0),
        color: Some(*to),
        from: *from,
        image: color.map(|color| color.image.clone()),
        revision: color.map(|color| color.revision),
        generation: Some(*generation),
        ..about.transition(Kind::SwitchStarted, &[to, &started_at.0], words)
    })
}

/// A switch that was under way, is not any more, and is not in the history.
fn canceled(about: &About, old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) -> Option<Transition> {
    let was = old.switch.as_ref().filter(|switch| old.active != Some(switch.to))?;
    let is_under_way = new.switch.as_ref().is_some_and(|switch| is_one_switch(was, switch));
    let is_done = new.history.iter().any(|entry| (entry.to, &entry.started_at) == (was.to, &was.started_at));
    // The history may have lost it while nobody looked.
    let oldest = new.history.last().filter(|_| new.history.len() >= HISTORY);
    let is_lost = oldest.is_some_and(|oldest| oldest.started_at.0 > was.started_at.0);
    if is_under_way || is_done || is_lost || new.active == Some(was.to) {
        return None;
    }
    let SwitchStatus { from, to, started_at, generation, .. } = was;
    let live = new.active.map_or_else(|| "no color is live".to_owned(), |live| format!("{live} stays live"));
    Some(Transition {
        color: Some(*to),
        from: *from,
        generation: Some(*generation),
        ..about.transition(
            Kind::SwitchCanceled,
            &[to, &started_at.0],
            format!("Switch to {to} canceled; {live}"),
        )
    })
}
