//! Is the CRD in `crds/` the one that the types say, and does it fit everywhere?

use bluegreen_api::crd_yaml;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/bluegreen.dev_bluegreenapps.yaml");

#[test]
fn the_crd_is_up_to_date() {
    let kept = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        kept == crd_yaml().unwrap(),
        "the CRD has changed: run `cargo run -- crd > crds/bluegreen.dev_bluegreenapps.yaml`"
    );
}

#[test]
fn a_client_side_apply_keeps_the_crd_in_an_annotation() {
    let yaml = crd_yaml().unwrap();
    assert!(yaml.len() < 160_000, "{} bytes", yaml.len());
    let value: serde_json::Value = serde_yaml_ng::from_str(&yaml).unwrap();
    assert!(value.to_string().len() < 262_144 / 2);
}

#[test]
fn the_yaml_says_what_the_types_say() {
    let from_yaml: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition =
        serde_yaml_ng::from_str(&crd_yaml().unwrap()).unwrap();
    assert_eq!(from_yaml, bluegreen_api::crd().unwrap());
}

#[test]
fn nothing_unknown_is_preserved_and_nothing_is_nullable() {
    let yaml = crd_yaml().unwrap();
    // Only the pods of a check's Job: their whole schema would be larger than all the rest, and the API server checks them when
    // the Job is created.
    let preserved = yaml.matches("preserve-unknown-fields").count();
    assert_eq!(preserved, 2, "a pod of a check, and a container of it");
    for unwanted in ["nullable", "anyOf", "oneOf"] {
        assert!(!yaml.contains(unwanted), "{unwanted}");
    }
    assert!(!yaml.contains("{{"), "a Helm template would take it for its own");
}

/// A list without a bound could be as long as an object can hold.
#[test]
fn every_list_that_a_person_writes_has_a_bound() {
    fn unbounded(at: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
        if schema["type"] == "array" && schema["maxItems"].is_null() {
            found.push(at.to_owned());
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            unbounded(&format!("{at}.{name}"), schema, found);
        }
        for below in ["items", "additionalProperties"].into_iter().filter_map(|below| schema.get(below)) {
            unbounded(at, below, found);
        }
    }
    let crd = serde_json::to_value(bluegreen_api::crd().unwrap()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut found = Vec::new();
    unbounded("spec", schema, &mut found);
    assert_eq!(found, Vec::<String>::new());
    let env = |pointer: &str| schema.pointer(pointer).map(|env| env["maxItems"].clone());
    assert_eq!(env("/properties/blue/properties/env"), Some(256.into()), "a color's own bound stays");
}
