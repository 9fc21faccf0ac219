//! What whole flows gave, kept in `docs/faults.jsonl`: all plans take hours, and a flow that was played with this operator need
//! not be played again. `cargo test --test docs` makes the table of docs/safety.md from it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What a result depends on: the operator, and what plays and judges.
const PLAYED: [&str; 11] = [
    "src",
    "crates/api",
    "crates/client",
    "crates/core",
    "tests/e2e/harness",
    "tests/faults",
    "tests/faults.rs",
    ":!tests/faults/kept.rs",
    "tests/guard",
    "tests/proxy",
    "Cargo.lock",
];

/// One flow, all of whose plans ended as without a trouble and broke no promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub flow: String,
    /// Writes of the flow without a trouble.
    pub writes: usize,
    /// How many plans were played.
    pub plans: usize,
    /// Plans whose flow was through before their trouble's turn came.
    pub missed: usize,
    /// The commit of the code.
    pub code: String,
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.jsonl"))
}

/// The code as it is.
pub fn code() -> Result<String> {
    bluegreen_cluster::code(&PLAYED)
}

/// All that is kept.
pub fn read() -> Result<Vec<Kept>> {
    let text = fs::read_to_string(path()).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// Keeps what a flow gave, in place of what it gave before.
pub fn keep(kept: Kept) -> Result<()> {
    let mut all = read()?;
    all.retain(|other| other.flow != kept.flow);
    all.push(kept);
    let lines = all.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(fs::write(path(), lines.join("\n") + "\n")?)
}
