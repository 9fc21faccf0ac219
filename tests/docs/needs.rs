//! Does what a reader needs for a command stand where the command stands?

use std::collections::BTreeSet;

use crate::blocks::{blocks, documents};
use crate::runs::texts;
use crate::{document, root, text};

/// Without `HELLO_IMAGE`, the demo refuses a cluster that is not its own.
#[test]
fn whoever_is_told_to_run_the_demo_on_a_cluster_is_told_what_it_needs() {
    let place = text("tests/demo/src/place.rs");
    assert!(texts(&place).iter().any(|text| text.starts_with("CLUSTER=current needs HELLO_IMAGE: ")));
    let mut all = documents(root());
    all.insert("tests/demo/src/place.rs".into(), texts(&place).join("\n"));
    let mut seen = 0;
    for (path, text) in all {
        let text = text.replace('\n', " ");
        for (at, _) in text.match_indices("make demo CLUSTER=current") {
            seen += 1;
            let command = text[at..].split('`').next().unwrap_or_default();
            assert!(command.contains(" HELLO_IMAGE="), "{}: {command:.80}", path.display());
        }
    }
    assert!(seen >= 3, "{seen}");
}

/// `make cluster-up` ends in this program.
#[test]
fn the_line_that_is_to_be_pasted_is_the_one_that_is_printed() {
    let printed = texts(&text("tests/cluster/src/main.rs"));
    let line = printed.iter().find(|text| text.contains("export KUBECONFIG=")).unwrap();
    let (before, _) = line.split_once("export KUBECONFIG=").unwrap();
    let told = document("install.md").replace('\n', " ");
    assert!(told.contains(&format!("a line that begins with `{}`", before.trim_end())), "it prints {line:?}");
    assert!(told.contains("Paste what follows, from `export KUBECONFIG=` on"));
}

/// They are run in the root of the repository, and use files of it or of a command before.
#[test]
fn the_commands_for_k3s_make_every_file_that_they_use() {
    let page = document("gitops.md");
    let of_k3s = blocks(&page).into_iter().filter(|block| block.headings.iter().any(|title| title == "K3s"));
    let commands: Vec<_> = of_k3s.flat_map(|block| block.commands()).map(|command| command.line).collect();
    assert!(commands.len() >= 3, "{commands:?}");
    let mut made = BTreeSet::new();
    for command in commands {
        let words: Vec<_> = command.split_whitespace().collect();
        for file in words.iter().filter(|word| word.ends_with(".yaml")) {
            assert!(root().join(file).exists() || made.contains(*file), "{command}: there is no {file}");
        }
        if let ["cp", file, "."] = words[..] {
            made.insert(file.rsplit('/').next().unwrap_or_default().to_owned());
        }
    }
}

/// `rust-version`, and the newest Go that a module of the test cluster wants: what `make preflight` asks for.
#[test]
fn the_versions_of_rust_and_go_are_those_that_are_needed() {
    let manifest = text("Cargo.toml");
    let rust =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"')).unwrap();
    let modules = std::fs::read_dir(root().join("tests/cluster/kubernetes")).unwrap();
    let modules = modules.map(|entry| entry.unwrap().path().join("go.mod"));
    let modules = modules.chain([root().join("tests/cluster/kwok/go.mod")]);
    let versions = modules.filter_map(|path| std::fs::read_to_string(path).ok()).filter_map(|module| {
        let version = module.lines().find_map(|line| line.strip_prefix("go "))?.to_owned();
        let mut parts = version.split('.').filter_map(|part| part.parse::<u32>().ok());
        Some((parts.next()?, parts.next()?))
    });
    let (major, minor) = versions.max().unwrap();
    let mut seen = 0;
    for (path, text) in documents(root()) {
        for (language, needed) in [("Rust", rust.to_owned()), ("Go", format!("{major}.{minor}"))] {
            for named in text.split(&format!("{language} ")).skip(1) {
                let named: String = named.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                let named = named.trim_end_matches('.');
                if named.contains('.') {
                    seen += 1;
                    assert_eq!(named, needed, "{}: {language} {needed} is needed", path.display());
                }
            }
        }
    }
    assert!(seen >= 2, "{seen}");
}
