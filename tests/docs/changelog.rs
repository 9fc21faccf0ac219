//! Is the changelog as its first lines say?

use std::collections::BTreeSet;

use crate::text;

/// The lists of a release, in their order.
const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// Whoever looks for what was fixed reads one list to its end.
#[test]
fn each_release_has_one_list_of_each_kind() {
    let changelog = text("CHANGELOG.md");
    let releases: Vec<&str> = changelog.split("\n## ").skip(1).collect();
    assert!(!releases.is_empty());
    for release in releases {
        let version = release.lines().next().unwrap_or_default();
        let mut kinds = BTreeSet::new();
        for section in release.split("\n### ").skip(1) {
            let (kind, list) = section.split_once('\n').unwrap_or((section, ""));
            assert!(KINDS.contains(&kind), "{version}: {kind} is none of {KINDS:?}");
            assert!(kinds.insert(kind), "{version}: the heading {kind} comes twice");
            assert!(!list.trim().contains("\n\n"), "{version}: empty lines part the list {kind}");
        }
        assert!(!kinds.is_empty(), "{version} has no list");
    }
}
