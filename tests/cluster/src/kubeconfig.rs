//! Kubeconfig files with everything inside: they can be copied into a Secret or to another machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::pki::{Pair, Pki};

/// Somebody who may talk to the API server. What they may do is up to RBAC, which the caller sets up.
#[derive(Clone)]
pub struct UserAccount {
    /// User name as RBAC and the audit log know it.
    pub name: String,
    /// Kubeconfig file.
    pub kubeconfig: PathBuf,
    /// The same for kube.
    pub config: kube::Config,
}

impl UserAccount {
    /// A client of its own. It belongs to the tokio runtime in which it is created.
    pub fn client(&self) -> Result<kube::Client> {
        Ok(kube::Client::try_from(self.config.clone())?)
    }
}

/// Writes a kubeconfig with a client certificate.
pub fn write(pki: &Pki, server: &str, user: &str, pair: &Pair, path: &Path) -> Result<()> {
    let data = |text: &str| STANDARD.encode(text);
    let user_data = json!({
        "client-certificate-data": data(&pair.certificate),
        "client-key-data": data(&pair.key),
    });
    let cluster = json!({"server": server, "certificate-authority-data": data(&pki.authority()?)});
    write_yaml(&document(user, user_data, cluster), path)
}

/// Reads a kubeconfig file of ours into a configuration for kube. No proxy reaches what is on this machine only, and
/// kube would take one from the environment even for a loopback address.
pub async fn load(path: &Path) -> Result<kube::Config> {
    let mut config = from(Kubeconfig::read_from(path)?).await?;
    config.proxy_url = None;
    Ok(config)
}

/// The current context of a kubeconfig as a configuration for kube.
pub async fn from(kubeconfig: Kubeconfig) -> Result<kube::Config> {
    Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
}

/// Writes what serializes to YAML, readable by its owner only: it holds private keys.
pub fn write_yaml(document: &impl serde::Serialize, path: &Path) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(serde_yaml_ng::to_string(document)?.as_bytes())?)
}

fn document(user: &str, user_data: Value, cluster: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bluegreen-test", "cluster": cluster}],
        "users": [{"name": user, "user": user_data}],
        "contexts": [{"name": "bluegreen-test", "context": {"cluster": "bluegreen-test", "user": user}}],
        "current-context": "bluegreen-test",
    })
}
