//! What a real Argo CD consists of: its program, its kinds, and the Redis that it keeps its cache in.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::debian::Programs;
use crate::go::pinned_folder;
use crate::tools::Tools;

const MODULE: &str = "github.com/argoproj/argo-cd/v3";

/// With the libraries that a system without Redis lacks.
const REDIS: Programs = Programs {
    name: "redis",
    packages: &["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"],
    folder: "usr/bin",
    programs: &["redis-server"],
    size: 1,
};

/// The program: `argocd`, and with `ARGOCD_BINARY_NAME` in its environment any other part of Argo CD.
///
/// # Errors
/// Where it can't be built.
pub fn program(target: &Path) -> Result<PathBuf> {
    Tools::argo_cd(target)
}

/// The files of Argo CD's CustomResourceDefinitions.
///
/// # Errors
/// Where its module can't be had, or is not what it was.
pub fn crds() -> Result<[PathBuf; 3]> {
    let (go_mod, go_sum) = (include_str!("../argocd/go.mod"), include_str!("../argocd/go.sum"));
    let folder = pinned_folder(MODULE, go_mod, go_sum)?.join("manifests/crds");
    Ok(["application", "appproject", "applicationset"].map(|name| folder.join(format!("{name}-crd.yaml"))))
}

/// `redis-server`, and the folder of the libraries that it needs; `None` where the system has it.
///
/// # Errors
/// Where it can't be had.
pub fn redis(target: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let folder = REDIS.ensure(target)?;
    let libraries = folder.strip_prefix(target.join(REDIS.name)).is_ok().then(|| {
        let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
        folder.with_file_name("lib").join(machine)
    });
    Ok((folder.join("redis-server"), libraries))
}
