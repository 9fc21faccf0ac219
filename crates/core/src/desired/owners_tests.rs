use serde_json::json;

use super::*;

/// Entries of managedFields, from manager, operation and `f:spec`.
fn entries(all: &[(&str, &str, Value)]) -> Vec<ManagedFieldsEntry> {
    let entry = |(manager, operation, spec): &(&str, &str, Value)| {
        json!({ "manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
            "fieldsV1": { "f:spec": spec } })
    };
    serde_json::from_value(all.iter().map(entry).collect()).unwrap()
}

/// The field set of the variables of the container `app`.
fn env(names: &[&str]) -> Value {
    let mut env = Map::new();
    for name in names {
        env.insert(format!(r#"k:{{"name":"{name}"}}"#), json!({ ".": {}, "f:name": {}, "f:value": {} }));
    }
    json!({ "f:template": { "f:spec": { "f:containers": { r#"k:{"name":"app"}"#: { "f:env": env } } } } })
}

fn pods(names: &[&str]) -> Value {
    let env: Vec<Value> = names.iter().map(|name| json!({ "name": name, "value": "1" })).collect();
    json!({ "spec": { "replicas": 2, "template": { "spec": { "containers": [{ "name": "app", "env": env }] } } } })
}

fn added(entries: &[ManagedFieldsEntry], declared: &Value, live: &Value) -> Option<(String, String)> {
    addition(entries, Place::Template, declared, live).map(|(difference, manager)| (difference.path, manager))
}

#[test]
fn what_another_manager_owns_and_nobody_declares_is_an_addition() {
    let (declared, live) = (pods(&["A"]), pods(&["A", "B"]));
    let of = |manager, owned: &[&str]| added(&entries(&[(manager, "Update", env(owned))]), &declared, &live);
    let path = "spec.template.spec.containers[app].env[B]".to_owned();
    assert_eq!(of("kubectl-set", &["A", "B"]), Some((path, "kubectl-set".into())));
    assert_eq!(of("kubectl-set", &["A"]), None, "it is declared");
    assert_eq!(of("kubectl-set", &["C"]), None, "it is not there");
    assert_eq!(of("bluegreen-operator", &["B"]), None, "it is our own");
    assert_eq!(added(&[], &declared, &live), None, "a default has no owner");
}

/// A list that has no keys belongs as a whole to whoever changes anything in it.
#[test]
fn what_another_manager_writes_into_a_list_without_keys_is_an_addition() {
    let tolerations = |effect: Value| {
        let toleration = json!({ "key": "gpu", "operator": "Exists", "effect": effect });
        json!({ "spec": { "template": { "spec": { "tolerations": [toleration] } } } })
    };
    let owned = json!({ "f:template": { "f:spec": { "f:tolerations": {} } } });
    let (declared, live) = (tolerations(Value::Null), tolerations(json!("NoExecute")));
    let path = "spec.template.spec.tolerations".to_owned();
    let edit = ("kubectl-edit", "Update", owned.clone());
    assert_eq!(
        added(&entries(std::slice::from_ref(&edit)), &declared, &live),
        Some((path, "kubectl-edit".into()))
    );
    let ours = ("bluegreen-operator", "Apply", owned);
    assert_eq!(added(&entries(&[ours, edit]), &declared, &live), None, "both wrote the same");
}

#[test]
fn a_restart_by_hand_and_an_allocated_port_are_no_additions() {
    let key = format!("f:{RESTARTED_AT}");
    let restart = json!({ "f:template": { "f:metadata": { "f:annotations": { ".": {}, (key): {} } } } });
    let rollout = entries(&[("kubectl-rollout", "Update", restart)]);
    let mut live = pods(&[]);
    live["spec"]["template"]["metadata"] = json!({ "annotations": { (RESTARTED_AT): "now" } });
    assert_eq!(added(&rollout, &pods(&[]), &live), None);
    assert_eq!(take_over(&rollout, Place::Template, "apps/v1", false), None, "it stays for this revision");
    assert!(take_over(&rollout, Place::Template, "apps/v1", true).is_some(), "and ends with it");

    let ports = |number: i64| {
        json!({ "f:ports": { format!(r#"k:{{"port":{number},"protocol":"TCP"}}"#): {
        ".": {}, "f:nodePort": {}, "f:port": {} } } })
    };
    let (declared, live) = (
        json!({ "spec": { "ports": [{ "port": 80 }] } }),
        json!({ "spec": { "ports": [{ "port": 80, "protocol": "TCP", "nodePort": 30080 }, { "port": 81, "protocol": "TCP" }] } }),
    );
    let of =
        |number| addition(&entries(&[("kubectl", "Update", ports(number))]), Place::Ports, &declared, &live);
    assert_eq!(of(80), None);
    assert_eq!(of(81).map(|(difference, _)| difference.path), Some("spec.ports[81/TCP]".to_owned()));
}

/// Only so does an apply that does not declare a variable remove it.
#[test]
fn a_takeover_gives_the_operator_what_the_others_owned_and_leaves_them_the_rest() {
    let mut restored = env(&["A", "B"]);
    restored["f:replicas"] = json!({});
    let before = entries(&[
        ("bluegreen-operator", "Apply", env(&["A"])),
        ("velero", "Update", restored),
        ("kubectl-set", "Update", env(&["C"])),
    ]);
    let after = take_over(&before, Place::Template, "apps/v1", false).unwrap();
    let expected = entries(&[
        ("bluegreen-operator", "Apply", env(&["A", "B", "C"])),
        ("velero", "Update", json!({ "f:replicas": {} })),
    ]);
    assert_eq!(after, expected);
    assert_eq!(take_over(&after, Place::Template, "apps/v1", false), None);
    // A restored object does not even name the operator.
    let lost = take_over(&entries(&[("velero", "Update", env(&["B"]))]), Place::Template, "apps/v1", false);
    assert_eq!(lost.unwrap(), entries(&[("bluegreen-operator", "Apply", env(&["B"]))]));
}

#[test]
fn the_owner_of_a_field_is_found_by_its_path() {
    let by = entries(&[
        ("bluegreen-operator", "Apply", env(&["A"])),
        ("kubectl-set", "Update", env(&["B"])),
        ("hpa", "Update", json!({ "f:replicas": {}, "f:selector": {} })),
    ]);
    for (path, manager) in [
        ("spec.template.spec.containers[app].env[B].value", Some("kubectl-set")),
        ("spec.template.spec.containers[app].env", Some("kubectl-set")),
        ("spec.template.spec.containers[app].env[A].value", None),
        ("spec.replicas", Some("hpa")),
        ("spec.replicasX", None),
        ("spec.selector.app", Some("hpa")),
        ("metadata", None),
    ] {
        assert_eq!(owner(&by, path).as_deref(), manager, "{path}");
    }
    assert!(owns(&by, "spec.template") && !owns(&by, "spec.replicas"));
}

#[test]
fn owners_of_any_shape_are_read_without_harm() {
    let mut deep = json!({});
    for _ in 0..500 {
        deep = json!({ "f:spec": deep });
    }
    for fields in [deep, json!([1]), json!("f:spec"), json!({ "k:{": {}, "v:": 1, ":": [], "f": {} })] {
        let all = entries(&[("x", "Update", json!({ "f:template": fields, "f:ports": null }))]);
        for place in [Place::Template, Place::Ports] {
            addition(&all, place, &pods(&[]), &pods(&["A"]));
            take_over(&all, place, "apps/v1", false);
        }
        owner(&all, "spec.template.spec");
    }
}

#[test]
fn only_owners_who_matter_are_kept() {
    let kept = |mut all: Option<Vec<ManagedFieldsEntry>>| {
        keep_foreign(&mut all);
        all.map(|all| all.len())
    };
    let usual =
        [("bluegreen-operator", "Apply", env(&["A"])), ("hpa", "Update", json!({ "f:replicas": {} }))];
    assert_eq!(kept(Some(entries(&usual))), None);
    assert_eq!(kept(None), None);
    let edited = [
        ("bluegreen-operator", "Apply", env(&["A"])),
        ("bluegreen-operator", "Update", env(&[])),
        ("hpa", "Update", json!({ "f:replicas": {} })),
        ("kubectl-set", "Update", env(&["B"])),
    ];
    assert_eq!(kept(Some(entries(&edited))), Some(2), "the operator's own tells what it still owns");
}
