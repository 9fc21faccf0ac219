//! The real Helm and the real kustomize.

use std::path::{Path, PathBuf};
use std::process::Command;

use bluegreen_cluster::{Tools, target};
use serde_json::{Value, json};

use crate::objects::Objects;

/// The release and the namespace with which the chart's names are those of `config/`.
pub const RELEASE: &str = "bluegreen-operator";
pub const NAMESPACE: &str = "bluegreen-system";

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a folder of the repository")
}

fn chart() -> PathBuf {
    root().join("charts/bluegreen-operator")
}

/// What a program prints; or what it complains about.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.current_dir(root()).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr) + &text(&output.stdout))
    }
}

fn helm(command: &[&str], values: &Value) -> Result<String, String> {
    let file = values_file(values);
    let helm = Tools::helm(&target().expect("a target folder")).expect("Helm is built");
    run(Command::new(helm).args(command).arg("--values").arg(file))
}

/// Values go through a file, as a person has them: `--set` would guess types.
fn values_file(values: &Value) -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hash = DefaultHasher::new();
    values.to_string().hash(&mut hash);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("values-{:x}.json", hash.finish()));
    let partial = path.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&partial, values.to_string()).expect("a values file");
    std::fs::rename(&partial, &path).expect("a values file");
    path
}

/// `helm template`, as text.
pub fn rendered(values: &Value) -> Result<String, String> {
    rendered_in(NAMESPACE, values)
}

/// `helm template` for another namespace, as text.
pub fn rendered_in(namespace: &str, values: &Value) -> Result<String, String> {
    let chart = chart();
    let chart = chart.to_str().expect("UTF-8");
    helm(&["template", RELEASE, chart, "--namespace", namespace], values)
}

/// `helm template`, as objects.
pub fn template(values: &Value) -> Objects {
    Objects::parse(&rendered(values).unwrap_or_else(|error| panic!("{values}: {error}")))
}

/// `helm lint --strict`.
pub fn lint(values: &Value) -> Result<String, String> {
    helm(&["lint", "--strict", chart().to_str().expect("UTF-8")], values)
}

/// `kubectl kustomize`, as text.
pub fn kustomize(folder: &str) -> String {
    let tools = Tools::ensure(&target().expect("a target folder")).expect("kubectl is built");
    run(Command::new(tools.path("kubectl")).args(["kustomize", folder]))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
}

/// Values that turn on everything that is off by default.
pub fn everything() -> Value {
    json!({
        "networkPolicy": {"enabled": true, "metricsFrom": [{"namespaceSelector": {}}]},
        "metrics": {
            "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
            "podMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
            "prometheusRule": {"enabled": true, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": true, "annotations": {"folder": "Operators"}},
        },
        "notify": {"enabled": true, "secretName": "receivers"},
        "commonLabels": {"team": "platform"},
        "serviceAccount": {"annotations": {"a": "b"}},
        "imagePullSecrets": [{"name": "registry"}],
        "extraArgs": ["--log-level=debug"],
        "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control-plane", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    })
}
