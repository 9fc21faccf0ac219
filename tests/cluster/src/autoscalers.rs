//! Real autoscalers as an image for real nodes, and the files that their projects ship beside the programs.
//!
//! Rights and CustomResourceDefinitions are read from the Go modules, so that a test runs with what users install.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::go::pinned_folder;
use crate::oci::{self, File, Image};
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

/// The image as an OCI archive, made once: to read and to digest half a gigabyte takes a while.
///
/// # Errors
/// Where the programs can't be built.
pub fn image(target: &Path) -> Result<PathBuf> {
    let tools = Tools::autoscalers(target)?;
    let version = tools.folder().file_name().context("the folder of the programs")?;
    let name = format!("autoscalers-{}", version.display());
    let archive = target.join("images").join(name).with_added_extension("tar");
    if !archive.is_file() {
        let file = |name: &&str| {
            anyhow::Ok(File { path: (*name).into(), content: fs::read(tools.path(name))?, mode: 0o755 })
        };
        let files = PROGRAMS.iter().map(file).collect::<Result<_>>()?;
        let image = Image { name: IMAGE.into(), files, user: Some("65532:65532".into()), ..Image::default() };
        let unfinished = archive.with_extension("unfinished");
        fs::create_dir_all(target.join("images"))?;
        oci::write_archive(&unfinished, &image)?;
        fs::rename(unfinished, &archive)?;
    }
    Ok(archive)
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
