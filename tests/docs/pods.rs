//! Does `docs/pods.md` say of the operator what it adds to the pods of an app, and no more?

use std::collections::BTreeSet;

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::desired::{Stored, deployment, render};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::blocks::{Way, blocks};
use crate::document;

/// The app whose manifest is on the page.
fn app(page: &str) -> Value {
    let file = Some(Way::File("shop.yaml".to_owned()));
    let block = blocks(page).into_iter().find(|block| block.way == file).unwrap();
    let mut objects =
        serde_yaml_ng::Deserializer::from_str(&block.text).map(|part| Value::deserialize(part).unwrap());
    objects.find(|object| object["kind"] == "BlueGreenApp").unwrap()
}

/// The fields and the named entries of lists that are in `made` and not, or not so, in `given`.
fn more(given: &Value, made: &Value, name: &str, found: &mut BTreeSet<String>) {
    match (given, made) {
        (Value::Object(given), Value::Object(made)) => {
            for (key, value) in made {
                match given.get(key) {
                    Some(own) => more(own, value, key, found),
                    None => _ = found.insert(key.clone()),
                }
            }
        }
        (Value::Array(given), Value::Array(made)) if made.iter().all(|entry| entry["name"].is_string()) => {
            for entry in made {
                match given.iter().find(|own| own["name"] == entry["name"]) {
                    Some(own) => more(own, entry, name, found),
                    None => _ = found.insert(entry["name"].as_str().unwrap().to_owned()),
                }
            }
        }
        _ if given == made => {}
        _ => _ = found.insert(name.to_owned()),
    }
}

/// What the operator adds to the pods of green, by the words that the page has for it.
fn added(object: &Value) -> BTreeSet<String> {
    let app: BlueGreenApp = serde_json::from_value(object.clone()).unwrap();
    let rendered = render(&app, Color::Green).unwrap();
    let made = deployment(&app, Color::Green, &Stored { number: 1, rendered }, 2, "lease.1.1");
    let (given, made) = (&object["spec"]["template"], &made["spec"]["template"]);
    let mut found = BTreeSet::new();
    more(given, made, "", &mut found);
    // The API server sets it to the same name by itself.
    found.remove("serviceAccount");
    let own: Vec<_> = object["spec"]["green"]["env"].as_array().into_iter().flatten().collect();
    let word = |name: String| match name.as_str() {
        _ if own.iter().any(|variable| variable["name"] == *name) => "env".to_owned(),
        "ports" => "spec.portName".to_owned(),
        "lifecycle" => "preStop".to_owned(),
        _ if name.starts_with("BLUEGREEN_") => "BLUEGREEN_…".to_owned(),
        _ => name,
    };
    found.into_iter().map(word).collect()
}

#[test]
fn the_page_says_what_the_operator_adds_to_pods_and_when_it_does_not() {
    let page = document("pods.md");
    let (_, section) = page.split_once("\n## What the operator adds\n").unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
    let rows: Vec<_> = rows.skip(1).filter_map(|row| row.split_once(" | ")).collect();
    assert!(rows.len() > 5, "{rows:?}");
    // What the page has in code style and is not the name of anything that is added.
    let other = ["app", "http", "spec.port", "drainSeconds"];
    let told = |of: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        let rows = rows.iter().filter(|(_, unless)| of(unless.trim_end_matches('|').trim()));
        let code = rows.flat_map(|(what, _)| what.split('`').skip(1).step_by(2));
        code.filter(|code| !other.contains(code)).map(str::to_owned).collect()
    };

    let mut app = app(&page);
    assert_eq!(added(&app), told(&|_| true));

    // A template that has all of it already: what the page has an "unless" for is left as it is.
    app["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] = json!("other");
    let pods = &mut app["spec"]["template"]["spec"];
    pods["terminationGracePeriodSeconds"] = json!(99);
    let container = &mut pods["containers"][0];
    container["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 7}}});
    container["env"].as_array_mut().unwrap().push(json!({"name": "BLUEGREEN_TAG", "value": "own"}));
    let unless = told(&|unless| !unless.is_empty());
    let still: Vec<_> = added(&app).into_iter().filter(|name| unless.contains(name)).collect();
    assert_eq!(still, ["bluegreen.dev/app", "bluegreen.dev/color", "bluegreen.dev/revision"]);
}
