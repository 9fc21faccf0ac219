//! Every dependency of the operator has a reason, and what was not checked is said.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::{document, text};

/// What the operator's crates name between `[dependencies]` and the next heading, apart from each other.
fn dependencies() -> BTreeSet<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifests = [
        "Cargo.toml",
        "crates/api/Cargo.toml",
        "crates/checker/Cargo.toml",
        "crates/client/Cargo.toml",
        "crates/core/Cargo.toml",
        "crates/notify/Cargo.toml",
    ];
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

/// Runs `make/deny` with a cargo-deny that reaches no database: whether it passes, and what it says.
fn checked_offline(version: &str, environment: &[(&str, &str)]) -> (bool, String) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("deny-{version}-{}", environment.len()));
    std::fs::create_dir_all(&folder).unwrap();
    let stub = |name: &str, script: &str| {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let deny = "case \"$*\" in *--version*) echo cargo-deny VERSION ;; *fetch*) exit 1 ;; *) echo \"checked: $*\" ;; esac";
    stub("cargo-deny", &deny.replace("VERSION", version));
    stub("cargo", "echo installing; exit 1");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new("make/deny")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .env("CARGO", folder.join("cargo"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("REQUIRE_ADVISORIES")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(words).unwrap())
}

#[test]
fn are_advisories_that_were_not_checked_named_and_a_failure_where_that_was_asked_for() {
    let script =
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("make/deny")).unwrap();
    let version = script.lines().find_map(|line| line.strip_prefix("version=")).unwrap();
    let (passed, words) = checked_offline(version, &[]);
    assert!(passed && words.contains("they are not checked"), "{words}");
    assert!(words.contains("bans licenses sources\n"), "the rest is: {words}");
    let (passed, words) = checked_offline(version, &[("REQUIRE_ADVISORIES", "1")]);
    assert!(!passed && !words.contains("checked: "), "{words}");
    // The summary of `make test` looks for these words.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        std::fs::read_to_string(root.join("make/test")).unwrap().contains("grep -q \"they are not checked\"")
    );
}

#[test]
fn is_a_checker_of_another_version_not_taken() {
    let (passed, words) = checked_offline("0.0.1", &[]);
    assert!(!passed && words.contains("installing"), "{words}");
}

/// What the examples build from is what was looked at, and not whatever a tag names by then.
#[test]
fn is_every_image_that_an_example_begins_with_pinned_by_digest() {
    let mut images = Vec::new();
    for file in ["examples/hello/Containerfile", "examples/gitlab/tools.Containerfile"] {
        let bases: Vec<_> =
            text(file).lines().filter_map(|line| Some(line.strip_prefix("FROM ")?.to_owned())).collect();
        images.extend(bases.into_iter().filter(|base| base != "scratch"));
    }
    let pipeline = text("examples/gitlab/.gitlab-ci.yml");
    let named = pipeline.lines().filter_map(|line| line.trim().strip_prefix("image: "));
    // A variable names an image of one's own.
    images.extend(named.filter(|image| !image.starts_with('$')).map(str::to_owned));
    assert!(images.len() >= 4, "{images:?}");
    for image in images {
        let digest = image.split_once("@sha256:").map(|(_, digest)| digest.split(' ').next().unwrap());
        let is_digest = |digest: &str| digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit());
        assert!(digest.is_some_and(is_digest), "{image} is not pinned");
    }
}
