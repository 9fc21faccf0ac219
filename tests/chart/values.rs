//! What does each value do? One row a value: what is set, and what a field of an object is then.

use serde_json::{Value, json};

use crate::helm::{everything, lint, template};

const POD: &str = "/spec/template/spec";

/// A value, the object that shows it (`KIND` or `KIND/NAME-SUFFIX`), a JSON pointer into it, and what is there.
fn rows() -> Vec<(Value, &'static str, String, Value)> {
    let pod = |rest: &str| format!("{POD}{rest}");
    let container = |rest: &str| format!("{POD}/containers/0{rest}");
    let arg = |number: usize| format!("{POD}/containers/0/args/{number}");
    let at = str::to_owned;
    let metrics = |what: &str, values: Value| json!({"metrics": {what: values}});
    vec![
        (json!({}), "Deployment", at("/spec/replicas"), json!(2)),
        (json!({"replicaCount": 3}), "Deployment", at("/spec/replicas"), json!(3)),
        (json!({}), "Deployment", container("/image"), json!("bluegreen-operator:0.1.0")),
        (
            json!({"image": {"repository": "r/o", "tag": "t"}}),
            "Deployment",
            container("/image"),
            json!("r/o:t"),
        ),
        (
            json!({"image": {"tag": "t", "digest": format!("sha256:{}", "0".repeat(64))}}),
            "Deployment",
            container("/image"),
            json!(format!("bluegreen-operator@sha256:{}", "0".repeat(64))),
        ),
        (
            json!({"image": {"pullPolicy": "Always"}}),
            "Deployment",
            container("/imagePullPolicy"),
            json!("Always"),
        ),
        (
            json!({"imagePullSecrets": [{"name": "s"}]}),
            "Deployment",
            pod("/imagePullSecrets/0/name"),
            json!("s"),
        ),
        (
            json!({"nameOverride": "other"}),
            "Deployment",
            at("/metadata/name"),
            json!("bluegreen-operator-other"),
        ),
        (json!({"fullnameOverride": "f"}), "Deployment", at("/metadata/name"), json!("f")),
        (json!({"fullnameOverride": "f"}), "Role", at("/rules/1/resourceNames/0"), json!("f")),
        (json!({"fullnameOverride": "f"}), "Deployment", arg(1), json!("--lease-name=f")),
        (json!({"commonLabels": {"team": "t"}}), "ServiceAccount", at("/metadata/labels/team"), json!("t")),
        (
            json!({"commonLabels": {"team": "t"}}),
            "Deployment",
            at("/spec/template/metadata/labels/team"),
            json!("t"),
        ),
        (
            json!({"commonLabels": {"team": "t"}}),
            "Deployment",
            at("/spec/selector/matchLabels/team"),
            Value::Null,
        ),
        (json!({"watchNamespace": "shop"}), "Deployment", arg(1), json!("--namespace=shop")),
        (json!({"watchNamespace": "shop"}), "ClusterRole", at("/rules"), Value::Null),
        (json!({"watchNamespace": "shop"}), "Role/operator", at("/metadata/namespace"), json!("shop")),
        (
            json!({"watchNamespace": "shop"}),
            "RoleBinding/operator",
            at("/subjects/0/namespace"),
            json!("bluegreen-system"),
        ),
        (json!({"watchNamespace": "shop"}), "ValidatingAdmissionPolicy", at("/spec"), Value::Null),
        (json!({"crds": {"enabled": false}}), "CustomResourceDefinition", at("/spec"), Value::Null),
        (
            json!({}),
            "CustomResourceDefinition",
            at("/metadata/annotations/helm.sh~1resource-policy"),
            json!("keep"),
        ),
        (
            json!({"crds": {"keep": false}}),
            "CustomResourceDefinition",
            at("/metadata/annotations"),
            Value::Null,
        ),
        (json!({"rbac": {"create": false}}), "ClusterRole", at("/rules"), Value::Null),
        (json!({"rbac": {"create": false}}), "Role", at("/rules"), Value::Null),
        (
            json!({"rbac": {"create": false}, "liveColorEdits": "Allow", "liveAppDeletion": "Allow"}),
            "ValidatingAdmissionPolicy",
            at("/spec"),
            Value::Null,
        ),
        (json!({}), "ClusterRole/apps-view", at("/rules/0/verbs"), json!(["get", "list", "watch"])),
        (
            json!({}),
            "ClusterRole/apps-edit",
            at("/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-edit"),
            json!("true"),
        ),
        (
            json!({"rbac": {"userRoles": {"aggregate": false}}}),
            "ClusterRole/apps-edit",
            at("/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-edit"),
            Value::Null,
        ),
        (
            json!({}),
            "ClusterRole/apps-pipeline",
            at("/rules/0/verbs"),
            json!(["get", "list", "watch", "patch"]),
        ),
        (
            json!({}),
            "ValidatingAdmissionPolicyBinding/limited-edits",
            at("/spec/policyName"),
            json!("bluegreen-operator-limited-edits"),
        ),
        (
            json!({"rbac": {"pipeline": {"create": false}}, "liveColorEdits": "Allow", "liveAppDeletion": "Allow"}),
            "ValidatingAdmissionPolicy",
            at("/spec"),
            Value::Null,
        ),
        (json!({"serviceAccount": {"create": false}}), "ServiceAccount", at("/metadata"), Value::Null),
        (
            json!({"serviceAccount": {"create": false, "name": "mine"}}),
            "Deployment",
            pod("/serviceAccountName"),
            json!("mine"),
        ),
        (
            json!({"serviceAccount": {"create": false, "name": "mine"}}),
            "ClusterRoleBinding",
            at("/subjects/0/name"),
            json!("mine"),
        ),
        (
            json!({"serviceAccount": {"annotations": {"a": "b"}}}),
            "ServiceAccount",
            at("/metadata/annotations/a"),
            json!("b"),
        ),
        (json!({"leaderElection": {"duration": "30s"}}), "Deployment", arg(2), json!("--lease-duration=30s")),
        (
            json!({"leaderElection": {"renewDeadline": "9s"}}),
            "Deployment",
            arg(3),
            json!("--lease-renew-deadline=9s"),
        ),
        (
            json!({"leaderElection": {"retryPeriod": "1s"}}),
            "Deployment",
            arg(4),
            json!("--lease-retry-period=1s"),
        ),
        (json!({"writeTimeout": "2s"}), "Deployment", arg(5), json!("--write-timeout=2s")),
        (json!({"concurrency": 16}), "Deployment", arg(6), json!("--concurrency=16")),
        (json!({"log": {"format": "json"}}), "Deployment", arg(7), json!("--log-format=json")),
        (json!({"log": {"level": "debug"}}), "Deployment", arg(8), json!("--log-level=debug")),
        (json!({"extraArgs": ["--as=x"]}), "Deployment", arg(8), json!("--as=x")),
        (
            json!({"extraEnv": [{"name": "A", "value": "b"}]}),
            "Deployment",
            container("/env/1/name"),
            json!("A"),
        ),
        (
            json!({"podDisruptionBudget": {"maxUnavailable": "50%"}}),
            "PodDisruptionBudget",
            at("/spec/maxUnavailable"),
            json!("50%"),
        ),
        (json!({"podDisruptionBudget": {"enabled": false}}), "PodDisruptionBudget", at("/spec"), Value::Null),
        // One replica and a budget would block every drain of its node.
        (json!({"replicaCount": 1}), "PodDisruptionBudget", at("/spec"), Value::Null),
        (json!({}), "NetworkPolicy", at("/spec"), Value::Null),
        (
            json!({"networkPolicy": {"enabled": true}}),
            "NetworkPolicy",
            at("/spec/ingress/0/from"),
            Value::Null,
        ),
        (
            json!({"networkPolicy": {"enabled": true, "metricsFrom": [{"podSelector": {}}]}}),
            "NetworkPolicy",
            at("/spec/ingress/0/from/0/podSelector"),
            json!({}),
        ),
        (
            json!({"networkPolicy": {"enabled": true, "apiServerPorts": [16443]}}),
            "NetworkPolicy",
            at("/spec/egress/0/ports"),
            json!([{"port": 16443, "protocol": "TCP"}]),
        ),
        (json!({}), "Service", at("/spec"), Value::Null),
        (metrics("service", json!({"enabled": true})), "Service", at("/spec/clusterIP"), json!("None")),
        (
            metrics("serviceMonitor", json!({"enabled": true})),
            "Service",
            at("/spec/ports/0/targetPort"),
            json!("http"),
        ),
        (
            metrics("serviceMonitor", json!({"enabled": true})),
            "ServiceMonitor",
            at("/spec/endpoints/0/honorLabels"),
            json!(true),
        ),
        (
            metrics("serviceMonitor", json!({"enabled": true, "interval": "5s"})),
            "ServiceMonitor",
            at("/spec/endpoints/0/interval"),
            json!("5s"),
        ),
        (
            metrics("serviceMonitor", json!({"enabled": true, "labels": {"a": "b"}})),
            "ServiceMonitor",
            at("/metadata/labels/a"),
            json!("b"),
        ),
        (
            metrics("podMonitor", json!({"enabled": true})),
            "PodMonitor",
            at("/spec/podMetricsEndpoints/0/honorLabels"),
            json!(true),
        ),
        (
            metrics("podMonitor", json!({"enabled": true, "interval": "5s"})),
            "PodMonitor",
            at("/spec/podMetricsEndpoints/0/interval"),
            json!("5s"),
        ),
        (
            metrics("podMonitor", json!({"enabled": true, "labels": {"a": "b"}})),
            "PodMonitor",
            at("/metadata/labels/a"),
            json!("b"),
        ),
        (metrics("podMonitor", json!({"enabled": true})), "Service", at("/spec"), Value::Null),
        (
            metrics("prometheusRule", json!({"enabled": true})),
            "PrometheusRule",
            at("/spec/groups/0/name"),
            json!("bluegreen-operator"),
        ),
        (
            metrics("prometheusRule", json!({"enabled": true, "labels": {"a": "b"}})),
            "PrometheusRule",
            at("/metadata/labels/a"),
            json!("b"),
        ),
        (
            metrics("dashboard", json!({"enabled": true})),
            "ConfigMap",
            at("/metadata/labels/grafana_dashboard"),
            json!("1"),
        ),
        (
            metrics("dashboard", json!({"enabled": true, "annotations": {"a": "b"}})),
            "ConfigMap",
            at("/metadata/annotations/a"),
            json!("b"),
        ),
        (
            json!({"resources": {"limits": {"memory": "1Gi"}}}),
            "Deployment",
            container("/resources/limits/memory"),
            json!("1Gi"),
        ),
        (
            json!({"podAnnotations": {"a": "b"}}),
            "Deployment",
            at("/spec/template/metadata/annotations/a"),
            json!("b"),
        ),
        (json!({"podLabels": {"a": "b"}}), "Deployment", at("/spec/template/metadata/labels/a"), json!("b")),
        (json!({"priorityClassName": "p"}), "Deployment", pod("/priorityClassName"), json!("p")),
        (json!({"nodeSelector": {"a": "b"}}), "Deployment", pod("/nodeSelector/a"), json!("b")),
        (json!({"tolerations": [{"key": "k"}]}), "Deployment", pod("/tolerations/0/key"), json!("k")),
        (json!({"affinity": {"podAffinity": {}}}), "Deployment", pod("/affinity/podAffinity"), json!({})),
        (
            json!({}),
            "Deployment",
            pod("/topologySpreadConstraints/0/topologyKey"),
            json!("kubernetes.io/hostname"),
        ),
        (
            json!({}),
            "ValidatingAdmissionPolicyBinding/live-app-deletion",
            at("/spec/validationActions"),
            json!(["Warn", "Audit"]),
        ),
        (
            json!({"liveAppDeletion": "Deny"}),
            "ValidatingAdmissionPolicyBinding/live-app-deletion",
            at("/spec/validationActions"),
            json!(["Deny", "Audit"]),
        ),
        (
            json!({"liveColorEdits": "Deny"}),
            "ValidatingAdmissionPolicyBinding/live-color-edits",
            at("/spec/validationActions"),
            json!(["Deny"]),
        ),
        (
            json!({"topologySpreadConstraints": [{"topologyKey": "zone"}]}),
            "Deployment",
            pod("/topologySpreadConstraints"),
            json!([{"topologyKey": "zone"}]),
        ),
    ]
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
    for values in [json!({}), everything(), json!({"watchNamespace": "shop", "crds": {"enabled": false}})] {
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

#[test]
fn does_one_namespace_mode_need_nothing_that_is_cluster_wide() {
    let objects = template(&json!({"watchNamespace": "shop", "crds": {"enabled": false}}));
    let cluster_wide: Vec<_> =
        objects.0.iter().filter(|object| object["metadata"]["namespace"].is_null()).collect();
    assert!(cluster_wide.is_empty(), "{cluster_wide:?}");
}
