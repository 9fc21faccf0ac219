//! Does what a reader needs for a command stand where the command stands?

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::blocks::{blocks, documents};
use crate::names::code;
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

/// The default of `HELLO_VERSIONS` decides how many.
#[test]
fn as_many_archives_are_promised_as_are_made() {
    let made = text("make/images.mk");
    let versions = made.lines().find_map(|line| line.strip_prefix("HELLO_VERSIONS ?= ")).unwrap();
    let versions: Vec<_> = versions.split_whitespace().collect();
    let words = ["one", "two", "three", "four", "five", "six"];
    let quickstart = document("quickstart.md");
    let promise = format!("This writes {} archives into `target/images`", words[versions.len()]);
    assert!(quickstart.contains(&promise), "{promise}");
    let install = document("install.md");
    let promise = format!("the sample app's {} images and the operator's", words[versions.len() - 1]);
    assert!(install.contains(&promise), "{promise}");
    for version in versions {
        assert!(quickstart.contains(&format!("`{version}`")), "{version}");
    }
}

/// kustomize takes no resource twice, so what repeats a policy of `config/default` can't stand beside it.
#[test]
fn a_folder_that_repeats_the_default_is_said_to_come_after_it() {
    let default = text("config/default/kustomization.yaml");
    let folders =
        default.lines().filter_map(|line| Some(format!("config/{}-deny", line.strip_prefix("  - ../")?)));
    let mut seen = 0;
    for folder in folders.filter(|folder| root().join(folder).exists()) {
        for (path, text) in documents(root()) {
            // The changelog only names what is new.
            let mentions =
                if path.ends_with("CHANGELOG.md") { String::new() } else { text.replace('\n', " ") };
            for rest in mentions.split(&folder).skip(1) {
                seen += 1;
                let next: String = rest.chars().take(20).collect();
                assert!(next.contains(" after "), "{}: when is {folder} applied?", path.display());
            }
        }
    }
    assert!(seen >= 3, "{seen}");
}

/// The chart's Deployment has another selector than the manifest's, and no selector can be changed.
#[test]
fn whoever_is_told_to_take_ownership_is_told_to_remove_the_operator_first() {
    let (label, flag) = ("app.kubernetes.io/instance", "--take-ownership");
    assert!(text("charts/bluegreen-operator/templates/_helpers.tpl").contains(label));
    assert!(!text("config/manager/manager.yaml").contains(label), "then Helm can take it over");
    for (path, text) in documents(root()) {
        for told in text.split("\n\n").filter(|paragraph| paragraph.contains(flag)) {
            let tells = ["[remove it](#remove-with-kubectl) first", "](install.md#with-helm)"];
            assert!(tells.iter().any(|words| told.contains(words)), "{}: {told}", path.display());
        }
    }
    assert!(document("install.md").contains(flag));
}

/// Without `--timeout`, kubectl gives up after 30 seconds, which an image that has to be pulled may take.
#[test]
fn whoever_is_told_to_wait_is_told_for_how_long() {
    let mut seen = 0;
    for (path, code) in code() {
        let Some((_, rest)) = code.split_once("kubectl wait ") else { continue };
        // A single word after it names a condition, as in a table.
        if rest.split_whitespace().count() > 1 {
            seen += 1;
            assert!(rest.contains(" --timeout="), "{path}: {code}");
        }
    }
    assert!(seen > 15, "{seen}");
}

/// `make gitops-test` runs these commands with a real Argo CD. This needs no cluster, so it is asked with each `cargo test`.
#[test]
fn the_commands_that_deploy_and_switch_change_the_example_as_the_page_says() {
    let page = document("gitops.md");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("story");
    let file = folder.join("hello/hello.yaml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, text("examples/gitops/argocd/app/hello.yaml")).unwrap();
    let app = || -> Value { serde_yaml_ng::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap() };

    let mut expected = app();
    assert!(page.contains("The example has v1.0.0 on both colors."));
    for (field, value) in
        [("active", json!("blue")), ("blue", json!({"tag": "v1.0.0"})), ("green", json!({"tag": "v1.0.0"}))]
    {
        assert_eq!(expected["spec"][field], value, "{field}");
    }
    for (section, field, value) in
        [("Deploy", "green", json!({"tag": "v2.0.0"})), ("Switch", "active", json!("green"))]
    {
        let of_section = blocks(&page)
            .into_iter()
            .filter(|block| block.headings.last().is_some_and(|title| title == section));
        let commands: Vec<_> =
            of_section.flat_map(|block| block.commands()).map(|command| command.line).collect();
        let edit = commands.iter().find(|line| line.starts_with("sed ")).unwrap();
        let done = Command::new("bash").args(["-c", edit]).current_dir(&folder).status().unwrap();
        assert!(done.success(), "{edit}: {done}");
        expected["spec"][field] = value;
        assert_eq!(app(), expected, "{edit}");
    }
}

/// What the sample app reads from its environment, and what its page says that it does.
#[test]
fn the_page_of_the_sample_app_has_the_variables_that_the_app_reads() {
    let is_variable = |word: &str| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let config = text("examples/hello/src/config.rs");
    let (code, _) = config.split_once("#[cfg(test)]").unwrap();
    let read: BTreeSet<_> = texts(code).into_iter().filter(|text| is_variable(text)).collect();
    let page = text("examples/hello/README.md");
    let (_, section) = page.split_once("\n## Environment\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let told: BTreeSet<_> =
        section.split('`').skip(1).step_by(2).filter(|code| is_variable(code)).map(str::to_owned).collect();
    assert!(read.len() > 8, "{read:?}");
    assert_eq!(told, read);
}
