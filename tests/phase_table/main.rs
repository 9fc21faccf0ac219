//! What does every edit, and everything that can happen to a child, mean in every phase?
//!
//! One block per event: what it means as a rule, then the phases in which it means something else. `a` is the color
//! that serves (or is to serve first), `b` the other one; `-` is "nothing to do". After `->` stands where the app is
//! then; without it, the app stays where it was. A phase in which an event can't happen is left out by name.
//!
//! | file | holds |
//! |---|---|
//! | `table` | what a row is |
//! | `phases` | an app in each phase |
//! | `spec_edits`, `child_events`, `progress`, `checks` | the rows |
//! | `words` | a plan in the table's words |
//! | `end_to_end` | the rows that also run from end to end, and the tests that run them |
//! | `diagram` | the rows against the diagram in `docs/concepts.md` |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod checks;
mod child_events;
mod diagram;
mod end_to_end;
#[path = "../docs/named_tests.rs"]
mod named_tests;
mod phases;
mod progress;
mod spec_edits;
mod table;
mod words;

// What the fixtures, shared with the planner's own tests, take from the module above them.
use std::time::Duration;

use bluegreen_api::{ActiveUpdatePolicy, Color, PerColor};
use bluegreen_core::plan::{
    Action, Change, Checks, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Observed, Plan,
    Recorded, Selection, ServiceFacts, Stage, Standby, Stored, plan,
};

#[path = "../../crates/core/src/plan/tests/fixtures.rs"]
#[allow(dead_code, unused_imports)]
mod fixtures;

use phases::phases;
use table::{CREATES, rows};
use words::{in_words, sorted};

#[test]
fn every_event_means_one_thing_in_every_phase() {
    let rows = rows();
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let is = in_words(&row.after().plan(), row.phase.a);
            let right = (sorted(&is.0), is.1.as_str()) == (sorted(row.actions), row.stage);
            let should = format!("{} -> {}", row.actions, row.stage);
            (!right).then(|| format!("{}: should be {should}, is {} -> {}", row.name(), is.0, is.1))
        })
        .collect();
    let passed = rows.len() - wrong.len();
    println!("{} rows, {passed} pass; {} of them from end to end", rows.len(), end_to_end::shown().count());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_phase_is_the_one_that_it_is_called() {
    for phase in phases() {
        let (actions, stage) = in_words(&phase.world.plan(), phase.a);
        assert_eq!(stage, phase.stage, "{}", phase.name);
        assert_eq!(actions, if phase.name == "new" { CREATES } else { "-" }, "{}", phase.name);
    }
}
