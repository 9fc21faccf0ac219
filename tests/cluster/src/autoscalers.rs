//! Real autoscalers as an image for real nodes, and the files that their projects ship beside the programs.
//!
//! Rights and CustomResourceDefinitions are read from the Go modules, so that a test runs with what users install.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::go::pinned_folder;
use crate::oci;
use crate::tools::Tools;

/// The name of the image; each program is at its root.
pub const IMAGE: &str = "localhost/autoscalers:1";

const PROGRAMS: [&str; 6] = [
    "metrics-server",
    "keda-operator",
    "keda-adapter",
    "vpa-recommender",
    "vpa-updater",
    "vpa-admission-controller",
];

/// The image as an OCI archive.
///
/// # Errors
/// Where the programs can't be built.
pub fn image(target: &Path) -> Result<PathBuf> {
    oci::of_programs(target, "autoscalers", IMAGE, &Tools::autoscalers(target)?, &PROGRAMS)
}

/// A file or folder of KEDA's module.
///
/// # Errors
/// Where the module can't be had, or is not what it was.
pub fn keda(path: &str) -> Result<PathBuf> {
    part("github.com/kedacore/keda/v2", path)
}

/// A file or folder of metrics-server's module.
///
/// # Errors
/// Where the module can't be had, or is not what it was.
pub fn metrics_server(path: &str) -> Result<PathBuf> {
    part("sigs.k8s.io/metrics-server", path)
}

/// A file or folder of the VerticalPodAutoscaler's module.
///
/// # Errors
/// Where the module can't be had, or is not what it was.
pub fn vertical(path: &str) -> Result<PathBuf> {
    part("k8s.io/autoscaler/vertical-pod-autoscaler", path)
}

fn part(module: &str, path: &str) -> Result<PathBuf> {
    let (go_mod, go_sum) = (include_str!("../keda/go.mod"), include_str!("../keda/go.sum"));
    Ok(pinned_folder(module, go_mod, go_sum)?.join(path))
}
