//! What does each value do? The rows are in `rows.yaml`.

use serde_json::{Value, json};

use crate::helm::{everything, lint, rendered_in, template};

/// A value, the object that shows it, a JSON pointer into it, and what is there.
fn rows() -> Vec<(Value, String, String, Value)> {
    serde_yaml_ng::from_str(include_str!("rows.yaml")).unwrap()
}

#[test]
fn does_every_value_do_what_it_says() {
    let mut wrong = Vec::new();
    let rows = rows();
    for (values, object, pointer, wanted) in &rows {
        let found = template(values).at(object, pointer);
        if found != *wanted {
            wrong.push(format!("{values}: {object}{pointer} is {found} instead of {wanted}"));
        }
    }
    println!("{} of {} rows", rows.len() - wrong.len(), rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn is_there_no_freeze_unless_it_is_asked_for() {
    let has_freeze = |values: &Value| {
        let objects = template(values);
        objects
            .0
            .iter()
            .any(|object| object["metadata"]["name"].as_str().is_some_and(|it| it.contains("freeze")))
    };
    assert!(!has_freeze(&json!({})) && has_freeze(&json!({"freeze": true})));
}

/// A value that no row sets could be without effect, or misspelled in a template.
#[test]
fn is_every_value_in_the_table() {
    fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
        match value.as_object() {
            Some(map) if !map.is_empty() => {
                for (key, value) in map {
                    leaves(value, &format!("{path}/{key}"), found);
                }
            }
            Some(_) | None => found.push(path.to_owned()),
        }
    }
    let text =
        std::fs::read_to_string(crate::helm::root().join("charts/bluegreen-operator/values.yaml")).unwrap();
    let mut all = Vec::new();
    leaves(&serde_yaml_ng::from_str::<Value>(&text).unwrap(), "", &mut all);
    // What rows set only in part: a default of several keys counts as one.
    let covered = |path: &str| {
        rows().iter().any(|(values, ..)| values.pointer(path).is_some())
            || ["/resources/", "/metrics/dashboard/labels/"].iter().any(|part| path.starts_with(part))
    };
    // True is the default; its other value would leave out what other rows look at.
    let by_default = ["/crds/enabled", "/rbac/userRoles/create"];
    let missing: Vec<_> =
        all.iter().filter(|path| !covered(path) && !by_default.contains(&path.as_str())).collect();
    assert!(missing.is_empty(), "no row sets {missing:?}");
}

#[test]
fn does_lint_find_nothing_to_say_about_the_chart() {
    for values in
        [json!({}), everything(), json!({"watchNamespaces": ["shop", "web"], "crds": {"enabled": false}})]
    {
        let words = lint(&values).unwrap_or_else(|error| panic!("{values}: {error}"));
        assert!(words.contains("0 chart(s) failed") && !words.contains("[WARNING]"), "{words}");
    }
}

#[test]
fn are_optional_parts_left_out_by_default() {
    let (default, all) = (template(&json!({})), template(&everything()));
    let kinds = default.kinds();
    let optional =
        ["ConfigMap", "NetworkPolicy", "PodMonitor", "PrometheusRule", "Service", "ServiceMonitor"];
    assert!(optional.iter().all(|kind| !kinds.contains(kind)), "{kinds:?}");
    assert!(optional.iter().all(|kind| all.kinds().contains(kind)), "{:?}", all.kinds());
}

#[test]
fn does_every_object_carry_the_common_labels() {
    let objects = template(&everything());
    for object in objects.0.iter().filter(|object| object["kind"] != "CustomResourceDefinition") {
        let labels = &object["metadata"]["labels"];
        for label in ["name", "instance", "version", "managed-by"] {
            assert!(
                labels[format!("app.kubernetes.io/{label}")].is_string(),
                "{label}: {}",
                object["metadata"]
            );
        }
        assert_eq!(labels["team"], "platform", "{}", object["metadata"]);
    }
}

/// The policy about the operator's own writes names its account and its namespace, which its file can't know.
#[test]
fn does_no_object_name_the_namespace_of_config_in_another() {
    let text = rendered_in("elsewhere", &json!({})).unwrap();
    let named: Vec<_> = text.lines().filter(|line| line.contains("bluegreen-system")).collect();
    assert!(named.is_empty(), "{named:#?}");
    assert!(text.contains("'system:serviceaccount:elsewhere:bluegreen-operator'"));
    assert!(text.contains("'kube-node-lease', 'elsewhere']"));
}

/// Its account is its own, and so are its labels: neither the operator's budget nor its Service takes the notifier for an operator.
#[test]
fn does_the_notifier_share_nothing_with_the_operator() {
    let objects = template(&everything());
    let of = |suffix: &str, pointer: &str| objects.at(suffix, pointer);
    let rules =
        json!([{"apiGroups": ["bluegreen.dev"], "resources": ["bluegreenapps"], "verbs": ["list", "watch"]}]);
    assert_eq!(of("ClusterRole/-notify", "/rules"), rules);
    let bound: Vec<_> = objects
        .0
        .iter()
        .filter(|object| object["subjects"][0]["name"] == "bluegreen-operator-notify")
        .map(|object| object["roleRef"]["name"].clone())
        .collect();
    assert_eq!(bound, ["bluegreen-operator-notify"]);
    let pods = of("StatefulSet/-notify", "/spec/template/metadata/labels");
    for selector in ["PodDisruptionBudget", "Service", "NetworkPolicy/operator", "Deployment/operator"] {
        let wanted = ["/spec/selector/matchLabels", "/spec/podSelector/matchLabels", "/spec/selector"]
            .into_iter()
            .map(|pointer| of(selector, pointer))
            .find(|found| found.is_object())
            .unwrap();
        let selects = wanted.as_object().unwrap().iter().all(|(key, value)| pods[key] == *value);
        assert!(!selects, "{selector} selects the notifier: {wanted}");
    }
}

/// The account and its Lease stay in the release's namespace.
#[test]
fn does_a_list_of_namespaces_need_nothing_that_is_cluster_wide_and_the_same_rights_in_each() {
    let notify = json!({"enabled": true, "secretName": "receivers"});
    let all = template(&json!({}));
    for namespaces in [&["shop"][..], &["shop", "web"]] {
        let objects = template(
            &json!({"watchNamespaces": namespaces, "crds": {"enabled": false}, "notify": notify.clone()}),
        );
        let cluster_wide: Vec<_> =
            objects.0.iter().filter(|object| object["metadata"]["namespace"].is_null()).collect();
        assert!(cluster_wide.is_empty(), "{cluster_wide:?}");
        for namespace in namespaces {
            let there = |kind: &str, name: &str| {
                let found = objects.0.iter().find(|object| {
                    object["kind"] == kind
                        && object["metadata"]["name"] == name
                        && object["metadata"]["namespace"] == *namespace
                });
                found.unwrap_or_else(|| panic!("no {kind} {name} in {namespace}")).clone()
            };
            for name in ["bluegreen-operator", "bluegreen-operator-notify"] {
                let binding = there("RoleBinding", name);
                assert_eq!(binding["roleRef"]["name"], name);
                assert_eq!(binding["subjects"][0]["name"], name);
                assert_eq!(binding["subjects"][0]["namespace"], crate::helm::NAMESPACE);
                assert!(there("Role", name)["rules"].is_array());
            }
            assert_eq!(
                there("Role", "bluegreen-operator")["rules"],
                all.at("ClusterRole/operator", "/rules")
            );
        }
        let elsewhere = objects.0.iter().filter(|object| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            namespace != crate::helm::NAMESPACE && !namespaces.contains(&namespace)
        });
        assert_eq!(elsewhere.count(), 0);
    }
}
