//! Does everything that the documents call by name exist: roles, metrics, alerts, reasons, keys, fields, flags, values, files, tests?

use std::collections::BTreeSet;
use std::path::Path;

use bluegreen_core::status;
use bluegreen_operator::metrics::table;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use crate::blocks::documents;
use crate::runs::texts;
use crate::{root, text};

/// Each piece of code in the documents, with its place: a code span, or a line of a block.
pub fn code() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, text) in documents(root()) {
        let mut in_block = false;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => in_block = true,
                Event::End(TagEnd::CodeBlock) => in_block = false,
                Event::Code(span) => found.push((path.display().to_string(), span.to_string())),
                Event::Text(block) if in_block => {
                    found.extend(block.lines().map(|line| (path.display().to_string(), line.to_owned())));
                }
                _ => {}
            }
        }
    }
    found
}

/// The words of the code that `accept` takes, made of letters, digits and these characters.
fn words(more: &str, accept: impl Fn(&str) -> bool) -> BTreeSet<(String, String)> {
    let within = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
    let mut found = BTreeSet::new();
    for (path, code) in code() {
        let all = code.split(|c| !within(c)).filter(|word| accept(word)).map(str::to_owned);
        found.extend(all.map(|word| (path.clone(), word)));
    }
    found
}

/// Fails with all that is named and is not there. `least` is for whoever breaks the search.
fn all_there(named: &BTreeSet<(String, String)>, least: usize, there: impl Fn(&str) -> bool) {
    assert!(named.len() >= least, "only {} were found", named.len());
    let missing: Vec<_> = named.iter().filter(|(_, name)| !there(name)).collect();
    assert!(missing.is_empty(), "the documents name what is not there: {missing:#?}");
}

#[test]
fn every_role_that_is_named_is_installed() {
    let manifest = text("dist/install.yaml");
    let installed: BTreeSet<_> = manifest.lines().filter_map(|line| line.strip_prefix("  name: ")).collect();
    all_there(&words("-", |word| word.starts_with("bluegreenapp-") && word.len() > 13), 4, |role| {
        installed.contains(role)
    });

    let chart = text("charts/bluegreen-operator/templates/user-roles.yaml")
        + &text("charts/bluegreen-operator/templates/pipeline.yaml");
    let of_chart = words("-", |word| word.contains("-apps-") && !word.starts_with("jane"));
    all_there(&of_chart, 5, |role| {
        let (release, name) = role.split_once("-apps-").unwrap_or_default();
        ["RELEASE", "bluegreen-operator"].contains(&release)
            && (chart.contains(&format!("\"name\" \"{name}\"")) || chart.contains(&format!("-apps-{name}\n")))
    });
}

#[test]
fn every_metric_that_is_named_is_exported() {
    let named = words("_", |word| word.starts_with("bluegreen_") || word.starts_with("bluegreenapp_"));
    all_there(&named, 10, |metric| {
        let series =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end)).unwrap_or(metric);
        // A prefix is the name of a family.
        table::ALL.iter().any(|own| own.name == series || own.name == metric)
            || bluegreen_notify::counts::ALL.iter().any(|own| own.name == metric)
            || (metric.ends_with('_') && table::ALL.iter().any(|own| own.name.starts_with(metric)))
    });
}

#[test]
fn every_alert_that_is_named_is_installed() {
    let alerts = text("config/prometheus/alerts.yaml");
    let named = words("", |word| {
        word.starts_with("BlueGreen") && word.len() > 9 && !word.starts_with("BlueGreenApp")
    });
    let of_apps = words("", |word| {
        word.starts_with("BlueGreenApp") && !["BlueGreenApp", "BlueGreenApps"].contains(&word)
    });
    let there = |alert: &str| alerts.contains(&format!("- alert: {alert}\n"));
    all_there(&named, 5, there);
    all_there(&of_apps, 1, there);
}

/// The other way round of `every_condition_reason_and_event_has_a_row_in_troubleshooting`.
#[test]
fn every_reason_in_troubleshooting_is_one_that_the_operator_gives() {
    let document = text("docs/troubleshooting.md");
    for (section, known) in [("Reasons of conditions", status::REASONS), ("Events", status::EVENTS)] {
        let (_, rows) = document.split_once(&format!("\n## {section}\n")).unwrap();
        let rows = rows.split("\n## ").next().unwrap().lines();
        let reasons: Vec<_> = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next()).collect();
        assert!(reasons.len() > 10, "{section}: {reasons:?}");
        let unknown: Vec<_> = reasons.iter().filter(|reason| !known.contains(reason)).collect();
        assert!(unknown.is_empty(), "{section} explains what nobody says: {unknown:?}");
    }
}

