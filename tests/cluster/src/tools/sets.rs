//! What is built from which pinned Go module, and how.

use std::path::Path;

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::go::Go;
use crate::versions::Version;

/// A Go module of ours: a pinned list of tools, as a rule without any code.
#[derive(Debug)]
pub struct Module {
    /// Where it is built, below the folder of all that is being built.
    pub folder: &'static str,
    /// Its `go.mod`.
    pub go_mod: &'static str,
    /// Its `go.sum`.
    pub go_sum: &'static str,
    /// Its `main.go`, where the pinned parts come without a program that puts them together.
    pub main_go: Option<&'static str>,
}

impl Module {
    /// A module without any code.
    pub const fn pinned(folder: &'static str, go_mod: &'static str, go_sum: &'static str) -> Self {
        Self { folder, go_mod, go_sum, main_go: None }
    }
}

/// The module in this folder of the package.
macro_rules! pinned {
    ($folder:literal) => {
        Module::pinned(
            $folder,
            include_str!(concat!("../../", $folder, "/go.mod")),
            include_str!(concat!("../../", $folder, "/go.sum")),
        )
    };
}

const KWOK: Module = pinned!("kwok");
const HELM: Module = pinned!("helm");
const KINE: Module = pinned!("kine");
const COSIGN: Module = pinned!("cosign");
const KREW: Module = pinned!("krew");
const COLLECTOR: Module =
    Module { main_go: Some(include_str!("../../collector/main.go")), ..pinned!("collector") };
const ARGO_CD: Module = pinned!("argocd");
const KEDA: Module = pinned!("keda");
const KYVERNO: Module = pinned!("kyverno");

/// Helm's own version.
const HELM_VERSION: &str = "v4.3.1";

/// kine's own.
pub const KINE_VERSION: &str = "0.17.5";

/// Argo CD's own.
const ARGO_CD_VERSION: &str = "v3.6.1";

/// Kyverno's own.
const KYVERNO_VERSION: &str = "v1.15.2";

/// KEDA's own.
const KEDA_VERSION: &str = "v2.21.0";

/// The oldest Go that all modules build with: the highest `go` line of their `go.mod`, Argo CD's aside.
const GO: &str = "1.26";

/// The oldest Go that builds Argo CD.
const ARGO_CD_GO: &str = "1.27";

/// Programs that are built together, and found again by all that decides the result.
pub struct Set {
    /// What a person calls them.
    pub name: String,
    /// Who builds them.
    pub go: fn(&Path) -> Result<Go>,
    /// What they are built from.
    pub modules: Vec<&'static Module>,
    /// The programs, in the order in which they are built.
    pub tools: Vec<Tool>,
    /// Whether a C compiler takes part.
    pub cgo: bool,
    ldflags: String,
}

/// One program. A new one is a line in its set and a `tool` line in its module's `go.mod`.
pub struct Tool {
    /// Its file.
    pub name: &'static str,
    /// What it is built from.
    pub module: &'static Module,
    /// Its Go package.
    pub package: &'static str,
    /// Seconds that a cold build took on 2 cores, in this order: what the next one adds to the last.
    pub seconds: u32,
}

const fn tool(name: &'static str, module: &'static Module, package: &'static str, seconds: u32) -> Tool {
    Tool { name, module, package, seconds }
}

