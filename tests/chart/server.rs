//! Does a real API server take every manifest of the repository, with strict validation and without a warning?

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use bluegreen_cluster::{Cluster, fed, prometheus};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::blocks::{self, Way};
use crate::helm::{everything, kustomize, rendered, root};

/// `kubectl` with a manifest on its standard input; a warning is an error.
async fn kubectl(cluster: &Cluster, arguments: &[&str], manifest: &str) -> Result<()> {
    fed(cluster.kubectl(&[arguments, &["--warnings-as-errors"]].concat()), manifest).await.map(drop)
}

/// Every file of the repository with this ending. Templates are no YAML before Helm has been at them, and it has below.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "templates" {
                files(&path, ending, found)?;
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

/// Every file with this ending, as a path in the repository and its text.
fn texts(ending: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    files(root(), ending, &mut found)?;
    let text = |path: PathBuf| {
        Ok((path.strip_prefix(root())?.display().to_string(), std::fs::read_to_string(&path)?))
    };
    found.into_iter().map(text).collect()
}

/// Kustomizations, Helm's files and kwok's stages are read by their tools and by no API server. Argo Rollouts' kinds come
/// with its controller, and `make install-test` has that.
fn is_manifest(text: &str) -> bool {
    // At the first error: the parser never gets past it, and would tell it for ever.
    let documents: Result<Vec<Value>, _> =
        serde_yaml_ng::Deserializer::from_str(text).map(Value::deserialize).collect();
    let Ok(documents) = documents else { return false };
    let foreign = [
        "kustomize.config.k8s.io/",
        "kwok.x-k8s.io/",
        // Objects of these are tried by tests/gitops, with their kinds there.
        "argoproj.io/",
        "helm.cattle.io/",
        "kustomize.toolkit.fluxcd.io/",
        "notification.toolkit.fluxcd.io/",
        "source.toolkit.fluxcd.io/",
        // Objects of these are tried by tests/autoscaler, with their kinds there.
        "autoscaling.k8s.io/",
        "keda.sh/",
        // Objects of these are tried by tests/install/kyverno.rs, with their kinds there.
        "kyverno.io/",
        // Not a part of Kubernetes; docs/examples.md says so.
        "gateway.networking.k8s.io/",
    ];
    let object = |document: &Value| {
        let version = document["apiVersion"].as_str().unwrap_or_default();
        document["kind"].is_string()
            && !version.is_empty()
            && !foreign.iter().any(|group| version.starts_with(group))
    };
    documents.iter().any(|document| !document.is_null())
        && documents.iter().filter(|d| !d.is_null()).all(object)
}

/// Applies the part of an app that it is about to an app that is there.
const PARTS: &str = "tests/gitops/managers.rs";

/// The YAML of a document's fenced blocks, as far as it is whole objects.
fn fenced(text: &str) -> Vec<String> {
    let blocks = blocks::blocks(text).into_iter().filter(|block| block.language == "yaml");
    let whole = blocks.filter(|block| block.way != Some(Way::By(PARTS.to_owned())));
    whole.map(|block| block.text).filter(|block| is_manifest(block)).collect()
}

/// What there is, by a name that says where it comes from.
fn everything_there_is() -> Result<Vec<(String, String)>> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (path, text) in texts("kustomization.yaml")? {
        // A component only adds to another; `tests/kustomize/everything` has them all.
        if !text.contains("kind: Component") {
            let folder = path.trim_end_matches("/kustomization.yaml");
            all.push((format!("kustomize {folder}"), kustomize(folder)));
        }
    }
    let one_namespace = json!({"watchNamespaces": ["shop", "keda"], "crds": {"enabled": false}});
    let deny = json!({"liveColorEdits": "Deny", "liveAppDeletion": "Deny", "replicasReset": "Deny", "ownWrites": "Warn", "replicaCount": 1});
    for values in [json!({}), everything(), one_namespace, deny] {
        all.push((format!("chart with {values}"), rendered(&values).map_err(anyhow::Error::msg)?));
    }
    for ending in [".yaml", ".yml", ".json"] {
        // A patch is complete only with its base; its kustomization is above.
        let whole =
            texts(ending)?.into_iter().filter(|(path, _)| path != "examples/kustomize/test/colors.yaml");
        all.extend(whole.filter(|(_, text)| is_manifest(text)));
    }
    for (path, text) in texts(".md")? {
        for (number, block) in fenced(&text).into_iter().enumerate() {
            all.push((format!("{path}, block {}", number + 1), block));
        }
    }
    Ok(all)
}

