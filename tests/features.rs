//! Are the crates that the operator is made of built once, whichever packages cargo is asked for?
//!
//! Cargo builds a crate again for each set of features, and with it all crates that depend on it. For another selection
//! of packages there is another set, unless the manifests see to it.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The crates of a selection, each with its version and the sets of features with which it is built.
fn features(packages: &[&str], edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges]);
    let output = command.args(packages).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        found.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    found
}

const OPERATOR: &[&str] = &["-p", "bluegreen-operator"];
const SUITES: &[&str] = &["-p", "bluegreen-suites"];
const ALL: &[&str] = &["--workspace"];
const EVERYTHING: &str = "normal,dev,no-proc-macro";
const SHIPPED: &str = "normal,no-proc-macro";

/// Says which crates of `what` are built with other features than by `cargo test --workspace`.
fn are_the_same(what: &BTreeMap<String, BTreeSet<String>>, selections: &[(&str, &[&str], &str)]) {
    assert!(what.len() > 100, "{}", what.len());
    let all = features(ALL, EVERYTHING);
    for (name, packages, edges) in selections {
        let selected = features(packages, edges);
        let other = |package: &&String| selected.get(*package) != all.get(*package);
        let different: Vec<_> = what.keys().filter(other).collect();
        assert!(
            different.is_empty(),
            "`{name}` builds {different:?} with other features than `cargo test --workspace`: name each with all \
             features in [workspace.dependencies], and ask for it in Cargo.toml or tests/Cargo.toml"
        );
    }
}

/// For the selections that have the suites as well, the next test asks about these crates, too.
#[test]
fn are_the_crates_of_the_operator_built_once_for_every_selection() {
    are_the_same(&features(OPERATOR, SHIPPED), &[("cargo test", OPERATOR, EVERYTHING)]);
}

/// The suites run the operator and the command line tool.
#[test]
fn are_the_crates_of_the_suites_built_once_for_every_selection_that_has_them() {
    let of_the_suites = features(SUITES, SHIPPED);
    assert!(features(OPERATOR, SHIPPED).keys().all(|package| of_the_suites.contains_key(package)));
    are_the_same(
        &of_the_suites,
        &[
            ("cargo test -p bluegreen-suites", SUITES, EVERYTHING),
            ("cargo build --workspace --bins", ALL, SHIPPED),
        ],
    );
}

/// make/images.mk builds the sample app beside the operator's package: what is shipped must not get other features by that.
#[test]
fn are_the_crates_of_both_images_built_once() {
    let operator = features(OPERATOR, SHIPPED);
    let both = features(&["-p", "hello", "-p", "bluegreen-operator"], SHIPPED);
    let (shared, alone): (Vec<_>, Vec<_>) =
        both.iter().partition(|(package, _)| operator.contains_key(*package));
    assert!(shared.len() > 100, "{}", shared.len());
    let different: Vec<_> = shared.iter().filter(|(package, set)| operator[*package] != **set).collect();
    assert!(different.is_empty(), "with the sample app the operator's image has {different:?}");
    let alone: Vec<_> = alone.iter().map(|(package, _)| package.split(' ').next().unwrap()).collect();
    assert_eq!(alone, ["hello"], "the sample app has crates of its own");
}
