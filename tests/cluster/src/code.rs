//! Which code a kept result is of.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The last commit that changed one of these paths of the repository (git's pathspecs), with `-dirty` where a file differs from it:
/// a commit that touches nothing of them does not make results out of date.
///
/// # Errors
/// Without git, or outside of a clone.
pub fn code(paths: &[&str]) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let git = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new("git");
        command.current_dir(&root).args(arguments).arg("--").args(paths);
        let output = command.output().context("cannot run git")?;
        ensure!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["log", "-1", "--format=%h", "--abbrev=12"])?;
    let dirty = !git(&["status", "--porcelain"])?.is_empty();
    Ok(if dirty { commit + "-dirty" } else { commit })
}
