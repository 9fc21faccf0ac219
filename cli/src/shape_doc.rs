//! `docs/cli-output.md` and `docs/cli-output.schema.json`, from the types of [`shape`](crate::shape).

use std::fmt::Write as _;

use serde_json::Value;

use crate::shape::{API_VERSION, Described, all, schema};

/// `docs/cli-output.md`.
#[must_use]
pub fn markdown() -> String {
    let (kinds, definitions) = all();
    let mut text = INTRODUCTION.replace("API_VERSION", API_VERSION);
    for Described { kind, commands, schema: _ } in &kinds {
        // Infallible for a String.
        let _ = writeln!(text, "| {commands} | [`{kind}`](#{}) |", kind.to_lowercase());
    }
    for Described { kind, schema, .. } in &kinds {
        let _ = write!(text, "\n## {kind}\n\n");
        section(&mut text, schema);
    }
    text.push_str("\n## Parts of these objects\n");
    let parts = definitions.as_object().into_iter().flatten();
    for (name, schema) in parts.filter(|(name, _)| !is_time(name)) {
        let _ = write!(text, "\n### {name}\n\n");
        section(&mut text, schema);
    }
    text
}

/// `docs/cli-output.schema.json`.
#[must_use]
pub fn json_schema() -> String {
    serde_json::to_string_pretty(&schema()).unwrap_or_default() + "\n"
}

const INTRODUCTION: &str = "\
# What `-o json` and `-o yaml` print

On this page you find every field that a script can read from the output of `kubectl bluegreen`.

Generated from the types: `UPDATE_DOCS=1 cargo test -p kubectl-bluegreen --test docs`. The same as a JSON schema is in
[cli-output.schema.json](cli-output.schema.json).

What Kubernetes stores is printed as `kubectl get` prints it, without `managedFields`: `get`, and `deploy`, `switch`, `rollback`,
`pause` and `resume` of one app in the cluster, print the `BlueGreenApp` as it is after the edit, and `list` prints a `List` of them. Everything else is an object with
`apiVersion: API_VERSION` and a `kind` of its own.

Within a version no field is renamed, removed or given another meaning. New fields may come, so ignore those that you don't know.
Errors go to standard error as text; the [exit code](cli.md#exit-codes) says how the command ended.

| command | prints |
|---|---|
| `get`, `deploy`, `switch`, `rollback`, `pause`, `resume` | `BlueGreenApp` |
| `list` | `List` |
";

/// The time of Kubernetes, which has a long name and needs no description.
fn is_time(name: &str) -> bool {
    name.ends_with(".v1.Time")
}

fn section(text: &mut String, schema: &Value) {
    if let Some(about) = schema["description"].as_str() {
        let _ = write!(text, "{}\n\n", one_line(about));
    }
    let choices: Vec<&Value> = schema["oneOf"].as_array().into_iter().flatten().collect();
    if !choices.is_empty() || schema["enum"].is_array() {
        text.push_str("| value | means |\n|---|---|\n");
        for choice in schema["enum"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "| {} | |", code(choice));
        }
        for choice in choices {
            let about = choice["description"].as_str().unwrap_or_default();
            let values = choice["enum"].as_array().into_iter().flatten();
            for value in values.chain(choice.get("const")) {
                let _ = writeln!(text, "| {} | {} |", code(value), one_line(about));
            }
        }
        return;
    }
    text.push_str("| field | type | means |\n|---|---|---|\n");
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        if !schema["const"].is_null() {
            continue;
        }
        let about = one_line(schema["description"].as_str().unwrap_or_default());
        let _ = writeln!(text, "| `{field}` | {} | {about} |", type_of(schema));
    }
}

fn code(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

/// The type of a field, with a link to its part.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let link = format!("[{name}](#{})", name.to_lowercase());
        return if is_time(name) { "time (RFC 3339)".to_owned() } else { link };
    }
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    let choices: Vec<String> = choices.map(type_of).collect();
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    };
    let plain = names.join(" or ");
    match (plain.as_str(), schema.get("items")) {
        ("array", Some(items)) => format!("list of {}", type_of(items)),
        ("", _) => "any".to_owned(),
        _ => plain,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
