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

/// The apps among the examples, by the file and their name.
fn apps() -> Vec<(String, Value)> {
    let mut apps = Vec::new();
    for folder in ["examples/apps", "config/samples"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let documents =
                serde_yaml_ng::Deserializer::from_str(&text).map(|part| Value::deserialize(part).unwrap());
            let own = documents.filter(|object| object["kind"] == "BlueGreenApp");
            apps.extend(own.map(|app| (format!("{}: {}", path.display(), app["metadata"]["name"]), app)));
        }
    }
    apps
}

#[test]
fn does_the_schema_know_every_field_of_the_examples_and_no_other() {
    let schema = schema();
    let apps = apps();
    assert!(apps.len() > 10, "{} apps", apps.len());
    for (name, app) in &apps {
        assert_eq!(unknown(&schema, app, ""), None, "{name}");
    }
    let (_, mut wrong) = apps[0].clone();
    wrong["spec"]["service"]["nodePorts"] = json!(1);
    assert_eq!(unknown(&schema, &wrong, ""), Some(".spec.service.nodePorts".to_owned()));
}

/// What a validator that was not written here says, of the file as it stands in the repository.
#[test]
fn does_a_validator_take_every_example_by_the_schema_and_no_bad_one() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bluegreenapp.schema.json"))
            .unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    // A schema that is no schema of draft 7 is refused here.
    compiler.add_resource("app.json", serde_json::from_str(&text).unwrap()).unwrap();
    let schema = compiler.compile("app.json", &mut schemas).unwrap();
    let apps = apps();
    for (name, app) in &apps {
        let said = schemas.validate(app, schema).map_err(|error| error.to_string());
        assert_eq!(said, Ok(()), "{name}");
    }
    let (_, good) = apps.into_iter().find(|(name, _)| name.contains("config/samples/hello.yaml")).unwrap();
    type Break = fn(&mut Value);
    let bad: [(&str, Break); 9] = [
        ("a typing error", |app| app["spec"]["service"]["nodePorts"] = json!(1)),
        ("a color that does not exist", |app| app["spec"]["active"] = json!("red")),
        ("no image", |app| drop(app["spec"].as_object_mut().unwrap().remove("image"))),
        ("a text for a number", |app| app["spec"]["port"] = json!("8888")),
        ("a number beyond its bound", |app| app["spec"]["port"] = json!(65536)),
        ("fewer pods than none", |app| app["spec"]["replicas"] = json!(-1)),
        ("another kind", |app| app["kind"] = json!("Deployment")),
        ("another version", |app| app["apiVersion"] = json!("bluegreen.dev/v9")),
        ("no spec", |app| drop(app.as_object_mut().unwrap().remove("spec"))),
    ];
    assert!(schemas.validate(&good, schema).is_ok());
    for (what, edit) in bad {
        let mut app = good.clone();
        edit(&mut app);
        assert!(schemas.validate(&app, schema).is_err(), "{what}: {app}");
    }
}
