//! The peers' controllers, each built from its pinned module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::target;
use sha2::{Digest, Sha256};

/// A controller of others, as its project publishes it.
pub struct Peer {
    /// What a person calls it.
    pub name: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// Its Go module.
    module: &'static str,
    /// The folder of its program in the module.
    program: &'static str,
    /// The files of the module with the CRDs without which it does not start.
    crds: &'static [&'static str],
    /// How long the first build takes on 2 cores.
    minutes: u32,
}

/// Argo Rollouts.
pub const ARGO_ROLLOUTS: Peer = Peer {
    name: "Argo Rollouts",
    go_mod: include_str!("../argo/go.mod"),
    go_sum: include_str!("../argo/go.sum"),
    module: "github.com/argoproj/argo-rollouts",
    program: "cmd/rollouts-controller",
    crds: &[
        "manifests/crds/rollout-crd.yaml",
        "manifests/crds/analysis-run-crd.yaml",
        "manifests/crds/analysis-template-crd.yaml",
        "manifests/crds/cluster-analysis-template-crd.yaml",
        "manifests/crds/experiment-crd.yaml",
    ],
    minutes: 5,
};

/// Flagger.
pub const FLAGGER: Peer = Peer {
    name: "Flagger",
    go_mod: include_str!("../flagger/go.mod"),
    go_sum: include_str!("../flagger/go.sum"),
    module: "github.com/fluxcd/flagger",
    program: "cmd/flagger",
    crds: &["artifacts/flagger/crd.yaml"],
    minutes: 4,
};

/// A peer that can be started.
pub struct Built {
    /// Its controller.
    pub program: PathBuf,
    /// The files with its CRDs.
    pub crds: Vec<PathBuf>,
}

impl Peer {
    /// Builds the controller, once.
    ///
    /// # Errors
    /// Where there is no usable Go, or the module can't be had.
    pub fn build(&self) -> Result<Built> {
        let mut hash = Sha256::new();
        hash.update(self.go_mod);
        hash.update(self.go_sum);
        let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let folder = target()?.join("bench").join(hash);
        let program = folder.join(file_name(self.program));
        let crds: Vec<PathBuf> = self.crds.iter().map(|crd| folder.join(file_name(crd))).collect();
        if !program.exists() {
            eprintln!("building {} once, about {} min on 2 cores …", self.name, self.minutes);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("go.mod"), self.go_mod)?;
            fs::write(folder.join("go.sum"), self.go_sum)?;
            let unfinished = folder.join("unfinished");
            let package = format!("{}/{}", self.module, self.program);
            let to = unfinished.display().to_string();
            go(&folder, &["build", "-trimpath", "-buildvcs=false", "-o", &to, &package])?;
            let module = PathBuf::from(go(&folder, &["list", "-m", "-f", "{{.Dir}}", self.module])?);
            for (from, to) in self.crds.iter().zip(&crds) {
                fs::write(to, fs::read(module.join(from))?)?;
            }
            fs::rename(unfinished, &program)?;
        }
        Ok(Built { program, crds })
    }
}

fn file_name(path: &'static str) -> &'static str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn go(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("go");
    let output = command
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .current_dir(folder)
        .args(arguments)
        .output()
        .context("no usable Go here")?;
    ensure!(output.status.success(), "go {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