/// As `kubectl apply` does it, without an effect. The error is what the API server has against it.
async fn verdict(cluster: &Cluster, manifest: &str) -> Result<()> {
    let dry =
        ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
    kubectl(cluster, &dry, manifest).await
}

/// The kinds and namespaces that the manifests take for granted.
async fn prepare(cluster: &Cluster) -> Result<()> {
    let mut kinds = std::fs::read_to_string(root().join("crds/bluegreen.dev_bluegreenapps.yaml"))?;
    for file in prometheus::operator_crds()? {
        kinds = format!("{kinds}\n---\n{}", std::fs::read_to_string(file)?);
    }
    let apply = ["apply", "--server-side", "-f", "-"];
    kubectl(cluster, &apply, &kinds).await?;
    let established = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"];
    kubectl(cluster, &established, "").await?;
    kubectl(cluster, &apply, &std::fs::read_to_string(root().join("config/default/namespace.yaml"))?).await?;
    for namespace in ["shop", "bluegreen-demo", "argocd", "keda"] {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        kubectl(cluster, &apply, &object.to_string()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn does_a_real_api_server_take_every_manifest() -> Result<()> {
    let cluster = Cluster::shared().await?;
    prepare(cluster).await?;
    let all = everything_there_is()?;
    let mut wrong = Vec::new();
    for (name, manifest) in &all {
        match verdict(cluster, manifest).await {
            Ok(()) => println!("accepted: {name}"),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    println!("{} of {} accepted", all.len() - wrong.len(), all.len());
    for folder in
        ["kustomize config/default", "chart with", "dist/install.yaml", "examples/", "README.md, block"]
    {
        ensure!(all.iter().any(|(name, _)| name.starts_with(folder)), "{folder} was not found");
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The verdict is worth something: what is shipped, each with one mistake.
#[tokio::test]
async fn does_it_refuse_what_is_wrong() -> Result<()> {
    let cluster = Cluster::shared().await?;
    prepare(cluster).await?;
    let manifest = kustomize("config/default");
    verdict(cluster, &manifest).await?;
    for (right, wrong) in [
        ("readOnlyRootFilesystem:", "readOnlyRootFileSystem:"),
        ("runAsNonRoot: true", "runAsNonRoot: yes-please"),
        ("cpu: ", "cpu: banana-"),
        // Pod Security refuses pods, and only warns about a Deployment.
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        ("kind: ClusterRole\n", "kind: ClusterRoll\n"),
    ] {
        ensure!(manifest.contains(right), "{right} is not there to be broken");
        let broken = manifest.replace(right, wrong);
        ensure!(verdict(cluster, &broken).await.is_err(), "{wrong} is accepted");
    }
    Ok(())
}

/// Without `--server-side`, `kubectl` keeps each object in an annotation of it, which has room for 256 KiB.
#[tokio::test]
async fn can_the_installation_be_applied_without_server_side_apply() -> Result<()> {
    let cluster = Cluster::shared().await?;
    prepare(cluster).await?;
    let apply = async |manifest: &str| {
        let dry = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        fed(cluster.kubectl(&dry), manifest).await
    };
    let all = std::fs::read_to_string(root().join("dist/install.yaml"))?;
    let applied = apply(&all).await?;
    ensure!(applied.contains("customresourcedefinition.apiextensions.k8s.io/bluegreenapps"), "{applied}");
    let large = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large", "namespace": "shop"},
        "data": {"a": "x".repeat(256 * 1024)}});
    let Err(refused) = apply(&large.to_string()).await else { bail!("an object of 256 KiB is taken") };
    ensure!(refused.to_string().contains("Too long"), "{refused}");
    Ok(())
}
