//! PURE: an edit of the text of a manifest, in which everything else stays as it is, byte for byte.
//!
//! | step | where |
//! |---|---|
//! | the text as a tree that knows places | [`nodes`] |
//! | which object of the file is meant, and what it says | [`find`] |
//! | the patch as the replacement of a few bytes | [`splice`] |
//! | proof: what the new text means is what the old one meant, with exactly that patch | [`proof`] |
//!
//! [`write`](mod@write) stores the result. No library for edits of YAML was good enough: `docs/decisions.md`.

pub mod find;
pub mod nodes;
pub mod proof;
pub mod splice;
pub mod write;

use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus};
use bluegreen_core::validate::problems;
use serde_json::Value;
use similar::TextDiff;

use crate::edit::{Edit, Refusal};
use crate::line::{Line, Tone};
use find::{Found, Wanted};

/// A text with an edit of one app in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// The app's name.
    pub name: String,
    /// The app's namespace, if the file gives one.
    pub namespace: Option<String>,
    /// The edit.
    pub edit: Edit,
    /// The whole text; the same as before if the edit changes nothing.
    pub text: String,
    /// The file holds a part of the app only: a patch.
    pub is_patch: bool,
}

/// The text with the edit that `decide` makes of the app that is `wanted`.
///
/// `seen` is the app in the cluster, if somebody asked for it. Otherwise the color in `spec.active` counts as the live one, since a file
/// does not tell which color is.
///
/// # Errors
/// When the app is not found, the edit would be a mistake, or the text can't be edited without a guess.
pub fn edited(
    text: &str,
    wanted: &Wanted<'_>,
    seen: Option<&BlueGreenApp>,
    decide: impl FnOnce(&BlueGreenApp) -> Result<Edit, Refusal>,
) -> Result<Edited, Refusal> {
    let found = find::app(text, wanted)?;
    let app = decidable(&found, seen)?;
    let edit = decide(&app)?;
    let name = found.name.clone();
    let (namespace, is_patch) = (found.namespace.clone(), found.is_patch);
    let Some(Value::Object(patch)) = &edit.patch else {
        return Ok(Edited { name, namespace, edit, text: text.to_owned(), is_patch });
    };
    refuse_new_problems(&found, patch)?;
    let splices = splice::splices(text, &found.spec, patch, "spec").map_err(Refusal)?;
    let anchored = splices.iter().find_map(|splice| found.shared_by_alias(&splice.at));
    if let Some(line) = anchored {
        return Err(Refusal(format!(
            "the edit would change what an alias on line {line} repeats, too: write that value out"
        )));
    }
    let after = splice::spliced(text, splices)
        .ok_or_else(|| Refusal("the places of two edits overlap".to_owned()))?;
    proof::only(text, &after, &found, patch)?;
    Ok(Edited { name, namespace, edit, text: after, is_patch })
}

/// The app to decide about: what the file says of it, and the status of the cluster or, without one, that of an app whose
/// active color is live.
fn decidable(found: &Found, seen: Option<&BlueGreenApp>) -> Result<BlueGreenApp, Refusal> {
    let spec = found.decided_by(seen.map(|app| &app.spec))?;
    let status = match seen {
        Some(app) => app.status.clone(),
        None => Some(BlueGreenAppStatus { active: Some(spec.active), ..BlueGreenAppStatus::default() }),
    };
    let mut app = BlueGreenApp::new(&found.name, spec);
    app.metadata.namespace.clone_from(&found.namespace);
    app.status = status;
    Ok(app)
}

/// Refuses an edit that breaks a rule of the API server: such a tag must not get into Git either. What is wrong already is not this
/// edit's matter.
fn refuse_new_problems(found: &Found, patch: &serde_json::Map<String, Value>) -> Result<(), Refusal> {
    let before = problems(&found.name, &found.decided_by(None)?);
    let mut patched = found.clone();
    proof::merge(&mut patched.object["spec"], patch);
    let after = problems(&found.name, &patched.decided_by(None)?);
    match after.into_iter().find(|problem| !before.contains(problem)) {
        Some(problem) => Err(Refusal(problem.to_string())),
        None => Ok(()),
    }
}

/// The lines that differ, with their numbers and nothing of what is beside them: the variables of a color have no place in the
/// log of a pipeline that only sets a tag.
#[must_use]
pub fn diff(file: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(0).header(file, file).to_string()
}

/// A diff in colors.
#[must_use]
pub fn diff_lines(diff: &str) -> Vec<Line> {
    let line = |line: &str| match line.chars().next() {
        Some('-') => Line::new().add(line, Tone::Bad),
        Some('+') => Line::new().add(line, Tone::Good),
        Some('@') => Line::new().add(line, Tone::Dim),
        Some(_) | None => Line::plain(line),
    };
    diff.lines().map(line).collect()
}
