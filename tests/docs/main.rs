//! Do the documents cover what the code can say?

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod chart;
mod concepts;
mod generated;
mod manifests;
mod named_tests;
mod promises;
mod reach;
mod supply;

use std::path::Path;

use bluegreen_core::status;

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The rows of a Markdown table that start with this code.
fn has_row(text: &str, reason: &str) -> bool {
    text.lines().any(|line| line.starts_with(&format!("| `{reason}` |")))
}

#[test]
fn every_condition_reason_and_event_has_a_row_in_troubleshooting() {
    let text = document("troubleshooting.md");
    let missing: Vec<_> =
        status::REASONS.iter().chain(status::EVENTS).filter(|reason| !has_row(&text, reason)).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md has no row for {missing:?}");
}

/// The lists in the code are themselves complete: every CamelCase literal in the two files is in them.
#[test]
fn every_reason_in_the_code_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/status");
    let listed: Vec<_> = status::REASONS.iter().chain(status::EVENTS).collect();
    for file in ["conditions.rs", "events.rs"] {
        let code = std::fs::read_to_string(root.join(file)).unwrap();
        let types = [status::READY, status::STANDBY_READY, status::RECONCILING, status::STALLED];
        let literals = code.split('"').skip(1).step_by(2).filter(|text| {
            text.chars().next().is_some_and(char::is_uppercase)
                && text.chars().all(char::is_alphanumeric)
                && text.chars().any(char::is_lowercase)
        });
        for literal in literals.filter(|text| !["True", "False"].contains(text)) {
            let known = listed.contains(&&literal) || types.contains(&literal);
            assert!(known, "{file} says {literal}, which is not in its list");
        }
    }
}

#[test]
fn every_phase_is_explained() {
    use bluegreen_api::Phase;
    let text = document("concepts.md");
    for phase in
        [Phase::Preparing, Phase::Switching, Phase::Draining, Phase::Stable, Phase::Stalled, Phase::Paused]
    {
        assert!(has_row(&text, &format!("{phase:?}")), "docs/concepts.md has no row for {phase:?}");
    }
}
