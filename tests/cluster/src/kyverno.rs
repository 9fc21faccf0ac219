//! A real Kyverno as an image for real nodes, and the manifest that its project ships.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::go::pinned_folder;
use crate::oci;
use crate::tools::Tools;

/// The name of the image; each program is at its root.
pub const IMAGE: &str = "localhost/kyverno:1";

/// The image as an OCI archive.
///
/// # Errors
/// Where the programs can't be built.
pub fn image(target: &Path) -> Result<PathBuf> {
    oci::of_programs(target, "kyverno", IMAGE, &Tools::kyverno(target)?, &["kyverno", "kyverno-init"])
}

/// The manifest that installs it, out of its Go module.
///
/// # Errors
/// Where the module can't be had, or is not what it was.
pub fn manifest() -> Result<PathBuf> {
    let (go_mod, go_sum) = (include_str!("../kyverno/go.mod"), include_str!("../kyverno/go.sum"));
    Ok(pinned_folder("github.com/kyverno/kyverno", go_mod, go_sum)?
        .join("config/install-latest-testing.yaml"))
}
