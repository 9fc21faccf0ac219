//! Which values does the schema refuse, and does the message name them?

use serde_json::{Value, json};

use crate::helm::{rendered, root};

fn rows() -> Vec<(Value, &'static str)> {
    let metrics = |what: &str, values: Value| json!({"metrics": {what: values}});
    vec![
        (json!({"replicas": 3}), "replicas"),
        (json!({"replicaCount": 0}), "/replicaCount"),
        (json!({"replicaCount": "2"}), "/replicaCount"),
        (json!({"image": {"repository": ""}}), "/image/repository"),
        (json!({"image": {"name": "x"}}), "name"),
        (json!({"image": {"tag": 1.0}}), "/image/tag"),
        (json!({"image": {"digest": "sha256:abc"}}), "/image/digest"),
        (json!({"image": {"pullPolicy": "always"}}), "/image/pullPolicy"),
        (json!({"imagePullSecrets": ["registry"]}), "/imagePullSecrets/0"),
        (json!({"nameOverride": "Big"}), "/nameOverride"),
        (json!({"fullnameOverride": "a b"}), "/fullnameOverride"),
        (json!({"watchNamespace": "a"}), "watchNamespace"),
        (json!({"watchNamespaces": "a,b"}), "/watchNamespaces"),
        (json!({"watchNamespaces": ["a,b"]}), "/watchNamespaces/0"),
        (json!({"watchNamespaces": [""]}), "/watchNamespaces/0"),
        (json!({"watchNamespaces": ["a", "a"]}), "/watchNamespaces"),
        (json!({"commonLabels": {"a": 1}}), "/commonLabels/a"),
        (json!({"crds": {"install": true}}), "install"),
        (json!({"crds": {"keep": "yes"}}), "/crds/keep"),
        (json!({"liveAppDeletion": "Audit"}), "/liveAppDeletion"),
        (json!({"replicasReset": "Audit"}), "/replicasReset"),
        (json!({"ownWrites": "Audit"}), "/ownWrites"),
        (json!({"rbac": {"userRoles": false}}), "/rbac/userRoles"),
        (json!({"rbac": {"pipeline": {"enabled": true}}}), "enabled"),
        (json!({"serviceAccount": {"annotations": {"a": true}}}), "/serviceAccount/annotations/a"),
        (json!({"leaderElection": {"duration": 15}}), "/leaderElection/duration"),
        (json!({"leaderElection": {"renewDeadline": "10"}}), "/leaderElection/renewDeadline"),
        (json!({"leaderElection": {"retryPeriod": "2 s"}}), "/leaderElection/retryPeriod"),
        (json!({"concurrency": 0}), "/concurrency"),
        (json!({"concurrency": 1000}), "/concurrency"),
        (json!({"writeTimeout": "soon"}), "/writeTimeout"),
        (json!({"log": {"format": "xml"}}), "/log/format"),
        (json!({"extraArgs": ["run"]}), "/extraArgs/0"),
        (json!({"extraArgs": "--x"}), "/extraArgs"),
        (json!({"extraEnv": [{"value": "x"}]}), "name"),
        (json!({"notify": {"enabled": true}}), "notify.secretName"),
        (json!({"notify": {"secretName": "A b"}}), "/notify/secretName"),
        (json!({"notify": {"receivers": []}}), "receivers"),
        (json!({"notify": {"queue": 0}}), "/notify/queue"),
        (json!({"notify": {"keep": "soon"}}), "/notify/keep"),
        (json!({"notify": {"timeout": 10}}), "/notify/timeout"),
        (json!({"notify": {"egress": {}}}), "/notify/egress"),
        (json!({"podDisruptionBudget": {"minAvailable": 1}}), "minAvailable"),
        (json!({"networkPolicy": {"apiServerPorts": []}}), "/networkPolicy/apiServerPorts"),
        (json!({"networkPolicy": {"apiServerPorts": [70000]}}), "/networkPolicy/apiServerPorts/0"),
        (metrics("serviceMonitor", json!({"interval": 30})), "/metrics/serviceMonitor/interval"),
        (metrics("podMonitor", json!({"labels": []})), "/metrics/podMonitor/labels"),
        (metrics("prometheusRule", json!({"rules": []})), "rules"),
        (metrics("dashboard", json!({"enabled": 1})), "/metrics/dashboard/enabled"),
        (json!({"podLabels": {"a": 1}}), "/podLabels/a"),
        (json!({"tolerations": {}}), "/tolerations"),
        (json!({"topologySpreadConstraints": "zone"}), "/topologySpreadConstraints"),
        (json!({"affinity": []}), "/affinity"),
    ]
}

#[test]
fn are_wrong_values_refused_with_their_name() {
    let mut wrong = Vec::new();
    let rows = rows();
    for (values, named) in &rows {
        match rendered(values) {
            Ok(_) => wrong.push(format!("{values} is taken")),
            Err(words) if !words.contains(named) => wrong.push(format!("{values}: {words}")),
            Err(_) => {}
        }
    }
    println!("{} of {} refused", rows.len() - wrong.len(), rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A value that the schema does not know is refused, so the defaults themselves must all be in it.
#[test]
fn does_the_schema_know_every_value_and_no_other() {
    fn keys(value: &Value, path: &str, found: &mut Vec<String>) {
        for (key, value) in value.as_object().into_iter().flatten() {
            found.push(format!("{path}.{key}"));
            keys(value, &format!("{path}.{key}"), found);
        }
    }
    fn properties(schema: &Value, path: &str, found: &mut Vec<String>) {
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            found.push(format!("{path}.{key}"));
            properties(schema, &format!("{path}.{key}"), found);
        }
    }
    let chart = root().join("charts/bluegreen-operator");
    let text = |name: &str| std::fs::read_to_string(chart.join(name)).unwrap();
    let (mut values, mut schema) = (Vec::new(), Vec::new());
    keys(&serde_yaml_ng::from_str(&text("values.yaml")).unwrap(), "", &mut values);
    properties(&serde_json::from_str(&text("values.schema.json")).unwrap(), "", &mut schema);
    // Free-form maps have keys that no schema names; `global` is what a parent chart may pass.
    let free = [".resources.", ".notify.resources.", ".metrics.dashboard.labels."];
    values.retain(|value| !free.iter().any(|part| value.starts_with(part)));
    schema.retain(|value| value != ".global");
    values.sort();
    schema.sort();
    assert_eq!(values, schema);
}