impl Set {
    /// What a cluster of a version of Kubernetes consists of. The programs say which version they are, so that `kubectl version`
    /// tells the truth.
    pub fn cluster(version: &'static Version) -> Self {
        let module = &version.module;
        let set = "-X k8s.io/component-base/version.git";
        let minor = version.minor.split('.').next_back().unwrap_or_default();
        Self {
            name: format!("Kubernetes {}", version.full),
            go: usual_go,
            modules: vec![module],
            tools: vec![
                tool("etcd", module, "go.etcd.io/etcd/server/v3", 40),
                tool("kube-apiserver", module, "k8s.io/kubernetes/cmd/kube-apiserver", 165),
                tool("kube-controller-manager", module, "k8s.io/kubernetes/cmd/kube-controller-manager", 45),
                tool("kube-scheduler", module, "k8s.io/kubernetes/cmd/kube-scheduler", 5),
                tool("kubectl", module, "k8s.io/kubernetes/cmd/kubectl", 20),
                tool("kubelet", module, "k8s.io/kubernetes/cmd/kubelet", 15),
                tool("kube-proxy", module, "k8s.io/kubernetes/cmd/kube-proxy", 10),
            ],
            cgo: false,
            ldflags: format!("-s -w {set}Version=v{} {set}Major=1 {set}Minor={minor}", version.full),
        }
    }

    /// What plays the part of nodes and pods. One serves every version of Kubernetes, and a cluster with real nodes needs none.
    pub fn simulated_nodes() -> Self {
        Self {
            name: "kwok".to_owned(),
            go: usual_go,
            modules: vec![&KWOK],
            tools: vec![tool("kwok", &KWOK, "sigs.k8s.io/kwok/cmd/kwok", 95)],
            cgo: false,
            ldflags: "-s -w".to_owned(),
        }
    }

    /// K3s' datastore, with SQLite in it, which is C.
    pub fn kine() -> Self {
        Self {
            name: "kine".to_owned(),
            go: usual_go,
            modules: vec![&KINE],
            tools: vec![tool("kine", &KINE, "github.com/k3s-io/kine", 210)],
            cgo: true,
            ldflags: format!("-s -w -X github.com/k3s-io/kine/pkg/version.Version=v{KINE_VERSION}"),
        }
    }

    /// Helm is built only where a test asks for it.
    pub fn charts() -> Self {
        Self {
            name: "Helm".to_owned(),
            go: usual_go,
            modules: vec![&HELM],
            tools: vec![tool("helm", &HELM, "helm.sh/helm/v4/cmd/helm", 85)],
            cgo: false,
            ldflags: format!("-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}"),
        }
    }

    /// What a user checks a release and installs the command line tool with. kubectl finds Krew by the name of its file.
    pub fn release() -> Self {
        Self {
            name: "cosign and Krew".to_owned(),
            go: usual_go,
            modules: vec![&COSIGN, &KREW],
            tools: vec![
                tool("cosign", &COSIGN, "github.com/sigstore/cosign/v2/cmd/cosign", 200),
                tool("kubectl-krew", &KREW, "sigs.k8s.io/krew/cmd/krew", 20),
            ],
            cgo: false,
            ldflags: "-s -w".to_owned(),
        }
    }

    /// What sends Events elsewhere.
    pub fn collector() -> Self {
        Self {
            name: "the OpenTelemetry Collector".to_owned(),
            go: usual_go,
            modules: vec![&COLLECTOR],
            tools: vec![tool("collector", &COLLECTOR, "bluegreen.dev/tests/collector", 270)],
            cgo: false,
            ldflags: "-s -w".to_owned(),
        }
    }

    /// One program that acts by the name it is called by: the CLI, the application controller, the repository server.
    pub fn gitops() -> Self {
        let version = ARGO_CD_VERSION.trim_start_matches('v');
        Self {
            name: "Argo CD".to_owned(),
            go: newest_go,
            modules: vec![&ARGO_CD],
            tools: vec![tool("argocd", &ARGO_CD, "github.com/argoproj/argo-cd/v3/cmd", 200)],
            cgo: false,
            ldflags: format!("-s -w -X github.com/argoproj/argo-cd/v3/common.version={version}"),
        }
    }

    /// What changes and refuses objects as they are written.
    pub fn policies() -> Self {
        Self {
            name: "Kyverno".to_owned(),
            go: usual_go,
            modules: vec![&KYVERNO],
            tools: vec![
                tool("kyverno", &KYVERNO, "github.com/kyverno/kyverno/cmd/kyverno", 400),
                tool("kyverno-init", &KYVERNO, "github.com/kyverno/kyverno/cmd/kyverno-init", 10),
            ],
            cgo: false,
            ldflags: format!(
                "-s -w -X github.com/kyverno/kyverno/pkg/version.BuildVersion={KYVERNO_VERSION}"
            ),
        }
    }

