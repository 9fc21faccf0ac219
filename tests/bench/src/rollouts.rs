//! Argo Rollouts' controller, built from its pinned module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::target;
use sha2::{Digest, Sha256};

const GO_MOD: &str = include_str!("../argo/go.mod");
const GO_SUM: &str = include_str!("../argo/go.sum");
const MODULE: &str = "github.com/argoproj/argo-rollouts";

/// The CRDs without which its controller does not start.
pub const CRDS: [&str; 5] =
    ["rollout", "analysis-run", "analysis-template", "cluster-analysis-template", "experiment"];

/// Builds the controller, once. Its folder also holds the [`CRDS`], each as `NAME.yaml`.
///
/// # Errors
/// Where there is no usable Go, or the module can't be had.
pub fn build() -> Result<PathBuf> {
    let mut hash = Sha256::new();
    hash.update(GO_MOD);
    hash.update(GO_SUM);
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = target()?.join("bench").join(hash);
    let program = folder.join("rollouts-controller");
    if !program.exists() {
        eprintln!("building Argo Rollouts once, about 5 min on 2 cores …");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("go.mod"), GO_MOD)?;
        fs::write(folder.join("go.sum"), GO_SUM)?;
        let unfinished = folder.join("unfinished");
        let package = format!("{MODULE}/cmd/rollouts-controller");
        go(
            &folder,
            &["build", "-trimpath", "-buildvcs=false", "-o", &unfinished.display().to_string(), &package],
        )?;
        for crd in CRDS {
            let file = Path::new(&go(&folder, &["list", "-m", "-f", "{{.Dir}}", MODULE])?)
                .join(format!("manifests/crds/{crd}-crd.yaml"));
            fs::write(folder.join(format!("{crd}.yaml")), fs::read(file)?)?;
        }
        fs::rename(unfinished, &program)?;
    }
    Ok(program)
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
