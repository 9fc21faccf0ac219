//! What is in the pods although nobody declares it and nobody owns it.
//!
//! Kubernetes notes who owns which field before its admission plug-ins change the request, so what a plug-in adds to a request has
//! no owner, like a default of the API server. A server-side apply removes only what its manager owned before. So whatever a
//! plug-in has added would stay after the plug-in is gone, unless the operator owned it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::fields::{DEPTH, Lists};
use bluegreen_api::KeyedList;

/// The fields of a pod template that the API server sets where they are not declared. To own them as well would do no harm, and
/// would cost each revision one request more.
const DEFAULTS: [&str; 27] = [
    "apiVersion",
    "creationTimestamp",
    "defaultMode",
    "deprecatedServiceAccount",
    "divisor",
    "dnsPolicy",
    "expirationSeconds",
    "failureThreshold",
    "hostPort",
    "imagePullPolicy",
    "initialDelaySeconds",
    "nodeAffinityPolicy",
    "nodeTaintsPolicy",
    "path",
    "periodSeconds",
    "protocol",
    "pullPolicy",
    "restartPolicy",
    "schedulerName",
    "scheme",
    "serviceAccount",
    "successThreshold",
    "terminationGracePeriodSeconds",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "timeoutSeconds",
    "type",
];

/// The fields that the API server sets to an empty object.
const EMPTY_DEFAULTS: [&str; 2] = ["resources", "securityContext"];

/// Returns the field set of what is there and in none of the owned fields; `None` if that is nothing but defaults.
///
/// `owned` is a field set of `live`. The set names only the topmost field of each part that nobody owns.
pub(super) fn unowned(owned: &Value, live: &Value) -> Option<Value> {
    let found = within(&mut Lists::default(), "", owned, live, DEPTH);
    (!found.is_empty()).then_some(Value::Object(found))
}

fn within<'a>(
    lists: &mut Lists<'a>,
    name: &str,
    owned: &Value,
    live: &'a Value,
    depth: usize,
) -> Map<String, Value> {
    let mut found = Map::new();
    let Some(depth) = depth.checked_sub(1) else { return found };
    // An empty set is a field that is owned as a whole.
    let Some(owned) = owned.as_object().filter(|owned| !owned.is_empty()) else { return found };
    let mut look =
        |lists: &mut Lists<'a>, step: String, name: &str, inner: Option<&Value>, live: &'a Value| match inner
        {
            Some(inner) => {
                let inner = within(lists, name, inner, live, depth);
                if !inner.is_empty() {
                    found.insert(step, Value::Object(inner));
                }
            }
            None if is_default(name, live) => {}
            None => _ = found.insert(step, json!({})),
        };
    match live {
        Value::Object(fields) => {
            for (name, value) in fields {
                let step = format!("f:{name}");
                let inner = owned.get(&step);
                look(lists, step, name, inner, value);
            }
        }
        Value::Array(items) => {
            let Some(list) = KeyedList::named(name, items) else { return found };
            let mut by_item = HashMap::new();
            for (step, inner) in owned {
                if let Some(item) = lists.find(step, live) {
                    by_item.insert(std::ptr::from_ref(item), inner);
                }
            }
            for item in items {
                let inner = by_item.get(&std::ptr::from_ref(item)).copied();
                look(lists, step_to(list, item), "", inner, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

fn is_default(name: &str, live: &Value) -> bool {
    let is_empty = live.as_object().is_some_and(Map::is_empty);
    live.is_null() || DEFAULTS.contains(&name) || (is_empty && EMPTY_DEFAULTS.contains(&name))
}

/// The step of a field set to this item of a list.
fn step_to(list: &KeyedList, item: &Value) -> String {
    let value = |(key, default): &(&str, &str)| {
        let value = item.get(key).filter(|value| !value.is_null()).cloned().unwrap_or_else(|| json!(default));
        ((*key).to_owned(), value)
    };
    let keys: Map<String, Value> = list.keys.iter().map(value).collect();
    format!("k:{}", Value::Object(keys))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plug_in_has_added_is_found_and_what_is_declared_or_a_default_is_not() {
        let owned = json!({
            "f:metadata": { "f:labels": { "f:app": {} } },
            "f:spec": {
                "f:containers": { r#"k:{"name":"app"}"#: {
                    ".": {}, "f:name": {}, "f:image": {},
                    "f:env": { r#"k:{"name":"A"}"#: { ".": {}, "f:name": {}, "f:valueFrom": { "f:secretKeyRef": {} } } },
                    "f:ports": { r#"k:{"containerPort":80,"protocol":"TCP"}"#: { ".": {}, "f:containerPort": {} } },
                } },
                "f:tolerations": {},
            },
        });
        let secret = json!({ "name": "A", "valueFrom": { "secretKeyRef": { "name": "a", "key": "a" } } });
        let mut live = json!({
            "metadata": { "creationTimestamp": null, "labels": { "app": "hello" } },
            "spec": {
                "containers": [{
                    "name": "app", "image": "a", "imagePullPolicy": "Always", "resources": {}, "env": [secret],
                    "ports": [{ "containerPort": 80, "protocol": "TCP" }],
                }],
                "dnsPolicy": "ClusterFirst", "securityContext": {}, "tolerations": [{ "key": "a", "operator": "Exists" }],
            },
        });
        assert_eq!(unowned(&owned, &live), None);

        live["metadata"]["labels"]["traced"] = json!("on");
        let container = &mut live["spec"]["containers"][0];
        container["env"].as_array_mut().unwrap().push(json!({ "name": "B", "value": "1" }));
        container["ports"]
            .as_array_mut()
            .unwrap()
            .insert(0, json!({ "containerPort": 81, "protocol": "UDP" }));
        container["resources"] = json!({ "limits": { "cpu": "1" } });
        live["spec"]["containers"].as_array_mut().unwrap().push(json!({ "name": "agent", "image": "b" }));
        live["spec"]["volumes"] = json!([{ "name": "agent", "emptyDir": {} }]);
        let expected = json!({
            "f:metadata": { "f:labels": { "f:traced": {} } },
            "f:spec": {
                "f:containers": {
                    r#"k:{"name":"agent"}"#: {},
                    r#"k:{"name":"app"}"#: {
                        "f:env": { r#"k:{"name":"B"}"#: {} },
                        "f:ports": { r#"k:{"containerPort":81,"protocol":"UDP"}"#: {} },
                        "f:resources": {},
                    },
                },
                "f:volumes": {},
            },
        });
        assert_eq!(unowned(&owned, &live), Some(expected));
    }

    #[test]
    fn field_sets_of_any_shape_are_read_without_harm() {
        let mut deep = (json!({}), json!(1));
        for _ in 0..500 {
            deep = (json!({ "f:a": deep.0 }), json!({ "a": deep.1, "b": 1 }));
        }
        assert!(unowned(&deep.0, &deep.1).is_some());
        for owned in [json!(null), json!([1]), json!({}), json!({ "k:{": {}, "": [] })] {
            unowned(&owned, &json!({ "containers": [1, null] }));
        }
    }
}
