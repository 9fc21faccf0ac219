//! Do the chart and the kustomize folders say what the operator is and needs?

#![allow(clippy::panic)] // A test says what is wrong and stops.

use std::{collections::BTreeSet, fs};

use bluegreen_operator::config::Cli;
use clap::CommandFactory;
use serde_yaml_ng::Value;

const CHART: &str = "charts/bluegreen-operator";

fn text(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{path}: {err}"))
}

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&text(path)).unwrap_or_else(|err| panic!("{path}: {err}"))
}

fn flags() -> BTreeSet<String> {
    let cli = Cli::command();
    cli.get_arguments().filter_map(|arg| arg.get_long()).map(|flag| format!("--{flag}")).collect()
}

#[test]
fn the_chart_carries_the_crd_that_is_in_crds() {
    let file = "bluegreen.dev_bluegreenapps.yaml";
    assert!(
        text(&format!("crds/{file}")) == text(&format!("{CHART}/files/{file}")),
        "run `cp crds/{file} {CHART}/files/`"
    );
}

#[test]
fn the_chart_can_add_its_annotation_to_the_crd() {
    // The template puts `annotations` below the line that says `metadata:`, as text.
    let crd = text("crds/bluegreen.dev_bluegreenapps.yaml");
    assert_eq!(crd.lines().filter(|line| *line == "metadata:").count(), 1);
    let parsed: Value = serde_yaml_ng::from_str(&crd).expect("the CRD is YAML");
    assert!(parsed["metadata"]["annotations"].is_null());
    assert!(!crd.contains("{{"), "Helm would not expand it, and a person would think it does");
}

#[test]
fn chart_and_kustomize_grant_the_same_rights() {
    assert_eq!(yaml("config/rbac/role.yaml")["rules"], yaml(&format!("{CHART}/files/rules.yaml")));
}

#[test]
fn chart_and_kustomize_have_the_same_admission_policies() {
    let schema: Value = serde_yaml_ng::from_str(&text(&format!("{CHART}/values.schema.json"))).expect("JSON");
    for (folder, file, value) in [
        ("policy", "live-color-edits", "liveColorEdits"),
        ("deletion-policy", "live-app-deletion", "liveAppDeletion"),
        ("replicas-policy", "replicas-reset", "replicasReset"),
        ("own-writes", "own-writes", "ownWrites"),
    ] {
        let of_chart = text(&format!("{CHART}/files/{file}.yaml"));
        let parsed: Value = serde_yaml_ng::from_str(&of_chart).expect("the policy is YAML");
        assert_eq!(yaml(&format!("config/{folder}/policy.yaml"))["spec"], parsed);
        assert!(!of_chart.contains("{{"), "Helm would not expand it, and a person would think it does");
        let choices = schema["properties"][value]["enum"].as_sequence().expect("a list");
        assert!(choices.contains(&yaml(&format!("{CHART}/values.yaml"))[value]));
    }
}

#[test]
fn chart_and_kustomize_have_the_same_freeze() {
    let of_chart = text(&format!("{CHART}/files/freeze.yaml"));
    let parsed: Value = serde_yaml_ng::from_str(&of_chart).expect("the policy is YAML");
    assert_eq!(yaml("config/freeze/policy.yaml")["spec"], parsed);
    assert!(!of_chart.contains("{{"), "Helm would not expand it, and a person would think it does");
}

#[test]
fn nobody_is_granted_a_wildcard_or_a_way_to_more_rights() {
    let rules = yaml("config/rbac/role.yaml")["rules"].clone();
    let forbidden = ["*", "secrets", "pods/exec", "escalate", "bind", "impersonate"];
    for rule in rules.as_sequence().expect("rules are a list") {
        for key in ["apiGroups", "resources", "verbs"] {
            for value in rule[key].as_sequence().expect("a list") {
                assert!(!forbidden.contains(&value.as_str().expect("a string")), "{rule:?}");
            }
        }
    }
}

#[test]
fn the_chart_sets_only_flags_that_exist() {
    let flags = flags();
    let template = text(&format!("{CHART}/templates/deployment.yaml"));
    let used: Vec<_> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- --"))
        .map(|flag| format!("--{}", flag.split('=').next().unwrap_or_default()))
        .collect();
    assert!(used.len() > 5, "{used:?}");
    for flag in used {
        assert!(flags.contains(&flag), "{flag} is not a flag of the operator: {flags:?}");
    }
}

