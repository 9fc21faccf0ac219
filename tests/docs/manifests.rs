//! Does cargo find every test?
//!
//! The tests without a cluster belong to the package in the root, the others to `tests/Cargo.toml`, and neither manifest
//! looks for tests by itself.

use std::collections::BTreeSet;

use crate::root;

/// The paths of a manifest's targets that lie in `tests/`, as paths in that folder.
fn named(manifest: &str, prefix: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(manifest)).unwrap();
    let paths = text.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    paths.filter_map(|path| path.strip_prefix(prefix)).map(str::to_owned).collect()
}

/// What cargo would find in `tests/` by itself: each file, and each folder with a `main.rs`.
fn there() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".rs") {
            found.insert(name);
        } else if entry.path().join("main.rs").exists() {
            found.insert(format!("{name}/main.rs"));
        }
    }
    found
}

#[test]
fn is_every_test_named_in_exactly_one_manifest() {
    let (own, suites) = (named("Cargo.toml", "tests/"), named("tests/Cargo.toml", ""));
    assert!(own.len() > 3 && suites.len() > 9, "{own:?}, {suites:?}");
    for test in there() {
        let times = own.iter().chain(&suites).filter(|path| **path == test).count();
        assert_eq!(
            times, 1,
            "tests/{test} is named {times} times in Cargo.toml and tests/Cargo.toml together"
        );
    }
}
