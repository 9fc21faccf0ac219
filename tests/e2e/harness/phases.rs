//! The phases that an app's status went through, against the diagram that people read.

use std::collections::{BTreeMap, BTreeSet};

use super::diagram::{START, arrows};
use super::record::{Event, Kind};

/// Steps from one reported phase to the next that the diagram does not show, in words.
pub fn strange_steps(events: &[Event]) -> Vec<String> {
    let arrows = arrows();
    let mut now: BTreeMap<&str, String> = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut strange = Vec::new();
    for event in events.iter().filter(|event| event.kind == Kind::App) {
        if event.deleted {
            now.remove(event.name.as_str());
            continue;
        }
        let is_new = known.insert(event.name.as_str());
        let Some(phase) = event.object["status"]["phase"].as_str() else { continue };
        // An app is created without a status: this one is older than the record.
        if is_new {
            now.insert(&event.name, phase.to_owned());
            continue;
        }
        let before = now.insert(&event.name, phase.to_owned()).unwrap_or_else(|| START.to_owned());
        let step = (before, phase.to_owned());
        if step.0 != step.1 && !arrows.contains(&step) {
            strange.push(format!("{} --> {}", step.0, step.1));
        }
    }
    strange
}
