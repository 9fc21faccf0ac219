//! The programs of Kubernetes, built once from pinned Go modules.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::go::Go;
use crate::process::run;
use crate::say::say;

/// A Go module of ours: a pinned list of tools without any code.
struct Module {
    folder: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
}

const KUBERNETES: Module =
    Module { folder: "kubernetes", go_mod: include_str!("../go.mod"), go_sum: include_str!("../go.sum") };
const KWOK: Module =
    Module { folder: "kwok", go_mod: include_str!("../kwok/go.mod"), go_sum: include_str!("../kwok/go.sum") };
const HELM: Module =
    Module { folder: "helm", go_mod: include_str!("../helm/go.mod"), go_sum: include_str!("../helm/go.sum") };

const ARGO_CD: Module = Module {
    folder: "argocd",
    go_mod: include_str!("../argocd/go.mod"),
    go_sum: include_str!("../argocd/go.sum"),
};

const KEDA: Module =
    Module { folder: "keda", go_mod: include_str!("../keda/go.mod"), go_sum: include_str!("../keda/go.sum") };

/// Programs that are built together, and found again by all that decides the result.
struct Set {
    name: &'static str,
    /// Who builds them.
    go: fn(&Path) -> Result<Go>,
    modules: &'static [&'static Module],
    tools: &'static [Tool],
    ldflags: fn() -> String,
}

/// What a cluster consists of.
const CLUSTER: Set = Set {
    name: "Kubernetes",
    go: usual_go,
    modules: &[&KUBERNETES, &KWOK],
    tools: &TOOLS,
    ldflags: cluster_ldflags,
};

/// Helm is built only where a test asks for it.
const CHARTS: Set = Set {
    name: "Helm",
    go: usual_go,
    modules: &[&HELM],
    tools: &[tool("helm", &HELM, "helm.sh/helm/v4/cmd/helm", 85)],
    ldflags: helm_ldflags,
};

/// One program that acts by the name it is called by: the CLI, the application controller, the repository server.
const GITOPS: Set = Set {
    name: "Argo CD",
    go: newest_go,
    modules: &[&ARGO_CD],
    tools: &[tool("argocd", &ARGO_CD, "github.com/argoproj/argo-cd/v3/cmd", 200)],
    ldflags: argo_cd_ldflags,
};

/// What changes sizes and requests of pods, and what tells it how busy they are.
const AUTOSCALERS: Set = Set {
    name: "KEDA, metrics-server and the VerticalPodAutoscaler",
    go: usual_go,
    modules: &[&KEDA],
    tools: &[
        tool("metrics-server", &KEDA, "sigs.k8s.io/metrics-server/cmd/metrics-server", 260),
        tool("keda-operator", &KEDA, "github.com/kedacore/keda/v2/cmd/operator", 485),
        tool("keda-adapter", &KEDA, "github.com/kedacore/keda/v2/cmd/adapter", 35),
        tool("vpa-recommender", &KEDA, "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender", 15),
        tool("vpa-updater", &KEDA, "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/updater", 15),
        tool(
            "vpa-admission-controller",
            &KEDA,
            "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/admission-controller",
            5,
        ),
    ],
    ldflags: autoscaler_ldflags,
};

/// One program. A new one is a line in its set and a `tool` line in its module's `go.mod`.
struct Tool {
    name: &'static str,
    module: &'static Module,
    package: &'static str,
    /// Seconds that a cold build took on 2 cores, in this order: what the next one adds to the last.
    seconds: u32,
}

const fn tool(name: &'static str, module: &'static Module, package: &'static str, seconds: u32) -> Tool {
    Tool { name, module, package, seconds }
}

