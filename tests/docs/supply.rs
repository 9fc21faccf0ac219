//! Every dependency of the operator has a reason.

use std::collections::BTreeSet;

use crate::document;

/// The names between `[dependencies]` and the next heading.
fn dependencies() -> BTreeSet<String> {
    let manifest =
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
    let own = after.split("\n[").next().unwrap();
    let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_owned);
    own.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(name).collect()
}

#[test]
fn does_every_dependency_have_a_reason_and_every_reason_a_dependency() {
    let decisions = document("decisions.md");
    let (_, section) = decisions.split_once("\n## Supply chain\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let named: BTreeSet<String> =
        rows.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect();
    assert!(named.len() > 10, "{named:?}");
    assert_eq!(named, dependencies());
}
