//! The versions of Kubernetes that a cluster can have, and what it keeps its objects in.

use anyhow::{Context, Result, bail};

use crate::tools::{KINE_VERSION, Module};

/// One version, pinned in `tests/cluster/kubernetes/MINOR` by the script `pin` beside these folders.
#[derive(Debug)]
pub struct Version {
    /// What `KUBERNETES=…` asks for, such as `1.35`.
    pub minor: &'static str,
    /// Such as `1.35.4`.
    pub full: &'static str,
    /// What it is built from.
    pub module: Module,
}

macro_rules! version {
    ($minor:literal, $full:literal) => {
        Version {
            minor: $minor,
            full: $full,
            module: Module::pinned(
                "kubernetes",
                include_str!(concat!("../kubernetes/", $minor, "/go.mod")),
                include_str!(concat!("../kubernetes/", $minor, "/go.sum")),
            ),
        }
    };
}

/// All of them, the oldest first.
pub static ALL: [Version; 6] = [
    version!("1.30", "1.30.14"),
    version!("1.32", "1.32.13"),
    version!("1.34", "1.34.4"),
    version!("1.35", "1.35.4"),
    version!("1.36", "1.36.3"),
    version!("1.37", "1.37.2"),
];

/// The one that all suites run, unless another one is asked for.
pub const USUAL: &str = "1.35";

impl Version {
    /// The version of the module's etcd, such as `3.6.5`.
    pub fn etcd(&self) -> &'static str {
        let named = |line: &'static str| line.trim().strip_prefix("go.etcd.io/etcd/server/v3 v");
        let version = self.module.go_mod.lines().find_map(named).unwrap_or_default();
        version.split(' ').next().unwrap_or_default()
    }
}

/// The version of this name, `1.35` or `1.35.4`.
pub fn named(name: &str) -> Result<&'static Version> {
    let found = ALL.iter().find(|version| [version.minor, version.full].contains(&name));
    found.with_context(|| {
        let all: Vec<_> = ALL.iter().map(|version| version.minor).collect();
        format!("KUBERNETES={name}: there are {}", all.join(", "))
    })
}

/// The version that the environment asks for with `KUBERNETES`, or the usual one.
pub fn chosen() -> Result<&'static Version> {
    named(&std::env::var("KUBERNETES").unwrap_or_else(|_| USUAL.to_owned()))
}

/// What the API server keeps its objects in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datastore {
    /// What nearly every Kubernetes has.
    Etcd,
    /// SQLite behind kine, which speaks etcd's protocol: what K3s has unless somebody chose otherwise.
    Kine,
}

impl Datastore {
    /// The one that the environment asks for with `DATASTORE`, or etcd.
    pub fn chosen() -> Result<Self> {
        match std::env::var("DATASTORE").as_deref() {
            Err(_) | Ok("" | "etcd") => Ok(Self::Etcd),
            Ok("kine") => Ok(Self::Kine),
            Ok(other) => bail!("DATASTORE={other}: there are etcd and kine"),
        }
    }

    /// What a person calls it, with the version that a version of Kubernetes gets.
    pub fn of(self, version: &Version) -> String {
        match self {
            Self::Etcd => format!("etcd {}", version.etcd()),
            Self::Kine => format!("kine {KINE_VERSION} with SQLite"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_each_version_what_its_module_pins() {
        for version in &ALL {
            let pinned = format!("k8s.io/kubernetes v{}", version.full);
            assert!(version.module.go_mod.contains(&pinned), "{}", version.full);
            assert!(version.full.starts_with(&format!("{}.", version.minor)));
            assert!(version.etcd().starts_with("3."), "{}: {}", version.full, version.etcd());
        }
    }

    #[test]
    fn can_each_version_be_asked_for() {
        assert!(named(USUAL).is_ok());
        assert_eq!(named("1.30").unwrap().full, named("1.30.14").unwrap().full);
        assert!(named("1.2").unwrap_err().to_string().contains("1.37"));
    }
}
