//! The table of bad inputs: tried on the rules in Rust, and on a real API server.

use serde::Deserialize;
use serde_json::Value;

/// One bad input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is wrong with it.
    pub case: String,
    /// The app's name, where that is wrong.
    #[serde(default)]
    pub name: Option<String>,
    /// Merged into the smallest spec.
    #[serde(default)]
    pub patch: Value,
    /// The field that the message names.
    pub field: String,
    /// What the message says.
    pub says: String,
    /// At admission the API server says it in its own words.
    #[serde(default)]
    pub schema: bool,
}

/// Every bad input.
pub fn cases() -> serde_yaml_ng::Result<Vec<Case>> {
    serde_yaml_ng::from_str(include_str!("../../golden_rules.yaml"))
}