/// The other way round: what the operator or its policies read or write is in the page.
#[test]
fn every_label_and_annotation_of_the_code_is_in_the_page_of_labels() {
    let page = text("docs/labels.md");
    let key = |word: &str| {
        let rest = word.strip_prefix("bluegreen.dev/")?;
        let is_key = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        is_key.then(|| word.to_owned())
    };
    let mut keys = BTreeSet::new();
    for folder in ["crates/api/src", "crates/core/src", "crates/client/src", "src"] {
        keys.extend(texts(&sources_of(folder)).iter().filter_map(|text| key(text)));
    }
    for folder in ["config", "charts/bluegreen-operator/templates"] {
        let manifests = sources_of(folder);
        let words = manifests.split(|c: char| !c.is_ascii_alphanumeric() && !"-./".contains(c));
        keys.extend(words.filter_map(key));
    }
    assert!(keys.len() >= 15, "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !page.contains(&format!("`{key}"))).collect();
    assert!(missing.is_empty(), "docs/labels.md lacks {missing:?}");
}

/// Labels and annotations. Whatever code reads or writes one has it as a word.
#[test]
fn every_label_and_annotation_that_is_named_is_known_to_the_code() {
    let mut code = String::new();
    for folder in ["crates", "src", "config", "examples"] {
        sources(&root().join(folder), &mut code);
    }
    let named = words("-./", |word| {
        word.strip_prefix("bluegreen.dev/")
            .is_some_and(|key| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
    });
    all_there(&named, 8, |key| {
        let key = key.trim_end_matches('-');
        // `served-blue` is made of its parts.
        let family = key.rsplit_once('-').map_or(key, |(family, _)| family);
        code.contains(&format!("{key}\"")) || code.contains(&format!("{key}:")) || code.contains(&format!("{family}-"))
            // The version of the API.
            || key == "bluegreen.dev/v1alpha1"
    });
}

fn sources(path: &Path, into: &mut String) {
    if path.is_dir() {
        let mut entries: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| sources(entry, into));
    } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "yaml") {
        into.push_str(&std::fs::read_to_string(path).unwrap_or_default());
    }
}

/// Fields of Kubernetes' own objects that begin alike.
const OTHERS: [&str; 9] = [
    "spec.clusterIP",
    "spec.selector",
    "spec.schedule",
    "spec.ignore",
    "spec.ports",
    "spec.updatePolicy",
    "spec.rules",
    "spec.validationActions",
    "status.loadBalancer",
];

/// Whether the schema has this path; below Kubernetes' own types anything goes that they may have.
fn has_field(schema: &Value, path: &str) -> bool {
    let mut here = schema;
    for segment in path.split('.') {
        let name = segment.split('[').next().unwrap_or_default();
        if here["x-kubernetes-preserve-unknown-fields"] == true {
            return true;
        }
        if here["items"].is_object() {
            here = &here["items"];
        }
        if here["additionalProperties"].is_object() {
            here = &here["additionalProperties"];
            continue;
        }
        let Some(next) = here["properties"].get(if name == "COLOR" { "blue" } else { name }) else {
            return false;
        };
        here = next;
    }
    true
}

#[test]
fn every_field_that_is_named_is_in_the_api() {
    let crd = serde_json::to_value(bluegreen_api::crd().unwrap()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let named = words(".[]", |word| {
        (word.starts_with("spec.") || word.starts_with("status."))
            && !word.ends_with(['.', '['])
            && !word.ends_with(".rs")
            // kustomize's way to name an item of a list.
            && !word.contains(".[")
    });
    all_there(&named, 60, |field| {
        has_field(schema, field)
            || OTHERS.iter().any(|other| field == *other || field.starts_with(&format!("{other}.")))
    });
    assert!(!has_field(schema, "spec.never") && !has_field(schema, "spec.service.never"));
    assert!(has_field(schema, "spec.checks[].http.path") && has_field(schema, "spec.COLOR.tag"));
}

/// `values.yaml` has every value that a document sets or explains.
#[test]
fn every_value_of_the_chart_that_is_set_exists() {
    let own: Value = serde_yaml_ng::from_str(&text("charts/bluegreen-operator/values.yaml")).unwrap();
    let example: Value = serde_yaml_ng::from_str(&text("examples/gitops/helm/values.yaml")).unwrap();
    let mut named = 0;
    for (path, code) in code() {
        let settings = code.split("--set ").skip(1).filter_map(|rest| Some(rest.split_once('=')?.0));
        for value in settings.filter(|value| !value.contains([' ', '|'])) {
            named += 1;
            let pointer = format!("/{}", value.replace('.', "/"));
            let of_app = value.strip_prefix("app.").is_some_and(|_| example["app"].is_object());
            // The chart of GitLab's agent.
            let foreign = code.trim() == "--set rbac.create=false";
            assert!(
                own.pointer(&pointer).is_some() || of_app || foreign,
                "{path}: no chart has the value {value}"
            );
        }
    }
    assert!(named >= 4, "only {named} were found");
}

/// Flags in a code span of their own: the operator's, or those of a tool that the sentence names.
#[test]
fn every_flag_that_stands_alone_is_one_of_the_operator_or_of_a_tool() {
    let (config, cli) = (
        sources_of("src") + &sources_of("crates/checker") + &sources_of("tests/cluster/src"),
        text("docs/cli.md"),
    );
    let mut named = BTreeSet::new();
    // These two also speak of what was.
    let past = |path: &str| path.ends_with("decisions.md") || path == "CHANGELOG.md";
    for (path, code) in code().into_iter().filter(|(path, _)| !past(path)) {
        if let Some(flag) = code.strip_prefix("--").filter(|_| !code.contains(char::is_whitespace)) {
            named.insert((path, flag.split('=').next().unwrap_or_default().to_owned()));
        }
    }
    all_there(&named, 15, |flag| {
        let field = flag.replace('-', "_");
        config.contains(&format!("long = \"{flag}\""))
            || config.contains(&format!("{field}:"))
            || cli.contains(&format!("--{flag} "))
            || cli.contains(&format!("--{flag}`"))
            || FOREIGN.contains(&flag)
    });
}

