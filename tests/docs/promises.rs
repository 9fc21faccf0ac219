//! docs/promises.md against the tests that it names, and the layers that docs/architecture.md draws against the manifests.

use std::collections::{BTreeMap, BTreeSet};

use crate::{document, root};

/// Every "`file` `test`" of a line.
fn named(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let code: Vec<&str> = line.split('`').collect();
    // Text, code, text, code …: a file and its test have one space between them.
    let pairs: Vec<_> = code
        .windows(3)
        .enumerate()
        .filter(|(index, parts)| index % 2 == 1 && parts[1] == " " && parts[0].ends_with(".rs"))
        .map(|(_, parts)| (parts[0], parts[2]))
        .collect();
    pairs.into_iter()
}

#[test]
fn every_test_that_holds_a_promise_exists() {
    let document = document("promises.md");
    let all: Vec<_> = document.lines().flat_map(named).collect();
    assert!(all.len() > 400, "{} tests are named", all.len());
    let is_there = |file: &str, test: &str| {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        text.contains(&format!("fn {test}("))
    };
    let missing: Vec<_> = all.into_iter().filter(|(file, test)| !is_there(file, test)).collect();
    assert!(missing.is_empty(), "docs/promises.md names tests that are not there: {missing:#?}");
}

/// A crate may use only those before it in this list.
const LAYERS: [(&str, &str); 7] = [
    ("bluegreen-api", "crates/api"),
    ("bluegreen-core", "crates/core"),
    ("bluegreen-notify", "crates/notify"),
    ("bluegreen-client", "crates/client"),
    ("bluegreen-view", "crates/view"),
    ("bluegreen-operator", "."),
    ("kubectl-bluegreen", "cli"),
];

fn dependencies(folder: &str) -> String {
    let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
    after.split("\n[").next().unwrap().to_owned()
}

#[test]
fn crates_use_only_the_layers_below_them() {
    for (index, (name, folder)) in LAYERS.iter().enumerate() {
        let own = dependencies(folder);
        assert!(index == 0 || own.contains("bluegreen-"), "{name} uses no layer below it");
        for (above, _) in &LAYERS[index..] {
            assert!(!own.lines().any(|line| line.starts_with(above)), "{name} must not use {above}");
        }
    }
    let cli = dependencies("cli");
    assert!(!cli.contains("bluegreen-operator"), "the command line needs no operator");
}

/// The modules of a crate that the others use by `crate::NAME`, each with those that it uses itself. Their own tests count
/// for nothing.
fn modules(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut modules = BTreeMap::<String, BTreeSet<String>>::new();
    let source = root().join(folder);
    let mut files = vec![source.clone()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let relative = path.strip_prefix(&source).unwrap().to_str().unwrap();
        let name = relative.split('/').next().unwrap().trim_end_matches(".rs");
        if relative.contains("test") || ["lib", "main"].contains(&name) {
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        let code = without_tests(&code);
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
        let code: String = lines.collect::<Vec<_>>().join(" ");
        let uses = modules.entry(name.to_owned()).or_default();
        for used in code.split("crate::").skip(1) {
            let names = match used.strip_prefix('{') {
                // In `{a, b::{c, d}}`, `d` is taken for a module, too, if there is one of that name.
                Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
                None => vec![used],
            };
            let word = |name: &str| {
                let name = name.trim_start();
                name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned()
            };
            uses.extend(names.into_iter().map(word).filter(|used| used != name));
        }
    }
    let names: BTreeSet<String> = modules.keys().cloned().collect();
    modules.values_mut().for_each(|uses| uses.retain(|used| names.contains(used)));
    modules
}

/// The code without `#[cfg(test)] mod NAME;`, and up to a module of tests that is written out, which stands last.
fn without_tests(code: &str) -> String {
    let mut parts = code.split("#[cfg(test)]");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(';') {
            Some((item, rest)) if !item.contains('{') => kept += rest,
            Some(_) | None => break,
        }
    }
    kept
}

/// A newcomer reads a crate from below, so there is a below.
#[test]
fn the_modules_of_a_crate_use_each_other_in_no_circle() {
    let folders = LAYERS.iter().map(|(_, folder)| *folder).chain(["crates/checker"]);
    for folder in folders {
        let source = format!("{folder}/src");
        let mut left = modules(&source);
        assert!(left.len() > 1, "{source}");
        // What uses nothing that is left is below all that is.
        while let Some(lowest) = left.iter().find(|(_, uses)| uses.is_empty()).map(|(name, _)| name.clone()) {
            left.remove(&lowest);
            for uses in left.values_mut() {
                uses.remove(&lowest);
            }
        }
        assert!(left.is_empty(), "{source}: these use each other in a circle, or what is in one: {left:?}");
    }
}

/// The operator talks to nobody but the API server: only its entry point names the program that talks to others, and that
/// program knows nothing of the operator.
#[test]
fn the_operator_and_the_checker_share_no_code() {
    let own = dependencies("crates/checker");
    assert!(own.contains("tokio-rustls") && !own.contains("bluegreen-") && !own.contains("kube"), "{own}");
    for (name, folder) in LAYERS {
        let names_it = dependencies(folder).lines().any(|line| line.starts_with("bluegreen-checker"));
        assert_eq!(names_it, name == "bluegreen-operator", "{name}");
    }
    assert_eq!(files_that_name("bluegreen_checker"), ["src/main.rs"]);
}

/// The files of the operator that name this.
fn files_that_name(what: &str) -> Vec<String> {
    let mut files = vec![root().join("src")];
    let mut found = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if std::fs::read_to_string(&path).unwrap().contains(what) {
            found.push(path.strip_prefix(root()).unwrap().display().to_string());
        }
    }
    found
}

/// What talks to receivers has no client of the API server, and of the operator only the subcommand `notify` uses it.
#[test]
fn the_operator_tells_nobody_but_the_api_server() {
    let own = dependencies("crates/notify");
    assert!(own.contains("tokio-rustls") && !own.contains("kube"), "{own}");
    assert_eq!(files_that_name("bluegreen_notify"), ["src/notify.rs"]);
    assert_eq!(files_that_name("notify::run"), ["src/main.rs"]);
}

/// What decides has no client, no runtime and no clock.
#[test]
fn the_core_needs_neither_a_runtime_nor_a_client() {
    for (name, folder) in &LAYERS[..2] {
        let own = dependencies(folder);
        for library in ["tokio", "futures", "hyper", "tower", "axum"] {
            assert!(!own.lines().any(|line| line.starts_with(library)), "{name} must not use {library}");
        }
        let kube = own.lines().find(|line| line.starts_with("kube ")).unwrap();
        assert!(kube.contains(r#"default-features = false, features = ["derive"]"#), "{name}: {kube}");
    }
}
