//! What `-o json` and `-o yaml` print, apart from the BlueGreenApp itself: one kind for each command, with a version.
//!
//! `docs/cli-output.md` and `docs/cli-output.schema.json` are made from these types. A field is never renamed or taken away within a
//! version; new ones may come.

use bluegreen_view::Report;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use crate::plan::Foreseen;

/// Group and version of everything that this program prints and Kubernetes does not know.
pub const API_VERSION: &str = "cli.bluegreen.dev/v1alpha1";

/// Something that is printed as an object with a kind.
pub trait Kind: Serialize + JsonSchema {
    /// Its kind.
    const KIND: &'static str;
    /// The commands that print it.
    const COMMANDS: &'static str;
}

/// An object with its apiVersion and its kind.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shaped<'a, T> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

/// An object with its apiVersion and its kind.
pub const fn shaped<T: Kind>(content: &T) -> Shaped<'_, T> {
    Shaped { api_version: API_VERSION, kind: T::KIND, content }
}

/// An edit of a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestEdit {
    /// The file.
    pub file: String,
    /// The app.
    pub name: String,
    /// Its namespace, if the file gives one.
    pub namespace: Option<String>,
    /// What the edit does, in words.
    pub what: String,
    /// The edit as a JSON merge patch of `spec`; null if the file already says so.
    pub patch: Option<Value>,
    /// The file was written.
    pub written: bool,
    /// The lines that differ, as a unified diff without context.
    pub diff: String,
    /// What to know before the edit takes effect.
    pub notes: Vec<String>,
}

impl Kind for ManifestEdit {
    const KIND: &'static str = "ManifestEdit";
    const COMMANDS: &'static str = "`deploy -f`, `switch -f`, `rollback -f`";
}

/// How a wait ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitResult {
    /// The app.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What was waited for, as in `--for`.
    pub goal: String,
    /// The goal is reached.
    pub reached: bool,
    /// The time was up.
    pub timed_out: bool,
    /// The reason.
    pub why: String,
    /// What the pods of a late color were last warned of.
    pub warning: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Kind for WaitResult {
    const KIND: &'static str = "WaitResult";
    const COMMANDS: &'static str = "`status`";
}

/// What `lint` found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LintResult {
    /// How many apps were checked.
    pub apps: usize,
    /// What the API server would refuse; empty if nothing.
    pub problems: Vec<LintProblem>,
}

/// One problem of a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LintProblem {
    /// The file.
    pub file: String,
    /// The place of the object in the file, from 1.
    pub document: usize,
    /// The app.
    pub name: String,
    /// The field.
    pub field: String,
    /// What it must be.
    pub message: String,
}

impl Kind for LintResult {
    const KIND: &'static str = "LintResult";
    const COMMANDS: &'static str = "`lint`";
}

/// The version of the program.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The version.
    pub version: String,
    /// The commit that it was built from, if the build knew.
    pub revision: Option<String>,
}

impl Kind for Version {
    const KIND: &'static str = "Version";
    const COMMANDS: &'static str = "`version`";
}

impl Kind for Foreseen {
    const KIND: &'static str = "Plan";
    const COMMANDS: &'static str = "`plan`";
}

impl Kind for Report {
    const KIND: &'static str = "AppReport";
    const COMMANDS: &'static str = "`get -o report`";
}

/// A kind with its schema.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name.
    pub kind: &'static str,
    /// The commands that print it.
    pub commands: &'static str,
    /// Its schema, with `apiVersion` and `kind`.
    pub schema: Value,
}

/// All kinds, and the types that they use.
#[must_use]
pub fn all() -> (Vec<Described>, Value) {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    let kinds = vec![
        described::<Report>(&mut generator),
        described::<WaitResult>(&mut generator),
        described::<Foreseen>(&mut generator),
        described::<LintResult>(&mut generator),
        described::<ManifestEdit>(&mut generator),
        described::<Version>(&mut generator),
    ];
    (kinds, json!(generator.take_definitions(true)))
}

fn described<T: Kind>(generator: &mut SchemaGenerator) -> Described {
    let mut schema = Value::from(T::json_schema(generator));
    schema["properties"]["apiVersion"] = json!({ "const": API_VERSION });
    schema["properties"]["kind"] = json!({ "const": T::KIND });
    if let Some(required) = schema["required"].as_array_mut() {
        required.extend([json!("apiVersion"), json!("kind")]);
    }
    Described { kind: T::KIND, commands: T::COMMANDS, schema }
}

/// The schema of whatever this program prints.
#[must_use]
pub fn schema() -> Value {
    let (kinds, mut definitions) = all();
    let choices: Vec<Value> =
        kinds.iter().map(|kind| json!({ "$ref": format!("#/$defs/{}", kind.kind) })).collect();
    for Described { kind, schema, .. } in kinds {
        definitions[kind] = schema;
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": API_VERSION,
        "oneOf": choices,
        "$defs": definitions,
    })
}