fn sources_of(folder: &str) -> String {
    let mut all = String::new();
    sources(&root().join(folder), &mut all);
    all
}

/// Flags of kubectl, Helm, cargo, etcdutl, K3s and the programs of the tests.
const FOREIGN: [&str; 15] = [
    "wait",
    "take-ownership",
    "server-side",
    "bump-revision",
    "mark-compacted",
    "build-context",
    "embedded-registry",
    "ignored",
    "workspace",
    "cascade",
    "set",
    "alone",
    "guards",
    "short",
    "locked",
];

/// Paths in the repository.
#[test]
fn every_file_that_is_named_is_there() {
    let tops = [
        "docs", "tests", "config", "charts", "crates", "src", "cli", "examples", "make", "dist", "crds",
        "tools",
    ];
    let named = words("-_./@", |word| {
        let word = word.trim_start_matches("./");
        tops.iter()
            .any(|top| word.strip_prefix(top).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1))
    });
    let named: BTreeSet<_> = named.into_iter().filter(|(_, path)| !path.contains("FILE")).collect();
    assert!(named.len() > 100, "only {} were found", named.len());
    let is_there = |document: &str, path: &str| {
        let path = path.trim_start_matches("./").trim_end_matches(['.', '/']);
        // `docs/cli*` stands for several.
        let several = ["docs/cli"].contains(&path);
        several || root().join(path).exists() || root().join(document).with_file_name(path).exists()
    };
    let missing: Vec<_> = named.iter().filter(|(document, path)| !is_there(document, path)).collect();
    assert!(missing.is_empty(), "the documents name files that are not there: {missing:#?}");
}

/// Source files in a code span of their own, by their path in the repository or in `crates/core/src`.
#[test]
fn every_source_file_that_is_named_is_there() {
    let mut named = BTreeSet::new();
    for (path, code) in code() {
        if code.ends_with(".rs")
            && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./".contains(c))
        {
            named.insert((path, code));
        }
    }
    all_there(&named, 200, |file| {
        root().join(file).exists() || root().join("crates/core/src").join(file).exists()
    });
}

/// `--test NAME` and `cargo suite NAME`.
#[test]
fn every_test_target_that_is_named_is_there() {
    let manifests = text("Cargo.toml") + &text("tests/Cargo.toml") + &text("cli/Cargo.toml");
    let mut named = BTreeSet::new();
    for (path, code) in code() {
        for before in ["cargo suite ", " --test "] {
            let names = code.split(before).skip(1).filter_map(|rest| rest.split_whitespace().next());
            let names = names.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            named.extend(names.map(|name| (path.clone(), name.to_owned())));
        }
    }
    all_there(&named, 10, |name| {
        manifests.contains(&format!("name = \"{name}\""))
            || root().join(format!("cli/tests/{name}.rs")).exists()
    });
}

/// `NAME=value make target` and `make target NAME=value`.
#[test]
fn every_setting_of_make_that_is_named_is_read_by_something() {
    let mut scripts = sources_of("tests") + &text("Makefile");
    for entry in std::fs::read_dir(root().join("make")).unwrap() {
        scripts.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let mut named = BTreeSet::new();
    for (path, code) in code() {
        let words: Vec<_> =
            code.trim_start_matches("$ ").split('#').next().unwrap_or_default().split_whitespace().collect();
        if !words.contains(&"make") || words.iter().any(|word| ["&&", "|"].contains(word)) {
            continue;
        }
        let settings = words.iter().filter_map(|word| Some(word.split_once('=')?.0));
        let settings = settings.filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        named.extend(settings.map(|name| (path.clone(), name.to_owned())));
    }
    all_there(&named, 5, |name| {
        ["$(NAME", "${NAME", "env = \"NAME\"", "(\"NAME\")"]
            .iter()
            .any(|form| scripts.contains(&form.replace("NAME", name)))
    });
}
