//! `docs/bluegreenapp.schema.json`: the schema of the CRD as JSON Schema, for editors and for programs that check manifests.

use std::path::Path;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::generated::check;

/// What JSON Schema has no word for is left out, and what it says in another way is said so.
fn plain(openapi: &Value) -> Value {
    let Some(from) = openapi.as_object() else { return openapi.clone() };
    let mut to = Map::new();
    for (key, value) in from {
        match key.as_str() {
            "properties" => {
                let all = value.as_object().into_iter().flatten();
                let all: Map<_, _> = all.map(|(name, field)| (name.clone(), plain(field))).collect();
                to.insert(key.clone(), all.into());
            }
            "items" | "additionalProperties" => {
                to.insert(key.clone(), plain(value));
            }
            "allOf" | "anyOf" | "oneOf" => {
                let all: Vec<_> = value.as_array().into_iter().flatten().map(plain).collect();
                to.insert(key.clone(), all.into());
            }
            // Widths of numbers.
            "format" | "nullable" => {}
            key if key.starts_with("x-kubernetes-") => {}
            key => {
                to.insert(key.to_owned(), value.clone());
            }
        }
    }
    if from.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        to.insert("type".to_owned(), json!(["integer", "string"]));
    }
    // The API server refuses or drops what it does not know. An editor should say so.
    let is_closed = from.contains_key("properties")
        && !from.contains_key("additionalProperties")
        && from.get("x-kubernetes-preserve-unknown-fields") != Some(&Value::Bool(true));
    if is_closed {
        to.insert("additionalProperties".to_owned(), false.into());
    }
    to.into()
}

fn schema() -> Value {
    let crd = serde_json::to_value(bluegreen_api::crd().unwrap()).unwrap();
    let whole = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "BlueGreenApp",
        "description": whole["description"],
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": "bluegreen.dev/v1alpha1"},
            "kind": {"const": "BlueGreenApp"},
            "metadata": {"type": "object"},
            "spec": plain(&whole["properties"]["spec"]),
            "status": {"type": "object"},
        },
        "additionalProperties": false,
    })
}

#[test]
fn is_the_schema_for_editors_that_of_the_types() {
    check("docs/bluegreenapp.schema.json", &(serde_json::to_string_pretty(&schema()).unwrap() + "\n"));
}

/// The first field of a value that the schema does not know.
fn unknown(schema: &Value, value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            let here = format!("{path}.{name}");
            match schema["properties"].get(name) {
                Some(known) => unknown(known, field, &here),
                None if schema["additionalProperties"] == false => Some(here),
                None => unknown(&schema["additionalProperties"], field, &here),
            }
        }),
        Value::Array(items) => {
            items.iter().find_map(|item| unknown(&schema["items"], item, &format!("{path}[]")))
        }
        _ => None,
    }
}

#[test]
fn does_the_schema_know_every_field_of_the_examples_and_no_other() {
    let schema = schema();
    let mut apps = Vec::new();
    for folder in ["examples/apps", "config/samples"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let documents =
                serde_yaml_ng::Deserializer::from_str(&text).map(|part| Value::deserialize(part).unwrap());
            apps.extend(documents.filter(|object| object["kind"] == "BlueGreenApp"));
        }
    }
    assert!(apps.len() > 10, "{} apps", apps.len());
    for app in &apps {
        assert_eq!(unknown(&schema, app, ""), None, "{}", app["metadata"]["name"]);
    }
    let mut wrong = apps[0].clone();
    wrong["spec"]["service"]["nodePorts"] = json!(1);
    assert_eq!(unknown(&schema, &wrong, ""), Some(".spec.service.nodePorts".to_owned()));
}
