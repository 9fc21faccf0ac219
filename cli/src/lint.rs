//! PURE: what the API server would object to in a manifest: types, fields, and every rule of the CRD. And what it accepts although it
//! is probably a mistake.
//!
//! The rules are those that the operator checks again before it acts. A test gives the table of bad inputs to both
//! this and the API server (`cli/tests/lint.rs`, `tests/e2e/input.rs`); the rules that compare with the object before an edit
//! (`port`, `portName`) are the API server's alone.

mod checks;
mod configuration;
mod variables;

use bluegreen_api::BlueGreenApp;
use bluegreen_core::validate::{Problem, problems};
use kube::ResourceExt;
use serde_json::Value;

/// Returns what is accepted and probably a mistake. `objects`: all objects of the manifests.
#[must_use]
pub fn warnings(app: &BlueGreenApp, objects: &[Value]) -> Vec<Problem> {
    let mut found = checks::warnings(app, objects);
    found.extend(configuration::warnings(app, objects));
    found.extend(variables::warnings(app));
    found
}

/// The problems of one object; empty if the API server would accept it.
#[must_use]
pub fn check(object: &Value) -> Vec<Problem> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(object, &mut track);
    let read: Result<BlueGreenApp, _> =
        serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()));
    let mut found: Vec<Problem> = unknown
        .into_iter()
        // The type itself: kube's types leave these two out.
        .filter(|field| !["apiVersion", "kind"].contains(&field.as_str()))
        .map(|field| Problem { field: plain(&field), message: "unknown field".to_owned() })
        .collect();
    match read {
        Ok(app) if app.metadata.name.is_none() => {
            found.push(Problem { field: "metadata.name".to_owned(), message: "is required".to_owned() });
        }
        Ok(app) => found.extend(problems(&app.name_any(), &app.spec)),
        Err(error) => {
            let field = plain(&track.path().to_string());
            found.push(Problem { field, message: error.to_string() });
        }
    }
    found
}

/// A field's path without the `?` that serde's path tracking adds for optional fields.
fn plain(path: &str) -> String {
    path.split('.').filter(|part| *part != "?").collect::<Vec<_>>().join(".")
}
