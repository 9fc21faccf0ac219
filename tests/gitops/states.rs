//! What was seen of each state on a real API server, as far as anybody judges by it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::root;
use crate::rows::rows;

const FILE: &str = "tests/gitops/states.yaml";

const HEAD: &str = "\
# An app in every state of tests/gitops/rows.rs, as the operator left it on a real API server: what is judged by, and no more.
# Written by `UPDATE_STATES=1 make gitops-test`, which otherwise compares.
";

/// The objects by the names of their states.
pub fn read() -> Result<BTreeMap<String, Value>> {
    let text = std::fs::read_to_string(root().join(FILE)).context("states.yaml")?;
    let mut states = BTreeMap::new();
    for document in serde_yaml_ng::Deserializer::from_str(&text) {
        let object = Value::deserialize(document)?;
        let name = object["metadata"]["name"].as_str().context("a name")?.to_owned();
        ensure!(states.insert(name.clone(), object).is_none(), "{name} is there twice");
    }
    Ok(states)
}

/// Without what differs from run to run, and without what nobody judges by.
pub fn essence(name: &str, object: &Value, namespace: &str) -> Value {
    let (spec, status) = (&object["spec"], &object["status"]);
    let asked: serde_json::Map<_, _> = ["active", "image", "blue", "green", "replicas", "port", "paused"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), spec.get(key)?.clone())))
        .filter(|(key, value)| key != "paused" || *value == true)
        .collect();
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let conditions: Vec<Value> = conditions.map(|c| condition(c, namespace)).collect();
    let mut seen = json!({"observedGeneration": status["observedGeneration"]});
    for key in ["active", "phase"] {
        if let Some(value) = status.get(key) {
            seen[key] = value.clone();
        }
    }
    if !conditions.is_empty() {
        seen["conditions"] = conditions.into();
    }
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {"name": name, "namespace": "shop", "generation": object["metadata"]["generation"]},
        "spec": asked,
        "status": seen,
    })
}

fn condition(condition: &Value, namespace: &str) -> Value {
    let mut condition = condition.clone();
    let message = condition["message"].as_str().unwrap_or_default().replace(namespace, "shop");
    condition["message"] = message.into();
    condition["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
    condition
}

/// What two looks at the same state must agree upon: numbers and names in messages may differ.
fn meaning(object: &Value) -> Value {
    let mut object = object.clone();
    for condition in object["status"]["conditions"].as_array_mut().into_iter().flatten() {
        condition["message"] = Value::Null;
    }
    object
}

/// Compares what was seen with what is written down, or writes it down.
pub fn keep(seen: &BTreeMap<String, Value>) -> Result<()> {
    if std::env::var("UPDATE_STATES").is_ok_and(|update| update == "1") {
        let mut text = HEAD.to_owned();
        let before = read().unwrap_or_default();
        for row in rows() {
            let object = seen.get(row.name).or_else(|| before.get(row.name));
            let object = object.with_context(|| format!("{} was not seen", row.name))?;
            text += &format!("---\n# {}\n{}", row.means, serde_yaml_ng::to_string(object)?);
        }
        return Ok(std::fs::write(root().join(FILE), text)?);
    }
    let written = read()?;
    for (name, object) in seen {
        let before = written.get(name).with_context(|| format!("{name} is not in {FILE}"))?;
        ensure!(meaning(before) == meaning(object), "{name} was\n{before:#}\nand is\n{object:#}");
    }
    Ok(())
}
