//! The programs of Kubernetes, built once from pinned Go modules.

mod sets;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use self::sets::{KINE_VERSION, Module};
use self::sets::{Set, Tool};
use crate::go::Go;
use crate::process::run;
use crate::say::say;
use crate::versions::{self, Datastore, Version};

/// The folder that holds the built programs.
#[derive(Clone, Debug)]
pub struct Tools(PathBuf);

impl Tools {
    /// Finds the tools under `target/cluster-tools`, and builds them first where they are missing.
    ///
    /// The folder's name is made of all that decides the result. It appears by one rename, and a lock keeps
    /// a second run waiting rather than building too.
    ///
    /// `KUBERNETES=1.32` in the environment asks for another version than the usual one.
    pub fn ensure(target: &Path) -> Result<Self> {
        Self::ensure_version(versions::chosen()?, target)
    }

    /// The same for this version, and for kine where that is the datastore.
    pub fn ensure_version(version: &'static Version, target: &Path) -> Result<Self> {
        if Datastore::chosen()? == Datastore::Kine {
            Self::kine(target)?;
        }
        Self::of(&Set::cluster(version), target)
    }

    /// The same for `kine`, alone.
    pub fn kine(target: &Path) -> Result<PathBuf> {
        Ok(Self::of(&Set::kine(), target)?.path("kine"))
    }

    /// The same for `kwok`, alone.
    pub fn kwok(target: &Path) -> Result<PathBuf> {
        Ok(Self::of(&Set::simulated_nodes(), target)?.path("kwok"))
    }

    /// The same for `helm`, alone.
    pub fn helm(target: &Path) -> Result<PathBuf> {
        Ok(Self::of(&Set::charts(), target)?.path("helm"))
    }

    /// The same for `cosign` and `kubectl-krew`.
    pub fn release(target: &Path) -> Result<Self> {
        Self::of(&Set::release(), target)
    }

    /// The same for `collector`, alone.
    pub fn collector(target: &Path) -> Result<PathBuf> {
        Ok(Self::of(&Set::collector(), target)?.path("collector"))
    }

    /// The same for `argocd`, alone.
    pub fn argo_cd(target: &Path) -> Result<PathBuf> {
        Ok(Self::of(&Set::gitops(), target)?.path("argocd"))
    }

    /// The same for Kyverno's `kyverno` and `kyverno-init`.
    pub fn kyverno(target: &Path) -> Result<Self> {
        Self::of(&Set::policies(), target)
    }

    /// The same for KEDA, metrics-server and the VerticalPodAutoscaler.
    pub fn autoscalers(target: &Path) -> Result<Self> {
        Self::of(&Set::autoscalers(), target)
    }

    fn of(set: &Set, target: &Path) -> Result<Self> {
        let base = target.join("cluster-tools");
        fs::create_dir_all(&base)?;
        let hash = set.hash();
        let go = match (set.go)(target) {
            Ok(go) => go,
            // Built before, and run now where there is no Go, as under sudo.
            Err(error) => return built_before(&base, &hash)?.ok_or(error),
        };
        let done = base.join(format!("{hash}-{}", go.version));
        if done.is_dir() {
            return Ok(Self(done));
        }
        let lock = File::create(base.join("lock"))?;
        if lock.try_lock().is_err() {
            say("waiting for another run that is building the tools …");
            lock.lock()?;
        }
        if !done.is_dir() {
            build(set, &go, &base, &done)?;
        }
        Ok(Self(done))
    }

    /// The folder, for `PATH`.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// One program: `kubectl`, `kube-apiserver`, `etcd` …
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn build(set: &Set, go: &Go, base: &Path, done: &Path) -> Result<()> {
    let temporary = base.join("unfinished");
    // The lock is ours: what lies here was left by a build that was killed.
    let _ = fs::remove_dir_all(&temporary);
    let out = temporary.join("out");
    fs::create_dir_all(&out)?;
    for module in &set.modules {
        let folder = temporary.join(module.folder);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("go.mod"), module.go_mod)?;
        fs::write(folder.join("go.sum"), module.go_sum)?;
        if let Some(main_go) = module.main_go {
            fs::write(folder.join("main.go"), main_go)?;
        }
    }
    let total: u32 = set.tools.iter().map(|tool| tool.seconds).sum();
    say(&format!("building {} once, about {} min on 2 cores", set.name, total.div_ceil(60)));
    for (index, tool) in set.tools.iter().enumerate() {
        let Tool { name, module, package, seconds } = tool;
        let time =
            if *seconds < 60 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) };
        say(&format!("building {name} ({} of {}, about {time} on 2 cores) …", index + 1, set.tools.len()));
        let mut command = go.command();
        command.current_dir(temporary.join(module.folder)).arg("build").args(set.flags());
        if set.cgo {
            command.env("CGO_ENABLED", "1");
        }
        command.arg("-o").arg(out.join(name)).arg(package);
        run(&mut command).with_context(|| format!("cannot build {name}"))?;
    }
    fs::rename(&out, done)?;
    fs::remove_dir_all(&temporary)?;
    Ok(())
}

/// Tools of the wanted versions, whatever Go they were built with.
fn built_before(base: &Path, hash: &str) -> Result<Option<Tools>> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&format!("{hash}-")) {
            return Ok(Some(Tools(entry.path())));
        }
    }
    Ok(None)
}