    /// What changes sizes and requests of pods, and what tells it how busy they are.
    pub fn autoscalers() -> Self {
        let vertical = [
            ("vpa-recommender", "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender", 15),
            ("vpa-updater", "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/updater", 15),
            (
                "vpa-admission-controller",
                "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/admission-controller",
                5,
            ),
        ];
        let mut tools = vec![
            tool("metrics-server", &KEDA, "sigs.k8s.io/metrics-server/cmd/metrics-server", 260),
            tool("keda-operator", &KEDA, "github.com/kedacore/keda/v2/cmd/operator", 485),
            tool("keda-adapter", &KEDA, "github.com/kedacore/keda/v2/cmd/adapter", 35),
        ];
        tools.extend(vertical.map(|(name, package, seconds)| tool(name, &KEDA, package, seconds)));
        let version = KEDA_VERSION.trim_start_matches('v');
        Self {
            name: "KEDA, metrics-server and the VerticalPodAutoscaler".to_owned(),
            go: usual_go,
            modules: vec![&KEDA],
            tools,
            cgo: false,
            ldflags: format!("-s -w -X github.com/kedacore/keda/v2/version.Version={version}"),
        }
    }

    /// For `go build`.
    pub fn flags(&self) -> [&str; 4] {
        ["-trimpath", "-buildvcs=false", "-ldflags", &self.ldflags]
    }

    /// Of all that decides the result, but the Go that builds.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for module in &self.modules {
            hash.update(module.go_mod);
            hash.update(module.go_sum);
            hash.update(module.main_go.unwrap_or_default());
        }
        hash.update(self.flags().concat());
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn usual_go(_target: &Path) -> Result<Go> {
    Go::on_path(GO)
}

fn newest_go(target: &Path) -> Result<Go> {
    Go::on_path_or_packaged(ARGO_CD_GO, target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::ALL;

    fn usual() -> impl Iterator<Item = Set> {
        let more = [
            Set::simulated_nodes(),
            Set::kine(),
            Set::charts(),
            Set::release(),
            Set::collector(),
            Set::policies(),
            Set::autoscalers(),
        ];
        ALL.iter().map(Set::cluster).chain(more)
    }

    #[test]
    fn does_the_oldest_go_named_to_the_user_satisfy_every_module() {
        for module in usual().flat_map(|set| set.modules) {
            let line = module.go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or_default();
            assert!(!line.is_empty());
            assert!(GO >= line.rsplit_once('.').map_or(line, |(minor, _)| minor), "{line}");
        }
    }

    #[test]
    fn is_every_tool_pinned_in_its_module() {
        for tool in usual().chain([Set::gitops()]).flat_map(|set| set.tools) {
            assert!(tool.module.go_mod.contains(tool.package), "{}", tool.name);
        }
        assert!(HELM.go_mod.contains(&format!("helm.sh/helm/v4 {HELM_VERSION}")));
        assert!(KINE.go_mod.contains(&format!("github.com/k3s-io/kine v{KINE_VERSION}")));
        assert!(ARGO_CD.go_mod.contains(&format!("github.com/argoproj/argo-cd/v3 {ARGO_CD_VERSION}")));
        assert!(KYVERNO.go_mod.contains(&format!("github.com/kyverno/kyverno {KYVERNO_VERSION}")));
        assert!(KEDA.go_mod.contains(&format!("github.com/kedacore/keda/v2 {KEDA_VERSION}")));
    }

    #[test]
    fn does_each_version_have_a_folder_of_its_own() {
        let folders: std::collections::BTreeSet<_> = ALL.iter().map(|one| Set::cluster(one).hash()).collect();
        assert_eq!(folders.len(), ALL.len());
    }
}
