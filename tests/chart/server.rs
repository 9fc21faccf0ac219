//! Does a real API server take every manifest of the repository, with strict validation and without a warning?

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, prometheus};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::helm::{everything, kustomize, rendered, root};

/// `kubectl` with a manifest on its standard input; everything that it says.
fn kubectl(cluster: &Cluster, arguments: &[&str], manifest: &str) -> Result<String> {
    use std::io::Write;
    let mut child = Command::new(cluster.tool("kubectl"))
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("stdin")?.write_all(manifest.as_bytes())?;
    let output = child.wait_with_output()?;
    let words =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{words}");
    Ok(words)
}

/// Files that hold Kubernetes objects, wherever they are.
fn manifests(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // Templates are no YAML before Helm has been at them, and it has below.
            if !name.starts_with('.') && name != "target" && name != "templates" {
                manifests(&path, found)?;
            }
        } else if name.ends_with(".yaml") && is_manifest(&std::fs::read_to_string(&path)?) {
            found.push(path);
        }
    }
    Ok(())
}

/// Kustomizations, Helm's files and kwok's stages are read by their tools and by no API server.
fn is_manifest(text: &str) -> bool {
    let documents: Vec<Value> = serde_yaml_ng::Deserializer::from_str(text)
        .filter_map(|document| Value::deserialize(document).ok())
        .collect();
    let foreign = [
        "kustomize.config.k8s.io/",
        "kwok.x-k8s.io/",
        // Objects of these are tried by tests/gitops, with their kinds there.
        "argoproj.io/",
        "helm.cattle.io/",
        "kustomize.toolkit.fluxcd.io/",
        "source.toolkit.fluxcd.io/",
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

/// The YAML of a document's fenced blocks, as far as it is objects.
fn fenced(text: &str) -> Vec<String> {
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.map(|(block, _)| block.to_owned()).filter(|block| is_manifest(block)).collect()
}

#[tokio::test]
async fn does_a_real_api_server_take_every_manifest() -> Result<()> {
    let cluster = Cluster::shared().await?;
    // What they need to be there: their kinds and their namespaces.
    let mut kinds = std::fs::read_to_string(root().join("crds/bluegreen.dev_bluegreenapps.yaml"))?;
    for file in prometheus::operator_crds()? {
        kinds = format!("{kinds}\n---\n{}", std::fs::read_to_string(file)?);
    }
    kubectl(cluster, &["apply", "--server-side", "-f", "-"], &kinds)?;
    let established = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"];
    kubectl(cluster, &established, "")?;
    let namespace = std::fs::read_to_string(root().join("config/default/namespace.yaml"))?;
    kubectl(cluster, &["apply", "--server-side", "-f", "-"], &namespace)?;
    for namespace in ["shop", "bluegreen-demo", "argocd"] {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        kubectl(cluster, &["apply", "--server-side", "-f", "-"], &object.to_string())?;
    }

    let mut all: Vec<(String, String)> = Vec::new();
    for folder in ["config/default", "tests/kustomize/everything", "tests/demo/operator", "config/samples"] {
        all.push((format!("kustomize {folder}"), kustomize(folder)));
    }
    let one_namespace = json!({"watchNamespace": "shop", "crds": {"enabled": false}});
    for values in [json!({}), everything(), one_namespace] {
        all.push((format!("chart with {values}"), rendered(&values).map_err(anyhow::Error::msg)?));
    }
    let mut files = Vec::new();
    manifests(root(), &mut files)?;
    files.sort();
    for file in files {
        all.push((file.strip_prefix(root())?.display().to_string(), std::fs::read_to_string(&file)?));
    }
    for document in ["README.md", "docs"].map(|name| root().join(name)) {
        let documents = if document.is_dir() {
            std::fs::read_dir(document)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?
        } else {
            vec![document]
        };
        for path in documents.into_iter().filter(|path| path.is_file()) {
            for (number, block) in fenced(&std::fs::read_to_string(&path)?).into_iter().enumerate() {
                all.push((format!("{}, block {}", path.display(), number + 1), block));
            }
        }
    }

    let mut wrong = Vec::new();
    for (name, manifest) in &all {
        let dry = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        match kubectl(cluster, &dry, manifest) {
            Ok(words) if words.contains("Warning") => wrong.push(format!("{name}: {words}")),
            Ok(_) => println!("accepted: {name}"),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    println!("{} of {} accepted", all.len() - wrong.len(), all.len());
    ensure!(all.len() > 20, "they were not found: {}", all.len());
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
