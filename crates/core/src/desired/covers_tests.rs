//! Tests of what counts as a difference, and what does not.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn path(declared: &Value, live: &Value) -> Option<String> {
    covers(declared, live).err().map(|difference| difference.path)
}

#[test]
fn what_the_api_server_adds_or_rewrites_is_no_difference() {
    for (declared, live) in [
        // Defaults and fields of others.
        (json!({"spec": {"replicas": 3}}), json!({"spec": {"replicas": 3, "paused": false}, "status": {}})),
        (
            json!({"metadata": {"labels": {"a": "b"}}}),
            json!({"metadata": {"labels": {"a": "b", "c": "d"}, "uid": "x"}}),
        ),
        // Empty values that Go leaves out.
        (json!({"spec": {"minReadySeconds": 0}}), json!({"spec": {}})),
        (json!({"spec": {"hostNetwork": false}}), json!({"spec": {}})),
        (json!({"env": [{"name": "A", "value": ""}]}), json!({"env": [{"name": "A"}]})),
        (json!({"labels": {}, "args": [], "x": null}), json!({})),
        (json!({"containers": [{"name": "app", "tty": false}]}), json!({"containers": [{"name": "app"}]})),
        // Zeros that the API server replaces by a default.
        (json!({"httpGet": {"path": "", "scheme": ""}}), json!({"httpGet": {"path": "/", "scheme": "HTTP"}})),
        (
            json!({"livenessProbe": {"periodSeconds": 0, "timeoutSeconds": 0, "failureThreshold": 0}}),
            json!({"livenessProbe": {"periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3}}),
        ),
        (json!({"dnsPolicy": "", "x": ""}), json!({"dnsPolicy": "ClusterFirst"})),
        (
            json!({"ports": [{"containerPort": 1, "protocol": ""}]}),
            json!({"ports": [{"containerPort": 1, "protocol": "TCP"}]}),
        ),
        // Quantities.
        (
            json!({"resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": 1}}}),
            json!({"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "1"}}}),
        ),
        (json!({"emptyDir": {"sizeLimit": "1024Ki"}}), json!({"emptyDir": {"sizeLimit": "1Mi"}})),
        (json!({"requests": {"cpu": "100u"}}), json!({"requests": {"cpu": "1m"}})),
        // Lists by key: order and items of others.
        (
            json!({"containers": [{"name": "b"}, {"name": "a", "image": "x"}]}),
            json!({"containers": [{"name": "a", "image": "x"}, {"name": "c"}, {"name": "b"}]}),
        ),
        (
            json!({"ports": [{"containerPort": 1, "name": "http"}]}),
            json!({"ports": [{"containerPort": 1, "protocol": "UDP"}, {"containerPort": 1, "name": "http", "protocol": "TCP"}]}),
        ),
        (
            json!({"ports": [{"port": 80, "targetPort": "http"}]}),
            json!({"ports": [{"port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30007}]}),
        ),
        (
            json!({"ownerReferences": [{"uid": "1"}]}),
            json!({"ownerReferences": [{"uid": "2"}, {"uid": "1"}]}),
        ),
        // Defaults in the items of lists that have no key.
        (json!({"tolerations": [{"key": "a"}]}), json!({"tolerations": [{"key": "a", "operator": "Equal"}]})),
        (json!({"a": 1}), json!({"a": 1.0})),
        (json!({"apiVersion": "v1", "kind": "Service"}), json!({})),
    ] {
        assert_eq!(covers(&declared, &live), Ok(()), "{declared} in {live}");
    }
}

#[test]
fn what_somebody_changed_is_a_difference() {
    let edits = [
        (json!({"spec": {"replicas": 3}}), json!({"spec": {"replicas": 2}}), ".replicas"),
        (json!({"spec": {"replicas": 0}}), json!({"spec": {}}), ".replicas"),
        (json!({"spec": {"replicas": 3}}), json!({}), "spec"),
        // An explicit false or zero in a field for which absent means something else.
        (
            json!({"securityContext": {"allowPrivilegeEscalation": false}}),
            json!({"securityContext": {}}),
            ".allowPrivilegeEscalation",
        ),
        (json!({"securityContext": {"runAsUser": 0}}), json!({"securityContext": {}}), ".runAsUser"),
        (
            json!({"spec": {"automountServiceAccountToken": false}}),
            json!({"spec": {}}),
            ".automountServiceAccountToken",
        ),
        (json!({"spec": {"storageClassName": ""}}), json!({"spec": {}}), ".storageClassName"),
        // A volume whose source was replaced by another.
        (
            json!({"volumes": [{"name": "x", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "x", "configMap": {}}]}),
            "[x].emptyDir",
        ),
        (
            json!({"resources": {"limits": {"cpu": "0.5"}}}),
            json!({"resources": {"limits": {"cpu": "501m"}}}),
            ".limits.cpu",
        ),
        (json!({"resources": {"limits": {"cpu": "1"}}}), json!({"resources": {}}), ".limits"),
        (
            json!({"containers": [{"name": "app", "image": "a:1"}]}),
            json!({"containers": [{"name": "app", "image": "a:2"}]}),
            "[app].image",
        ),
        (json!({"containers": [{"name": "app"}]}), json!({"containers": [{"name": "x"}]}), "containers[app]"),
        (json!({"args": ["a", "b"]}), json!({"args": ["b", "a"]}), "args[0]"),
        (json!({"args": ["a"]}), json!({"args": ["a", "b"]}), "args"),
        // A live value that is not the default for the zero, and a zero that has no default.
        (json!({"httpGet": {"path": ""}}), json!({"httpGet": {"path": "/healthz"}}), ".path"),
        (
            json!({"readinessProbe": {"periodSeconds": 0}}),
            json!({"readinessProbe": {"periodSeconds": 5}}),
            "Seconds",
        ),
        (
            json!({"env": [{"name": "A", "value": ""}]}),
            json!({"env": [{"name": "A", "value": "x"}]}),
            ".value",
        ),
        // Without a value, an entry of a map is there.
        (
            json!({"nodeSelector": {"gpu": "", "zone": "a"}}),
            json!({"nodeSelector": {"zone": "a"}}),
            "nodeSelector.gpu",
        ),
        (json!({"labels": {"a": ""}}), json!({"labels": {}}), "labels.a"),
        // An additional key makes a selector narrower.
        (json!({"selector": {"a": "b"}}), json!({"selector": {"a": "b", "c": "d"}}), "selector.c"),
        (json!({"selector": {"a": "b"}}), json!({"selector": {"a": "c"}}), "selector.a"),
        (
            json!({"labelSelector": {"matchLabels": {"a": "b"}}}),
            json!({"labelSelector": {"matchLabels": {"a": "b", "c": "d"}}}),
            "matchLabels.c",
        ),
        (
            json!({"ports": [{"containerPort": 1}]}),
            json!({"ports": [{"containerPort": 1, "protocol": "UDP"}]}),
            "ports[1/TCP]",
        ),
        (json!({"a": "1"}), json!({"a": 1}), "a"),
        (json!({"kind": "Service"}), json!({"kind": "Pod"}), "kind"),
    ];
    for (declared, live, ends) in edits {
        let found = path(&declared, &live);
        assert!(found.as_deref().is_some_and(|path| path.ends_with(ends)), "{declared} in {live}: {found:?}");
    }
}

#[test]
fn a_difference_says_where_and_what() {
    let declared = json!({"spec": {"template": {"containers": [{"name": "app", "image": "a:1"}]}}});
    let live = json!({"spec": {"template": {"containers": [{"name": "app", "image": "a:2"}]}}});
    let difference = covers(&declared, &live).unwrap_err();
    assert_eq!(difference.to_string(), r#"spec.template.containers[app].image: should be "a:1", is "a:2""#);
}

/// JSON with keys that mean something to the comparison.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5_i64..5).prop_map(Value::from),
        "[a-c1m]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let key = prop_oneof![
            Just("containers"),
            Just("env"),
            Just("ports"),
            Just("limits"),
            Just("selector"),
            Just("name"),
            Just("containerPort"),
            Just("sizeLimit"),
            Just("args"),
            Just("labels"),
            Just("hostPort"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Without lists in which two items have the same key, which no API server accepts.
fn keys_are_unique(key: &str, value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().all(|(key, value)| keys_are_unique(key, value)),
        Value::Array(items) => {
            let distinct = KeyedList::named(key, items).is_none_or(|list| {
                let ids: std::collections::BTreeSet<_> =
                    items.iter().map(|item| list.identity(item)).collect();
                ids.len() == items.len()
            });
            distinct && items.iter().all(|item| keys_are_unique("", item))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_covers_itself(value in any_json().prop_filter("unique", |value| keys_are_unique("", value))) {
        prop_assert_eq!(covers(&value, &value), Ok(()));
    }

    #[test]
    fn what_is_added_at_the_top_never_matters(value in any_json().prop_filter("unique", |value| keys_are_unique("", value))) {
        let mut more = json!({"spec": value, "status": {"x": 1}});
        more["metadata"] = json!({"uid": "1"});
        prop_assert_eq!(covers(&json!({"spec": value}), &more), Ok(()));
    }

    #[test]
    fn any_two_values_can_be_compared(one in any_json(), other in any_json()) {
        let _ = covers(&one, &other);
    }
}
