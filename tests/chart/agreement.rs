//! Are `config/`, `dist/install.yaml` and the chart the same operator?

use std::collections::BTreeMap;

use bluegreen_operator::config::{Cli, Command};
use clap::Parser;
use serde_json::{Value, json};

use crate::helm::{kustomize, root, template};
use crate::objects::Objects;

/// What `config/` calls otherwise than the chart with the release `bluegreen-operator`.
const NAMES: [(&str, &str); 9] = [
    ("bluegreenapp-viewer", "bluegreen-operator-apps-view"),
    ("bluegreenapp-editor", "bluegreen-operator-apps-edit"),
    ("bluegreenapp-admin", "bluegreen-operator-apps-admin"),
    ("bluegreenapp-pipeline", "bluegreen-operator-apps-pipeline"),
    ("bluegreen-live-color-edits", "bluegreen-operator-live-color-edits"),
    ("bluegreen-live-app-deletion", "bluegreen-operator-live-app-deletion"),
    ("bluegreen-replicas-reset", "bluegreen-operator-replicas-reset"),
    ("bluegreen-own-writes", "bluegreen-operator-own-writes"),
    ("bluegreenapp-limited-edits", "bluegreen-operator-limited-edits"),
];

/// Labels that say who installed something.
const INSTALLERS: [&str; 4] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
];

/// All that matters of an object, the same for both ways to install it.
fn essence(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("metadata");
    normalize(&mut object);
    object
}

fn normalize(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for label in INSTALLERS {
                map.remove(label);
            }
            if let Some(args) = map.get_mut("args").filter(|args| args.is_array()) {
                *args = parsed(args);
            }
            map.values_mut().for_each(normalize);
        }
        Value::Array(list) => list.iter_mut().for_each(normalize),
        Value::String(text) => {
            for (config, chart) in NAMES {
                if text == config {
                    chart.clone_into(text);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What the operator makes of its arguments, defaults and all.
fn parsed(args: &Value) -> Value {
    let words = args.as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    match Cli::try_parse_from(std::iter::once("bluegreen-operator").chain(words)).unwrap().into_command() {
        Command::Run(run) => json!(format!("{run:?}")),
        Command::Notify(notify) => json!(format!("{notify:?}")),
        other => panic!("{other:?}"),
    }
}

fn by_name(objects: &Objects) -> BTreeMap<(String, String), Value> {
    let name = |object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        NAMES.iter().find(|(config, _)| *config == name).map_or(name, |(_, chart)| chart).to_owned()
    };
    let kind = |object: &Value| object["kind"].as_str().unwrap().to_owned();
    objects.0.iter().map(|object| ((kind(object), name(object)), essence(object))).collect()
}

fn agree(config: &str, values: &Value) {
    let mut config = by_name(&Objects::parse(&kustomize(config)));
    let chart = by_name(&template(values));
    // Helm makes the namespace, or whoever calls it.
    config.retain(|(kind, _), _| kind != "Namespace");
    assert_eq!(config.keys().collect::<Vec<_>>(), chart.keys().collect::<Vec<_>>());
    for (key, wanted) in &config {
        let differ = |found: &Value| {
            let text = |value| serde_yaml_ng::to_string(value).unwrap();
            format!("{key:?}\n--- config\n{}\n--- chart\n{}", text(wanted), text(found))
        };
        assert!(chart[key] == *wanted, "{}", differ(&chart[key]));
    }
}

#[test]
fn do_chart_and_config_install_the_same() {
    agree("config/default", &json!({}));
}

#[test]
fn do_chart_and_config_have_the_same_optional_parts() {
    let on = json!({"enabled": true});
    let metrics = json!({"serviceMonitor": on, "prometheusRule": on, "dashboard": on});
    agree("tests/kustomize/everything", &json!({"networkPolicy": on, "metrics": metrics}));
}

#[test]
fn do_they_have_the_same_notifier() {
    let config = by_name(&Objects::parse(&kustomize("config/notify")));
    let mut chart =
        by_name(&template(&json!({"notify": {"enabled": true, "secretName": "bluegreen-notify"}})));
    chart.retain(|(_, name), _| name.ends_with("-notify"));
    assert_eq!(config.len(), 4);
    assert_eq!(config, chart);
}

#[test]
fn do_their_user_roles_aggregate_alike() {
    let labels = |objects: &Objects| -> BTreeMap<String, Value> {
        let aggregate = |object: &Value| {
            let labels = object["metadata"]["labels"].as_object().cloned().unwrap_or_default();
            labels
                .into_iter()
                .filter(|(key, _)| key.contains("aggregate-to"))
                .collect::<serde_json::Map<_, _>>()
        };
        let name = |object: &Value| {
            let name = object["metadata"]["name"].as_str().unwrap();
            NAMES.iter().find(|(config, _)| *config == name).map_or(name, |(_, chart)| chart).to_owned()
        };
        objects.of("ClusterRole").map(|object| (name(object), json!(aggregate(object)))).collect()
    };
    let (config, chart) = (Objects::parse(&kustomize("config/default")), template(&json!({})));
    assert_eq!(labels(&config), labels(&chart));
    // Whoever may edit a namespace may run any pod in it: to switch its apps is no more than that.
    let aggregated =
        labels(&chart).values().filter(|labels| labels.as_object().is_some_and(|l| !l.is_empty())).count();
    assert_eq!(aggregated, 3, "view, edit and admin; the pipeline's role is bound on purpose or not at all");
}

#[test]
fn is_the_install_manifest_what_config_yields() {
    let expected = format!("# Built from config/default: `make dist`.\n{}", kustomize("config/default"));
    let path = root().join("dist/install.yaml");
    if std::env::var_os("UPDATE_DIST").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == expected,
        "dist/install.yaml is out of date: make dist"
    );
}

#[test]
fn do_both_run_the_image_of_this_version() {
    let image = |objects: &Objects| objects.at("Deployment", "/spec/template/spec/containers/0/image");
    let version = env!("CARGO_PKG_VERSION");
    for objects in [Objects::parse(&kustomize("config/default")), template(&json!({}))] {
        assert_eq!(image(&objects), format!("bluegreen-operator:{version}"));
    }
    let chart: Value = serde_yaml_ng::from_str(
        &std::fs::read_to_string(root().join("charts/bluegreen-operator/Chart.yaml")).unwrap(),
    )
    .unwrap();
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
}