const TOOLS: [Tool; 8] = [
    tool("etcd", &KUBERNETES, "go.etcd.io/etcd/server/v3", 40),
    tool("kube-apiserver", &KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver", 165),
    tool("kube-controller-manager", &KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager", 45),
    tool("kube-scheduler", &KUBERNETES, "k8s.io/kubernetes/cmd/kube-scheduler", 5),
    tool("kubectl", &KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", 20),
    tool("kubelet", &KUBERNETES, "k8s.io/kubernetes/cmd/kubelet", 15),
    tool("kube-proxy", &KUBERNETES, "k8s.io/kubernetes/cmd/kube-proxy", 10),
    tool("kwok", &KWOK, "sigs.k8s.io/kwok/cmd/kwok", 95),
];

/// Kubernetes' version: its programs report it, so that `kubectl version` tells the truth.
const VERSION: &str = "v1.35.4";

/// Helm's own.
const HELM_VERSION: &str = "v4.3.1";

/// Argo CD's own.
const ARGO_CD_VERSION: &str = "v3.6.1";

/// KEDA's own.
const KEDA_VERSION: &str = "v2.21.0";

/// The oldest Go that all modules build with: the highest `go` line of their `go.mod`, Argo CD's aside.
const GO: &str = "1.26";

/// The oldest Go that builds Argo CD.
const ARGO_CD_GO: &str = "1.27";

/// The folder that holds the built programs.
#[derive(Clone, Debug)]
pub struct Tools(PathBuf);

impl Tools {
    /// Finds the tools under `target/cluster-tools`, and builds them first where they are missing.
    ///
    /// The folder's name is made of all that decides the result. It appears by one rename, and a lock keeps
    /// a second run waiting rather than building too.
    pub fn ensure(target: &Path) -> Result<Self> {
        Self::of(&CLUSTER, target)
    }

    /// The same for `helm`, alone.
    pub fn helm(target: &Path) -> Result<PathBuf> {
        Ok(Self::of(&CHARTS, target)?.path("helm"))
    }

    /// The same for `argocd`, alone.
    pub fn argo_cd(target: &Path) -> Result<PathBuf> {
        Ok(Self::of(&GITOPS, target)?.path("argocd"))
    }

    /// The same for KEDA, metrics-server and the VerticalPodAutoscaler.
    pub fn autoscalers(target: &Path) -> Result<Self> {
        Self::of(&AUTOSCALERS, target)
    }

    fn of(set: &Set, target: &Path) -> Result<Self> {
        let base = target.join("cluster-tools");
        fs::create_dir_all(&base)?;
        let hash = hash(set);
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

    /// One program: `kubectl`, `kube-apiserver`, `etcd`, `kwok` …
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
    for module in set.modules {
        let folder = temporary.join(module.folder);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("go.mod"), module.go_mod)?;
        fs::write(folder.join("go.sum"), module.go_sum)?;
    }
    let total: u32 = set.tools.iter().map(|tool| tool.seconds).sum();
    say(&format!("building {} once, about {} min on 2 cores", set.name, total.div_ceil(60)));
    for (index, tool) in set.tools.iter().enumerate() {
        let Tool { name, module, package, seconds } = tool;
        let time =
            if *seconds < 60 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) };
        say(&format!("building {name} ({} of {}, about {time} on 2 cores) …", index + 1, set.tools.len()));
        let mut command = go.command();
        command.current_dir(temporary.join(module.folder)).arg("build").args(flags(set));
        command.arg("-o").arg(out.join(name)).arg(package);
        run(&mut command).with_context(|| format!("cannot build {name}"))?;
    }
    fs::rename(&out, done)?;
    fs::remove_dir_all(&temporary)?;
    Ok(())
}

fn usual_go(_target: &Path) -> Result<Go> {
    Go::on_path(GO)
}

fn newest_go(target: &Path) -> Result<Go> {
    Go::on_path_or_packaged(ARGO_CD_GO, target)
}

fn flags(set: &Set) -> [String; 4] {
    ["-trimpath".into(), "-buildvcs=false".into(), "-ldflags".into(), (set.ldflags)()]
}

fn cluster_ldflags() -> String {
    let (major, minor) = VERSION.trim_start_matches('v').split_once('.').unwrap_or_default();
    let minor = minor.split('.').next().unwrap_or_default();
    let set = "-X k8s.io/component-base/version.git";
    format!("-s -w {set}Version={VERSION} {set}Major={major} {set}Minor={minor}")
}

fn helm_ldflags() -> String {
    format!("-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}")
}

fn argo_cd_ldflags() -> String {
    format!(
        "-s -w -X github.com/argoproj/argo-cd/v3/common.version={}",
        ARGO_CD_VERSION.trim_start_matches('v')
    )
}

fn autoscaler_ldflags() -> String {
    let keda = KEDA_VERSION.trim_start_matches('v');
    format!("-s -w -X github.com/kedacore/keda/v2/version.Version={keda}")
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

fn hash(set: &Set) -> String {
    let mut hash = Sha256::new();
    for module in set.modules {
        hash.update(module.go_mod);
        hash.update(module.go_sum);
    }
    hash.update(flags(set).concat());
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_the_oldest_go_named_to_the_user_satisfy_every_module() {
        for module in [&CLUSTER, &CHARTS, &AUTOSCALERS].into_iter().flat_map(|set| set.modules) {
            let line = module.go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or_default();
            assert!(!line.is_empty());
            assert!(GO >= line.rsplit_once('.').map_or(line, |(minor, _)| minor), "{line}");
        }
    }

    #[test]
    fn is_every_tool_pinned_in_its_module() {
        for tool in [&CLUSTER, &CHARTS, &GITOPS, &AUTOSCALERS].into_iter().flat_map(|set| set.tools) {
            assert!(tool.module.go_mod.contains(tool.package), "{}", tool.name);
        }
        assert!(HELM.go_mod.contains(&format!("helm.sh/helm/v4 {HELM_VERSION}")));
        assert!(ARGO_CD.go_mod.contains(&format!("github.com/argoproj/argo-cd/v3 {ARGO_CD_VERSION}")));
        assert!(KEDA.go_mod.contains(&format!("github.com/kedacore/keda/v2 {KEDA_VERSION}")));
        assert!(KUBERNETES.go_mod.contains(&format!("k8s.io/kubernetes {VERSION}")));
    }
}
