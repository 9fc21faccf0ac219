//! What `-o json` and `-o yaml` print, apart from the BlueGreenApp itself: one kind for each command, with a version.
//!
//! `docs/cli-output.md` and `docs/cli-output.schema.json` are made from these types. A field is never renamed or taken away within a
//! version; new ones may come.

use bluegreen_api::{CheckResult, Color};
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
    /// What it would accept, and what is probably a mistake all the same. The exit code does not depend on it.
    pub warnings: Vec<LintProblem>,
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

/// What became of the switch of several apps.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSwitch {
    /// The label selector.
    pub selector: String,
    /// The namespace.
    pub namespace: String,
    /// Every app is at its target.
    pub switched: bool,
    /// The apps, by name.
    pub apps: Vec<GroupMember>,
}

/// What became of one app of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupMember {
    /// The app.
    pub name: String,
    /// `spec.active` before.
    pub from: String,
    /// The color that it was to switch to; null if it can't switch.
    pub to: Option<String>,
    /// What became of it.
    pub state: MemberState,
    /// Why, in words.
    pub why: String,
    /// What to know of the edit: that the color is not ready yet, or that Argo CD or Flux may take it back.
    pub notes: Vec<String>,
}

/// What became of one app of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum MemberState {
    /// Nothing was changed: the whole group was refused, or another app failed before its turn came.
    Untouched,
    /// It can't switch, so no app of the group was touched.
    Refused,
    /// The API server checked the edit and did not store it.
    DryRun,
    /// The edit was sent, and nobody waited for its effect.
    Requested,
    /// The color is live and ready.
    Switched,
    /// It did not switch, and was not taken back.
    Failed,
    /// `spec.active` is the color before again, and that color is live and ready.
    TakenBack,
    /// `spec.active` could not be set to the color before, or that did not take effect in time.
    NotTakenBack,
}

impl MemberState {
    /// Returns the word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Refused => "refused",
            Self::DryRun => "server dry run",
            Self::Requested => "requested",
            Self::Switched => "switched",
            Self::Failed => "failed",
            Self::TakenBack => "taken back",
            Self::NotTakenBack => "NOT taken back",
        }
    }
}

impl Kind for GroupSwitch {
    const KIND: &'static str = "GroupSwitch";
    const COMMANDS: &'static str = "`switch -l`";
}

/// What a trial of an app's checks has found. The operator does not use it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckTrial {
    /// The app.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The color that was checked.
    pub color: Color,
    /// The revision that its pods run.
    pub revision: i64,
    /// The image that they run.
    pub image: String,
    /// What the checks that are enforced say together.
    pub result: CheckResult,
    /// Each check, in the order of the spec.
    pub checks: Vec<TriedCheck>,
}

/// One check of a trial.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriedCheck {
    /// The check.
    pub name: String,
    /// False: it only reports.
    pub enforced: bool,
    /// The name that its Job had.
    pub job: String,
    /// What it has found.
    pub result: CheckResult,
    /// What that rests on.
    pub message: Option<String>,
    /// The last lines that its container has printed; empty if they can't be read.
    pub log: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Kind for CheckTrial {
    const KIND: &'static str = "CheckTrial";
    const COMMANDS: &'static str = "`check`";
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
        described::<CheckTrial>(&mut generator),
        described::<LintResult>(&mut generator),
        described::<ManifestEdit>(&mut generator),
        described::<GroupSwitch>(&mut generator),
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
