//! What a row of the table is.

use bluegreen_api::Color;

use crate::checks::checks;
use crate::child_events::child_events;
use crate::fixtures::World;
use crate::phases::{Phase, phases};
use crate::progress::progress;
use crate::spec_edits::spec_edits;

/// One event: its name, what it does to an app whose colors are (`a`, `b`), and what it means.
pub struct Event {
    pub name: &'static str,
    pub happens: fn(World, Color, Color) -> World,
    pub rule: &'static str,
    /// Phases, separated by spaces, in which it means something else; an empty text where it can't happen.
    pub except: &'static [(&'static str, &'static str)],
}

/// What a new app does in any case.
pub const CREATES: &str = "create-service, color-service a, store a 1, color-service b, store b 1";

/// The same where the edit asks for the other color.
pub const CREATES_FOR_B: &str =
    "create-service, color-service a, store a 1, color-service b, store b 1 -> preparing b: revision";

/// An event in a phase, and what it means there.
pub struct Row {
    pub phase: Phase,
    pub event: &'static str,
    happens: fn(World, Color, Color) -> World,
    pub actions: &'static str,
    /// Where the app is then.
    pub stage: &'static str,
}

impl Row {
    /// For people.
    pub fn name(&self) -> String {
        format!("{} / {}", self.phase.name, self.event)
    }

    /// The app after the event.
    pub fn after(&self) -> World {
        (self.happens)(self.phase.world.clone(), self.phase.a, self.phase.a.other())
    }
}

/// The table.
pub fn rows() -> Vec<Row> {
    let events = spec_edits().into_iter().chain(child_events()).chain(progress()).chain(checks());
    events.flat_map(rows_of).collect()
}

fn rows_of(event: Event) -> Vec<Row> {
    let Event { name, happens, rule, except } = event;
    let except: Vec<(&str, &str)> =
        except.iter().flat_map(|(phases, text)| phases.split(' ').map(|phase| (phase, *text))).collect();
    for (index, (phase, _)) in except.iter().enumerate() {
        assert!(phases().iter().any(|known| known.name == *phase), "{name}: no phase {phase}");
        assert!(except[..index].iter().all(|(named, _)| named != phase), "{name}: {phase} is there twice");
    }
    let row = |phase: Phase| {
        let text = except.iter().find(|(named, _)| *named == phase.name).map_or(rule, |(_, text)| *text);
        if text.is_empty() {
            return None;
        }
        let (actions, stage) = text.split_once(" -> ").unwrap_or((text, phase.stage));
        Some(Row { phase, event: name, happens, actions, stage })
    };
    phases().into_iter().filter_map(row).collect()
}
