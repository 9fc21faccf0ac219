//! Do the figures in the documents agree with what is said about them elsewhere?

use std::collections::BTreeSet;

use crate::{document, text};

/// Whoever reads only the top of the page must not take a loss for none, nor the other way round.
#[test]
fn the_rows_that_lose_requests_are_named_before_the_table() {
    let page = document("traffic.md");
    let (before, table) = page.split_once("\n## The matrix\n").unwrap();
    let lines = table.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| "));
    let rows: Vec<Vec<_>> = lines.map(|line| line.split('|').map(str::trim).collect()).collect();
    let lost = rows[0].iter().position(|cell| *cell == "lost").unwrap();
    assert!(rows.len() > 10, "{} rows", rows.len());
    for row in &rows[1..] {
        assert_eq!(before.contains(row[1]), row[lost] != "0", "{} lost {}", row[1], row[lost]);
    }
}

/// README must not go on quoting, or leave undated, what was measured again since.
#[test]
fn readme_quotes_the_benchmarks_as_they_are_with_their_commit() {
    let (readme, page) = (text("README.md"), document("benchmarks.md").replace('\n', " "));
    let commit = page.split(" at commit `").nth(1).unwrap().split('`').next().unwrap();
    assert!(
        readme.replace('\n', " ").contains(&format!(" at commit `{commit}`")),
        "README does not name {commit}"
    );
    let figures = |text: &str| -> BTreeSet<String> {
        let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (_, table) = page.split_once("<!-- measured -->").unwrap();
    let measured = figures(table.split("<!-- /measured -->").next().unwrap());
    let quoted = readme.lines().filter_map(|row| row.strip_suffix(" | `make bench` |")?.rsplit(" | ").next());
    let quoted: BTreeSet<_> = quoted.flat_map(figures).collect();
    assert!(quoted.len() > 5 && quoted.is_subset(&measured), "{quoted:?} of {measured:?}");
}

/// Whoever reads old figures must be able to see that the operator has changed since.
#[test]
fn figures_that_a_run_writes_come_with_the_commit_that_it_was_of() {
    for name in ["apps.md", "tenants.md"] {
        let page = document(name);
        let (_, measured) = page.split_once("\n<!-- measured -->\n").unwrap();
        let (measured, _) = measured.split_once("\n<!-- /measured -->\n").unwrap();
        let (_, commit) = measured.rsplit_once("\nMeasured at commit `").unwrap();
        let (commit, _) = commit.split_once('`').unwrap();
        assert!(commit.len() == 12 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{name}: {commit}");
    }
}

/// A comparison with a version that nobody runs any more would be one with the past.
#[test]
fn peers_are_named_at_the_version_that_is_run() {
    let (argo, flagger) = ("argo/go.mod", "flagger/go.mod");
    for (page, words, list, module) in [
        ("README.md", "`make bench` runs Argo Rollouts ", argo, "github.com/argoproj/argo-rollouts v"),
        ("README.md", "and Flagger ", flagger, "github.com/fluxcd/flagger v"),
        (
            "docs/migration.md",
            "Argo Rollouts' own controller (v",
            argo,
            "github.com/argoproj/argo-rollouts v",
        ),
    ] {
        let pinned = text(&format!("tests/bench/{list}"));
        let pinned = pinned.lines().find_map(|line| line.trim().strip_prefix(module)).unwrap();
        let pinned = pinned.split_whitespace().next().unwrap();
        let named = text(page).replace('\n', " ").split(words).nth(1).unwrap_or_default().to_owned();
        assert!(named.starts_with(pinned), "{page} does not name {pinned}");
    }
}
