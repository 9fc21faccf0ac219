//! Is every bad input refused, with a message that names the field and the remedy, and every good one
//! accepted?

use bluegreen_api::{BlueGreenApp, BlueGreenAppSpec, KeyedList, crd};
use bluegreen_core::validate::problems;
use k8s_openapi::DeepMerge;
use serde_json::{Value, json};

#[path = "../e2e/input/case.rs"]
mod case;

use case::{Case, cases};

const SMALLEST: &str = include_str!("../golden_smallest.yaml");

fn smallest() -> Value {
    serde_yaml_ng::from_str(SMALLEST).unwrap()
}

fn spec_with(patch: &Value) -> BlueGreenAppSpec {
    let mut spec = smallest()["spec"].take();
    if !patch.is_null() {
        spec.merge_from(patch.clone());
    }
    serde_json::from_value(spec).unwrap()
}

#[test]
fn bad_input_is_refused_with_a_message_that_names_the_field() {
    let cases = cases().unwrap();
    assert!(cases.len() >= 80);
    let crd = serde_json::to_string(&crd().unwrap()).unwrap();
    for Case { case, name, patch, field, says, schema } in cases {
        let found = problems(name.as_deref().unwrap_or("hello"), &spec_with(&patch));
        let [problem] = found.as_slice() else { panic!("{case}: exactly one problem, not {found:#?}") };
        assert_eq!(problem.field, field, "{case}");
        assert!(problem.message.contains(&says), "{case}: {}", problem.message);
        // The API server says it in the same words, or the schema's bounds say "should be …" there too.
        let quoted = serde_json::to_string(&problem.message).unwrap();
        assert!(
            schema || problem.message.starts_with("should ") || crd.contains(&quoted),
            "{case}: the CRD does not say `{}`",
            problem.message
        );
        assert!(!problem.message.contains('\n'), "{case}: the API server wants one line");
    }
}

/// A variable takes much more memory than its text: in one container or in many, there may be only so many.
#[test]
fn the_variables_of_all_containers_are_bounded_together() {
    let spread = |init: usize, variables: usize| {
        let env: Vec<Value> = (0..variables).map(|number| json!({"name": format!("A{number}")})).collect();
        let container = |number: usize| json!({"name": format!("c{number}"), "image": "i", "env": env});
        let (inits, app) =
            ((1..=init).map(container).collect::<Vec<_>>(), json!({"name": "app", "env": env}));
        problems(
            "hello",
            &spec_with(&json!({"template": {"spec": {"containers": [app], "initContainers": inits}}})),
        )
    };
    assert_eq!(spread(1, 1024), []);
    let found = spread(2, 700);
    let [problem] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(problem.field, "spec.template");
    assert!(problem.message.contains("`envFrom`"), "{}", problem.message);
    let quoted = serde_json::to_string(&problem.message).unwrap();
    assert!(serde_json::to_string(&crd().unwrap()).unwrap().contains(&quoted));
}

#[test]
fn every_list_of_a_pod_that_is_merged_by_item_is_tried_with_an_item_twice() {
    let cases = cases().unwrap();
    let indices = |field: &str| field.replace("[0]", "");
    let tried: Vec<_> =
        cases.iter().filter(|c| c.says == "is there twice").map(|c| indices(&c.field)).collect();
    // Another rule refuses ephemeral containers.
    let pods = KeyedList::ALL
        .iter()
        .map(|list| list.path)
        .filter(|path| path.starts_with("spec.template.spec.") && !path.contains("ephemeralContainers"));
    let untried: Vec<_> = pods.filter(|path| !tried.iter().any(|field| field == path)).collect();
    assert!(untried.is_empty(), "tests/golden_rules.yaml has no case for {untried:?}");
}

#[test]
fn good_input_is_accepted() {
    let patches: Vec<Value> = serde_yaml_ng::from_str(include_str!("../golden_accepted.yaml")).unwrap();
    for patch in patches {
        assert_eq!(problems("hello", &spec_with(&patch)), [], "{patch}");
    }
}

#[test]
fn names_that_children_can_be_made_of_are_accepted() {
    for name in ["a", "hello", "a-b-c", "blue", "hello-blue-x", &"a".repeat(55)] {
        assert_eq!(problems(name, &spec_with(&Value::Null)), [], "{name}");
    }
}

#[test]
fn the_smallest_manifest_gets_every_default() {
    let app: BlueGreenApp = serde_yaml_ng::from_str(SMALLEST).unwrap();
    insta::assert_yaml_snapshot!(app.spec);
}
