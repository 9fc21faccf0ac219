//! What a color runs, kept in a ControllerRevision so that it never has to be rendered again.
//!
//! The hashes are of the *inputs*, never of the rendered output: an operator upgrade that renders
//! differently must not roll anybody's pods.

use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::Value;

use crate::api::{BlueGreenApp, BlueGreenAppSpec, Color};

/// What a color's block and the shared fields come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Hash of the color's own block: a change of it is what makes a new revision.
    pub block: String,
    /// Hash of everything that the rendering reads.
    pub inputs: String,
    /// `minReadySeconds`, `progressDeadlineSeconds`, `revisionHistoryLimit`, `strategy` and `template`
    /// of the Deployment.
    pub deployment: Value,
}

/// A revision as read back from the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Monotonic per color.
    pub number: i64,
    /// What it holds.
    pub rendered: Rendered,
}

/// A ControllerRevision that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// It has no data.
    #[error("has no data")]
    Empty,
    /// A part of its data is missing or has the wrong type.
    #[error("`{0}` is missing or has the wrong type")]
    Field(&'static str),
}

/// Short hash of the color's own block; `None` when there is none.
#[must_use]
pub fn block_hash(spec: &BlueGreenAppSpec, color: Color) -> Option<String> {
    let _ = (spec, color);
    todo!()
}

/// Short hash of everything that the rendering of that color reads; `None` when it has no block.
#[must_use]
pub fn inputs_hash(spec: &BlueGreenAppSpec, color: Color) -> Option<String> {
    let _ = (spec, color);
    todo!()
}

/// Renders one color; `None` when it has no block, or no image.
#[must_use]
pub fn render(app: &BlueGreenApp, color: Color) -> Option<Rendered> {
    let _ = (app, color);
    todo!()
}

/// Server-side apply body of the ControllerRevision `NAME-COLOR-NUMBER`.
#[must_use]
pub fn revision(app: &BlueGreenApp, color: Color, number: i64, rendered: &Rendered) -> Value {
    let _ = (app, color, number, rendered);
    todo!()
}

/// Reads a revision back.
///
/// # Errors
/// [`RevisionError`] when the object was not written by [`revision`], or was damaged.
pub fn stored(revision: &ControllerRevision) -> Result<Stored, RevisionError> {
    let _ = revision;
    todo!()
}
