//! Every rule of the API once more, in Rust: a CRD can be older than the operator that reads its objects.

use crate::api::BlueGreenAppSpec;

/// One thing that is wrong with an app, in the words that admission uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the field, for example `spec.blue.tag`.
    pub field: String,
    /// What it must be, and what to do.
    pub message: String,
}

/// Everything that is wrong with an app of this name; empty when admission would accept it.
#[must_use]
pub fn problems(name: &str, spec: &BlueGreenAppSpec) -> Vec<Problem> {
    let _ = (name, spec);
    todo!()
}
