//! Is what the program prints as data what `docs/cli-output.schema.json` says?

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;
mod manifests;
mod trials;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use bluegreen_view::Report;
use clap::CommandFactory;
use fixture::{now, objects, settled, switching};
use kubectl_bluegreen::args::Cli;
use kubectl_bluegreen::group::{self, Wish};
use kubectl_bluegreen::shape::{API_VERSION, GroupSwitch, MemberState, WaitResult, schema, shaped};
use kubectl_bluegreen::shape_doc;
use manifests::BASIC;
use serde_json::{Value, json};
use trials::trial;

/// What in a value is not as the schema says: a field that it does not know, one that is missing, another type.
fn wrong(value: &Value, schema: &Value, root: &Value, path: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return wrong(value, root.pointer(name.trim_start_matches('#')).unwrap(), root, path);
    }
    for choices in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choices].as_array() {
            let found: Vec<_> = choices.iter().map(|choice| wrong(value, choice, root, path)).collect();
            return if found.iter().any(Vec::is_empty) { Vec::new() } else { found.concat() };
        }
    }
    let is = |name: &Value| match name.as_str().unwrap() {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => unreachable!("{other}"),
    };
    let mut found = Vec::new();
    let types = schema["type"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| schema.get("type").cloned().into_iter().collect());
    if !types.is_empty() && !types.iter().any(is) {
        found.push(format!("{path} is {value}, not {types:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value)
        || schema["enum"].as_array().is_some_and(|among| !among.contains(value))
    {
        found.push(format!("{path} is {value}"));
    }
    for (key, inner) in value.as_object().into_iter().flatten().filter(|_| schema["properties"].is_object()) {
        match schema["properties"].get(key) {
            Some(schema) => found.extend(wrong(inner, schema, root, &format!("{path}.{key}"))),
            None => found.push(format!("{path}.{key} is unknown")),
        }
    }
    let required = schema["required"].as_array().into_iter().flatten();
    found.extend(
        required
            .filter(|key| {
                value[key.as_str().unwrap()] == Value::Null && value.get(key.as_str().unwrap()).is_none()
            })
            .map(|key| format!("{path}.{key} is missing")),
    );
    for item in value.as_array().into_iter().flatten() {
        found.extend(wrong(item, schema.get("items").unwrap_or(&json!({})), root, &format!("{path}[]")));
    }
    found
}

fn check(value: &Value) -> String {
    let schema = schema();
    let kind = value["kind"].as_str().unwrap().to_owned();
    let found = wrong(value, &schema["$defs"][&kind], &schema, &kind);
    assert_eq!(found, Vec::<String>::new(), "{value}");
    kind
}

fn printed(arguments: &[&str], input: &str) -> Value {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-bluegreen"))
        .args(arguments)
        .args(["-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn everything_that_is_printed_is_as_the_schema_says() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("shapes.yaml");
    std::fs::write(&path, BASIC).unwrap();
    let path = path.to_str().unwrap();
    let mut values = vec![
        printed(&["version"], ""),
        printed(&["lint", "-f", "-"], BASIC),
        printed(&["lint", "-f", "-"], &BASIC.replace("port:", "ports:")),
        printed(&["plan", "--new", "-f", "-"], BASIC),
        printed(&["switch", "--dry-run=client", "-f", path], ""),
        printed(&["deploy", "--dry-run=client", "--tag=v2.0.0", "-f", path], ""),
    ];
    for app in [settled(), switching()] {
        values.push(serde_json::to_value(shaped(&Report::of(&objects(app), now()))).unwrap());
    }
    let waited = WaitResult {
        name: "hello".to_owned(),
        namespace: "shop".to_owned(),
        goal: "ready".to_owned(),
        reached: false,
        timed_out: true,
        why: "w".to_owned(),
        warning: None,
        seconds: 1.5,
    };
    values.push(serde_json::to_value(shaped(&waited)).unwrap());
    values.push(serde_json::to_value(shaped(&trial())).unwrap());
    let apps = [fixture::app(settled())];
    let (_, members) = group::edits(&apps, Wish { tag: Some("v9"), ..Wish::default() }).unwrap_err();
    let edit = group::edit(&apps[0], Wish::default()).unwrap();
    let switched = group::member(&apps[0], Some(&edit), MemberState::Switched, "w".to_owned());
    let apps = [members, vec![switched]].concat();
    let refused =
        GroupSwitch { selector: "a=b".to_owned(), namespace: "shop".to_owned(), switched: false, apps };
    values.push(serde_json::to_value(shaped(&refused)).unwrap());
    let mut kinds: Vec<String> = values.iter().map(check).collect();
    kinds.sort();
    kinds.dedup();
    let known: Vec<Value> = schema()["oneOf"].as_array().unwrap().clone();
    assert_eq!(kinds.len(), known.len(), "a kind is not tried: {kinds:?}");
}

/// The names in backticks of the first column of the table of commands, without their flags.
fn documented() -> BTreeSet<String> {
    let text = shape_doc::markdown();
    let rows = text.split_once("| command | prints |").unwrap().1.split("\n\n").next().unwrap().to_owned();
    let cells = rows.lines().skip(2).map(|row| row.split('|').nth(1).unwrap());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(|name| name.split(' ').next().unwrap().to_owned()).collect()
}

/// A command that comes later is not forgotten.
#[test]
fn every_command_that_prints_data_is_documented() {
    let root = Cli::command();
    let prints = |command: &&clap::Command| {
        let format = command.get_arguments().find(|argument| argument.get_short() == Some('o'));
        format
            .is_some_and(|format| format.get_possible_values().iter().any(|value| value.get_name() == "json"))
    };
    assert!(root.get_subcommands().all(|command| command.get_subcommands().next().is_none()), "look deeper");
    let found: BTreeSet<String> =
        root.get_subcommands().filter(prints).map(|command| command.get_name().to_owned()).collect();
    assert!(found.contains("pause") && found.contains("switch"), "{found:?}");
    assert_eq!(found, documented(), "docs/cli-output.md and the command line differ");
}

/// One line for each field and each word, with its type.
fn fields() -> BTreeSet<String> {
    let schema = schema();
    let mut lines = BTreeSet::new();
    for (name, part) in schema["$defs"].as_object().unwrap() {
        let required = part["required"].as_array().cloned().unwrap_or_default();
        for (field, value) in part["properties"].as_object().into_iter().flatten() {
            let must = if required.contains(&json!(field)) { " always" } else { "" };
            lines.insert(format!("{name}.{field}: {}{must}", bare(value)));
        }
        let words = part["oneOf"].as_array().into_iter().flatten();
        let words = words.flat_map(|word| {
            word["enum"].as_array().cloned().into_iter().flatten().chain(word.get("const").cloned())
        });
        for word in words.chain(part["enum"].as_array().cloned().into_iter().flatten()) {
            lines.insert(format!("{name} = {word}"));
        }
    }
    lines
}

/// A schema without its words for people.
fn bare(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let for_people = ["description", "title", "default", "examples"];
            let kept = map.iter().filter(|(key, _)| !for_people.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key.clone(), bare(value))).collect())
        }
        Value::Array(list) => list.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// `cli/tests/fields.txt` has every field that this version of the format has ever had. `UPDATE_DOCS=1` adds new ones, and takes none
/// out: a field that is renamed, removed or of another type needs another version (`API_VERSION`) and a new file.
#[test]
fn no_field_is_renamed_within_a_version() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fields.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines = text.lines();
    let version = lines.next().unwrap_or(API_VERSION).to_owned();
    let promised: BTreeSet<String> = lines.map(str::to_owned).collect();
    let found = fields();
    let broken: Vec<_> = promised.difference(&found).collect();
    assert!(version == API_VERSION && broken.is_empty(), "the format of {version} has lost: {broken:#?}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let lines: Vec<_> = found.iter().map(String::as_str).collect();
        std::fs::write(&path, format!("{API_VERSION}\n{}\n", lines.join("\n"))).unwrap();
        return;
    }
    let new: Vec<_> = found.difference(&promised).collect();
    let mend = "UPDATE_DOCS=1 cargo test -p kubectl-bluegreen --test shapes";
    assert!(new.is_empty(), "{mend} adds to cli/tests/fields.txt: {new:#?}");
}

#[test]
fn the_check_finds_what_is_wrong() {
    let right = printed(&["version"], "");
    let schema = schema();
    for (pointer, value) in
        [("/version", json!(1)), ("/kind", json!("Other")), ("/more", json!(1)), ("/version", Value::Null)]
    {
        let mut value_of = right.clone();
        value_of[&pointer[1..]] = value;
        assert_ne!(
            wrong(&value_of, &schema["$defs"]["Version"], &schema, ""),
            Vec::<String>::new(),
            "{pointer}"
        );
    }
}
