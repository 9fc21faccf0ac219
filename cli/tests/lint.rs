//! Does `lint` say of every input what the API server says? `cargo test -p bluegreen-suites --test e2e input` asks the
//! API server about the same two tables.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use k8s_openapi::DeepMerge;
use kubectl_bluegreen::lint::{check, warnings};
use serde_json::{Value, json};

#[path = "../../tests/e2e/input/case.rs"]
#[allow(dead_code)]
mod case;

const SMALLEST: &str = include_str!("../../tests/golden_smallest.yaml");

fn object(name: Option<&str>, patch: &Value) -> Value {
    let mut object: Value = serde_yaml_ng::from_str(SMALLEST).unwrap();
    if let Some(name) = name {
        object["metadata"]["name"] = name.into();
    }
    if !patch.is_null() {
        object["spec"].merge_from(patch.clone());
    }
    object
}

#[test]
fn every_bad_input_is_refused_by_its_field() {
    let cases = case::cases().unwrap();
    for case in &cases {
        let found = check(&object(case.name.as_deref(), &case.patch));
        let names_it = found.iter().any(|problem| problem.field == case.field);
        assert!(names_it, "{}: {} is not among {found:?}", case.case, case.field);
    }
    println!("{} of {0} bad inputs are refused", cases.len());
}

#[test]
fn every_good_input_is_accepted() {
    let patches: Vec<Value> =
        serde_yaml_ng::from_str(include_str!("../../tests/golden_accepted.yaml")).unwrap();
    for patch in &patches {
        assert_eq!(check(&object(None, patch)), [], "{patch}");
    }
    println!("{} of {0} good inputs are accepted", patches.len());
}

/// The fields that are warned of, and the words, for these checks beside these objects.
fn warned(checks: &Value, objects: &[Value]) -> Vec<(String, String)> {
    let app = object(None, &json!({ "checks": checks }));
    assert_eq!(check(&app), [], "the API server accepts it");
    let found = warnings(&serde_json::from_value(app).unwrap(), objects);
    found.into_iter().map(|problem| (problem.field, problem.message)).collect()
}

fn job(labels: &Value, image: Option<&str>) -> Value {
    let template =
        json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}});
    json!([{"name": "smoke", "when": "Before", "job": {"template": template}}])
}

#[test]
fn the_pods_of_a_check_that_a_service_would_select_are_warned_of() {
    let service = |namespace: &str, selector: Value| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "extra", "namespace": namespace},
            "spec": {"selector": selector}})
    };
    let checks = job(&json!({"team": "a", "tier": "web"}), Some("team/smoke:1"));
    let found = warned(&checks, &[service("shop", json!({"team": "a"}))]);
    let [(field, words)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(field, "spec.checks[0].job.template.metadata.labels");
    assert!(words.contains("Service extra selects the pods of this check"), "{words}");
    for other in [json!({}), json!({"team": "a", "app": "x"}), json!({"team": "b"})] {
        assert_eq!(warned(&checks, &[service("shop", other.clone())]), [], "{other}");
    }
    let mut elsewhere = object(None, &json!({ "checks": checks }));
    elsewhere["metadata"]["namespace"] = json!("other");
    let found =
        warnings(&serde_json::from_value(elsewhere).unwrap(), &[service("shop", json!({"team": "a"}))]);
    assert_eq!(found, [], "another namespace");
    let name = job(&json!({"app.kubernetes.io/name": "hello"}), Some("team/smoke:1"));
    assert!(warned(&name, &[])[0].1.contains("is the name of the app"));
}

#[test]
fn an_image_of_a_check_that_is_another_one_tomorrow_is_warned_of() {
    for (image, words) in [
        (Some("smoke"), Some("has no tag")),
        (Some("localhost:5000/smoke"), Some("has no tag")),
        (Some("team/smoke:latest"), Some("has the tag `latest`")),
        (Some("localhost:5000/smoke:1"), None),
        (Some("smoke@sha256:0"), None),
        // That of the color.
        (None, None),
    ] {
        let found = warned(&job(&json!({}), image), &[]);
        assert_eq!(found.len(), usize::from(words.is_some()), "{image:?}: {found:?}");
        if let Some(words) = words {
            assert_eq!(found[0].0, "spec.checks[0].job.template.spec.containers[0].image");
            assert!(found[0].1.contains(words), "{found:?}");
        }
    }
    let mut init = job(&json!({}), None);
    init[0]["job"]["template"]["spec"]["initContainers"] = json!([{"name": "i", "image": "x"}]);
    assert_eq!(warned(&init, &[])[0].0, "spec.checks[0].job.template.spec.initContainers[0].image");
}

