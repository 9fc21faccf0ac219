//! Do the documents cover what the code can say?

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod accounted;
mod begins;
mod blocks;
mod changelog;
mod chart;
mod concepts;
mod faults;
mod figures;
mod generated;
mod manifests;
mod messages;
mod named_tests;
mod names;
mod needs;
mod pods;
mod promises;
mod reach;
mod runs;
mod schema;
mod site;
mod supply;

use std::path::Path;

use bluegreen_core::status;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn document(name: &str) -> String {
    text(&format!("docs/{name}"))
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
fn all_that_the_notifier_can_say_is_documented() {
    let text = document("notifications.md");
    for series in bluegreen_notify::counts::ALL {
        let labels: Vec<_> = series.labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("| `{}` | {} | {} |", series.name, labels.join(", "), series.help);
        assert!(text.contains(&row), "docs/notifications.md lacks {row}");
    }
    let (_, table) = text.split_once("\n### What is told\n").unwrap();
    let table = table.split("\n### ").next().unwrap();
    let missing: Vec<_> = bluegreen_notify::Kind::ALL
        .into_iter()
        .filter(|kind| !table.contains(&format!("`{kind}`")))
        .collect();
    assert!(missing.is_empty(), "docs/notifications.md has no row for {missing:?}");
    // It calls things as the operator's Events do; only pauses have no Event.
    let own = bluegreen_notify::Kind::ALL.into_iter().filter(|kind| !status::EVENTS.contains(&kind.as_str()));
    assert_eq!(own.map(|kind| kind.to_string()).collect::<Vec<_>>(), ["Paused", "Resumed"]);
}

#[test]
fn every_phase_is_explained() {
    let crd = serde_json::to_value(bluegreen_api::crd().unwrap()).unwrap();
    let phases = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
        ["phase"]["enum"];
    let phases: Vec<_> = phases.as_array().unwrap().iter().filter_map(serde_json::Value::as_str).collect();
    let text = document("concepts.md");
    let table = text.split("\n## Phases\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<_> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(phase, _)| phase))
        .collect();
    let missing: Vec<_> = phases.iter().filter(|phase| !rows.contains(phase)).collect();
    assert!(missing.is_empty(), "docs/concepts.md has no row for {missing:?}");
    let unknown: Vec<_> = rows.iter().filter(|row| !phases.contains(row)).collect();
    assert!(unknown.is_empty(), "docs/concepts.md explains phases that are not there: {unknown:?}");
}

/// The tables of a text: the first cell of each row.
fn tables(text: &str) -> Vec<Vec<&str>> {
    let mut found = vec![Vec::new()];
    for line in text.lines() {
        match line.trim_start().strip_prefix("| ").and_then(|row| row.split(" | ").next()) {
            Some(cell) => found.last_mut().unwrap().push(cell.trim_end_matches(" |")),
            // The line below the head of a table.
            None if line.trim_start().starts_with('|') => {}
            None => found.push(Vec::new()),
        }
    }
    found.retain(|rows| !rows.is_empty());
    found
}

/// A table whose rows are looked up by a name must not give two answers.
#[test]
fn no_table_explains_a_name_twice() {
    let mut seen = 0;
    for (path, text) in blocks::documents(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        for rows in tables(&text) {
            let is_name = |cell: &&&str| {
                let name = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
                name.is_some_and(|name| !name.contains('`'))
            };
            let mut names: Vec<_> = rows.iter().filter(is_name).collect();
            seen += names.len();
            names.sort_unstable();
            let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
            assert!(twice.is_none(), "{}: two rows begin with {}", path.display(), twice.unwrap()[0]);
        }
    }
    assert!(seen > 300, "{seen} rows");
    assert_eq!(tables("| a | b |\n|---|---|\n| `x` | 1 |\n\n  | c |\n"), [vec!["a", "`x`"], vec!["c"]]);
}
