//! Every dependency of the operator has a reason.

use std::collections::BTreeSet;

use crate::document;

/// What the operator's crates name between `[dependencies]` and the next heading, apart from each other.
fn dependencies() -> BTreeSet<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifests =
        ["Cargo.toml", "crates/api/Cargo.toml", "crates/client/Cargo.toml", "crates/core/Cargo.toml"];
    let all = manifests.into_iter().flat_map(|manifest| {
        let manifest = std::fs::read_to_string(root.join(manifest)).unwrap();
        let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
        let own = after.split("\n[").next().unwrap();
        let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_owned);
        let lines = own.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.filter_map(name).collect::<Vec<_>>()
    });
    all.filter(|name| !name.starts_with("bluegreen-")).collect()
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
