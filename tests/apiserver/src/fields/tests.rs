//! What a server-side apply keeps, takes and removes.

use serde_json::json;

use super::*;

fn deployment(containers: Value, labels: Value) -> Value {
    json!({ "metadata": { "labels": labels }, "spec": { "template": { "spec": { "containers": containers } } } })
}

#[test]
fn what_is_no_longer_declared_goes_unless_another_manager_owns_it() {
    let mut owners = Owners::default();
    let first = json!({ "metadata": { "labels": { "a": "1", "b": "2" } } });
    let object = owners.apply(Kind::Service, &Value::Null, "one", &first, false).unwrap();
    let object = owners
        .apply(Kind::Service, &object, "two", &json!({ "metadata": { "labels": { "b": "2" } } }), false)
        .unwrap();
    let object = owners.apply(Kind::Service, &object, "one", &json!({ "metadata": {} }), false).unwrap();
    assert_eq!(object["metadata"]["labels"], json!({ "b": "2" }));
}

#[test]
fn another_value_of_an_owned_field_is_a_conflict_unless_it_is_forced() {
    let mut owners = Owners::default();
    let with = |image: &str| deployment(json!([{ "name": "app", "image": image }]), json!({}));
    let object = owners.apply(Kind::Deployment, &Value::Null, "one", &with("v1"), false).unwrap();
    assert!(owners.apply(Kind::Deployment, &object, "two", &with("v2"), false).is_err());
    let object = owners.apply(Kind::Deployment, &object, "two", &with("v2"), true).unwrap();
    assert_eq!(object, with("v2"));
    let object = owners.apply(Kind::Deployment, &object, "one", &json!({}), false).unwrap();
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["image"], "v2", "it is the other's now");
}

#[test]
fn items_of_lists_are_merged_by_their_keys() {
    let mut owners = Owners::default();
    let ours = deployment(
        json!([{ "name": "app", "image": "v1", "env": [{ "name": "A", "value": "1" }] }]),
        json!({}),
    );
    let object = owners.apply(Kind::Deployment, &Value::Null, "one", &ours, false).unwrap();
    let mut injected = object.clone();
    injected["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "sidecar", "image": "s" }));
    owners.update(Kind::Deployment, "injector", &object, &injected);
    let ours = deployment(json!([{ "name": "app", "image": "v2" }]), json!({}));
    let object = owners.apply(Kind::Deployment, &injected, "one", &ours, true).unwrap();
    let containers = &object["spec"]["template"]["spec"]["containers"];
    assert_eq!(*containers, json!([{ "name": "app", "image": "v2" }, { "name": "sidecar", "image": "s" }]));
}

#[test]
fn a_selector_is_replaced_as_a_whole() {
    let mut owners = Owners::default();
    let with = |selector: Value| json!({ "spec": { "selector": selector } });
    let object = owners.apply(Kind::Service, &Value::Null, "one", &with(json!({ "a": "1" })), false).unwrap();
    let object = owners.apply(Kind::Service, &object, "one", &with(json!({ "b": "1" })), false).unwrap();
    assert_eq!(object, with(json!({ "b": "1" })));
}

#[test]
fn who_edits_a_field_owns_it() {
    let mut owners = Owners::default();
    let with = |value: &str| json!({ "metadata": { "annotations": { "a": value } } });
    let object = owners.apply(Kind::Service, &Value::Null, "one", &with("1"), false).unwrap();
    owners.update(Kind::Service, "kubectl", &object, &with("2"));
    let object = owners.apply(Kind::Service, &with("2"), "one", &json!({}), false).unwrap();
    assert_eq!(object, with("2"));
}
