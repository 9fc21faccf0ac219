//! Prometheus and promtool: those on the PATH, or else the ones of Debian's package, unpacked and not installed, so that
//! nothing is started on this machine and nothing has to be removed from it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::run;
use crate::tools::say;

const PACKAGE: &str = "prometheus";
const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];

/// The folder that holds `prometheus` and `promtool`.
///
/// # Errors
/// Where they are neither on the PATH nor to be had from a package, with what to do about it.
pub fn ensure(target: &Path) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let complete = |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).is_file());
    if let Some(folder) = std::env::split_paths(&path).find(complete) {
        return Ok(folder);
    }
    let done = target.join("prometheus");
    let programs = done.join("usr/bin");
    if complete(&programs) {
        return Ok(programs);
    }
    fs::create_dir_all(target)?;
    let lock = File::create(target.join("prometheus.lock"))?;
    lock.lock()?;
    if !complete(&programs) {
        unpack(&done).context(
            "there is no Prometheus: install it (Debian's and Ubuntu's package is `prometheus`) and have `prometheus` \
             and `promtool` on the PATH",
        )?;
    }
    Ok(programs)
}

fn unpack(done: &Path) -> Result<()> {
    let temporary = done.with_extension("unfinished");
    let _ = fs::remove_dir_all(&temporary);
    let _ = fs::remove_dir_all(done);
    fs::create_dir_all(temporary.join("root"))?;
    say("fetching Debian's package of Prometheus (19 MB), without installing it …");
    let download = || run(Command::new("apt-get").current_dir(&temporary).args(["download", PACKAGE]));
    if download().is_err() {
        // The lists may be missing or old.
        run(Command::new("apt-get").arg("update"))?;
        download()?;
    }
    let package = fs::read_dir(&temporary)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get left no package")?;
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(temporary.join("root")))?;
    fs::rename(temporary.join("root"), done)?;
    fs::remove_dir_all(&temporary)?;
    Ok(())
}

/// The Prometheus Operator, whose CustomResourceDefinitions are in its Go module.
const OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";
const OPERATOR_SUM: &str = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=";

/// The files of the Prometheus Operator's CustomResourceDefinitions, as far as we ship objects of them.
///
/// # Errors
/// Where its module can't be had.
pub fn operator_crds() -> Result<[PathBuf; 3]> {
    let answer = run(Command::new("go").env("GOFLAGS", "").args(["mod", "download", "-json", OPERATOR]))?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    anyhow::ensure!(answer["Sum"] == OPERATOR_SUM, "{OPERATOR} is not what it was: {}", answer["Sum"]);
    let folder = Path::new(answer["Dir"].as_str().context("go says no folder")?)
        .join("example/prometheus-operator-crd");
    Ok(["servicemonitors", "podmonitors", "prometheusrules"]
        .map(|name| folder.join(format!("monitoring.coreos.com_{name}.yaml"))))
}