#[test]
fn the_chart_starts_the_notifier_with_flags_that_it_has() {
    let cli = Cli::command();
    let notify = cli.find_subcommand("notify").expect("the subcommand");
    let flags: BTreeSet<_> = notify.get_arguments().filter_map(|arg| arg.get_long()).collect();
    let template = text(&format!("{CHART}/templates/notify.yaml"));
    let used = template.lines().filter_map(|line| line.trim().strip_prefix("- --"));
    let used: Vec<_> = used.map(|flag| flag.split('=').next().unwrap_or_default()).collect();
    assert!(used.len() > 5, "{used:?}");
    for flag in used {
        assert!(flags.contains(flag), "{flag} is not a flag of the notifier: {flags:?}");
    }
}

#[test]
fn the_lease_that_may_be_renewed_is_the_default_one() {
    let rules = yaml("config/rbac/leader_election_role.yaml")["rules"].clone();
    let cli = Cli::command();
    let name = cli.get_arguments().find(|arg| arg.get_long() == Some("lease-name")).expect("--lease-name");
    let default = name.get_default_values()[0].to_str().expect("UTF-8");
    assert_eq!(rules[1]["resourceNames"][0].as_str(), Some(default));
}

#[test]
fn the_sample_is_an_app_that_the_operator_understands() {
    let app: bluegreen_api::BlueGreenApp =
        serde_yaml_ng::from_str(&text("config/samples/hello.yaml")).expect("a BlueGreenApp");
    assert_eq!(app.metadata.name.as_deref(), Some("hello"));
}

#[test]
fn the_gitlab_example_binds_the_pipelines_role_and_adds_nothing_to_it() {
    let role = yaml("config/rbac/bluegreenapp_pipeline_role.yaml");
    let binding = yaml("examples/gitlab/role.yaml");
    assert_eq!(binding["kind"], "RoleBinding", "in one namespace");
    assert_eq!(
        (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]),
        (&role["kind"], &role["metadata"]["name"])
    );
    let mut manifest = text("dist/install.yaml");
    manifest.retain(|c| c != '"');
    assert!(manifest.contains("name: bluegreenapp-limited-edits"), "the role alone would let it run any pod");
}

/// What Artifact Hub shows of the chart: its image, its kind, and an app that the operator understands.
#[test]
fn the_charts_annotations_say_what_the_chart_is() {
    let chart = yaml(&format!("{CHART}/Chart.yaml"));
    let values = yaml(&format!("{CHART}/values.yaml"));
    let annotation = |name: &str| -> Value {
        let text = chart["annotations"][format!("artifacthub.io/{name}")].as_str().expect(name);
        serde_yaml_ng::from_str(text).expect("YAML")
    };
    let (image, version) = (values["image"]["repository"].as_str(), chart["appVersion"].as_str());
    let image = format!("{}:{}", image.expect("an image"), version.expect("a version"));
    assert_eq!(annotation("images")[0]["image"].as_str(), Some(&*image));
    let crd = yaml("crds/bluegreen.dev_bluegreenapps.yaml");
    let shown = annotation("crds")[0].clone();
    assert_eq!(shown["name"], crd["metadata"]["name"]);
    assert_eq!(shown["kind"], crd["spec"]["names"]["kind"]);
    assert_eq!(shown["version"], crd["spec"]["versions"][0]["name"]);
    let mut example = annotation("crdsExamples")[0].clone();
    let sample = yaml("config/samples/hello.yaml");
    // The sample spells out one default.
    example["spec"]["readinessProbe"] = sample["spec"]["readinessProbe"].clone();
    assert_eq!(example["spec"], sample["spec"]);
    assert_eq!(example["apiVersion"], sample["apiVersion"]);
}

/// The label of an image says from which commit it was built.
#[test]
fn an_image_of_files_that_are_not_committed_says_so() {
    let folder = format!("{}/revision-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let root = env!("CARGO_MANIFEST_DIR");
    fs::create_dir_all(&folder).expect("a folder");
    let rules = format!("include {root}/make/images.mk\nrevision:\n\t@echo $(REVISION)\n");
    fs::write(format!("{folder}/Makefile"), rules).expect("a file");
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program)
            .current_dir(&folder)
            .args(arguments)
            .output()
            .unwrap_or_else(|err| panic!("{program}: {err}"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let revision = || run("make", &["--no-print-directory", "revision"]);
    run("git", &["init", "--quiet"]);
    run("git", &["add", "."]);
    run("git", &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "one"]);
    let commit = run("git", &["rev-parse", "HEAD"]);
    assert_eq!(revision(), commit);
    fs::write(format!("{folder}/new"), "").expect("a file");
    assert_eq!(revision(), format!("{commit}-dirty"));
    fs::remove_dir_all(&folder).expect("the folder");
}