#[test]
fn a_check_that_holds_everything_up_or_may_always_be_bad_is_warned_of() {
    let after = |seconds: i32, enforce: bool| json!([{"name": "a", "when": "After", "enforce": enforce, "deadlineSeconds": seconds, "http": {}}]);
    assert_eq!(warned(&after(1801, true), &[])[0].0, "spec.checks[0].deadlineSeconds");
    assert_eq!(warned(&after(1800, true), &[]), []);
    assert_eq!(warned(&after(3600, false), &[]), []);
    let fails = |failures: i32| json!([{"name": "a", "when": "Before", "http": {"forSeconds": 60, "periodSeconds": 20, "maxFailures": failures}}]);
    let found = warned(&fails(4), &[]);
    assert_eq!(found[0].0, "spec.checks[0].http.maxFailures");
    assert!(found[0].1.contains("4 bad measurements, and there are 4"), "{found:?}");
    assert_eq!(warned(&fails(3), &[]), []);
}

/// The fields that name a ConfigMap and are warned of, for an app with this patch beside these objects.
fn stays(patch: &Value, objects: &[Value]) -> Vec<String> {
    let app = object(None, patch);
    assert_eq!(check(&app), [], "the API server accepts it");
    let found = warnings(&serde_json::from_value(app).unwrap(), objects);
    found.into_iter().map(|problem| problem.field).collect()
}

#[test]
fn a_config_map_that_does_not_go_back_with_the_code_is_warned_of() {
    let volume =
        |name: &str| json!({"template": {"spec": {"volumes": [{"name": "v", "configMap": {"name": name}}]}}});
    for (name, warned) in [
        ("settings", true),
        ("shop-settings", true),
        ("settings-5m2k9tt6gc", false),
        ("settings-bcdfghkmtt", false),
        ("settings-v2", false),
        ("settings-2026.11", false),
        // The number of something else.
        ("s3-settings", true),
    ] {
        let found = stays(&volume(name), &[]);
        assert_eq!(found.len(), usize::from(warned), "{name}: {found:?}");
    }

    let from =
        |name: &str| json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": name, "key": "a"}}}]);
    let everywhere = json!({
        "blue": {"env": from("one")},
        "green": {"env": from("two-7")},
        "template": {"spec": {
            "containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "three"}}]}],
            "volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "four"}}, {"secret": {"name": "five"}}]}}],
        }},
    });
    assert_eq!(
        stays(&everywhere, &[]),
        [
            "spec.template.spec.volumes[0].projected.sources[0].configMap.name",
            "spec.blue.env[0].valueFrom.configMapKeyRef.name",
            "spec.template.spec.containers[0].envFrom[0].configMapRef.name",
        ],
        "by the name of the ConfigMap"
    );

    let map = |immutable: bool| json!({"kind": "ConfigMap", "metadata": {"name": "settings"}, "immutable": immutable});
    assert_eq!(stays(&volume("settings"), &[map(true)]).len(), 0);
    assert_eq!(stays(&volume("settings"), &[map(false)]).len(), 1);
    let generator = json!({"kind": "Kustomization", "configMapGenerator": [{"name": "settings"}]});
    assert_eq!(stays(&volume("settings"), &[generator]).len(), 0);
}

#[test]
fn a_variable_of_a_color_that_another_container_refers_to_is_warned_of() {
    let patch = json!({
        "green": {"env": [{"name": "SLOT", "value": "green"}]},
        "template": {"spec": {
            "initContainers": [{"name": "migrate", "args": ["--slot=$(SLOT)"]}],
            "containers": [
                {"name": "app", "args": ["$(SLOT)"], "env": [{"name": "A", "value": "$(SLOT)"}]},
                {"name": "side", "image": "side:1", "env": [{"name": "B", "value": "x$(SLOT)"}, {"name": "C", "value": "$$(SLOT)"}]},
                {"name": "own", "image": "own:1", "env": [{"name": "SLOT", "value": "1"}, {"name": "D", "value": "$(SLOT)$(OTHER)"}]},
            ],
        }},
    });
    assert_eq!(
        stays(&patch, &[]),
        ["spec.template.spec.initContainers[0].args[0]", "spec.template.spec.containers[1].env[0].value"]
    );
}
