//! Does `lint` say of every input what the API server says? `cargo test -p bluegreen-suites --test e2e input` asks the
//! API server about the same two tables.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use k8s_openapi::DeepMerge;
use kubectl_bluegreen::lint::check;
use serde_json::Value;

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
