//! The notifier as the chart runs it: an account of its own with the chart's rules, bound for all namespaces.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bluegreen_cluster::patiently;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::SOON;
use crate::harness::Sandbox;
use crate::harness::operator::Operator;

/// The rules of its role.
pub const RULES: &str = include_str!("../../../charts/bluegreen-operator/files/notify-rules.yaml");

/// Its ServiceAccount.
const ACCOUNT: &str = "notifier";

/// The notifier's account in a namespace.
pub struct Account {
    /// Its name for the API server.
    pub user: String,
    role: String,
    kubeconfig: PathBuf,
}

impl Account {
    /// The account of a sandbox.
    pub async fn new(sandbox: &Sandbox) -> Result<Self> {
        Self::of(&sandbox.client, &sandbox.namespace, &sandbox.user.kubeconfig).await
    }

    /// An account in this namespace, of the cluster of this kubeconfig. Returns when its rights are in effect.
    pub async fn of(admin: &Client, namespace: &str, other: &Path) -> Result<Self> {
        let (params, role) = (PostParams::default(), format!("notify-{namespace}"));
        let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), namespace);
        accounts.create(&params, &serde_json::from_value(json!({"metadata": {"name": ACCOUNT}}))?).await?;
        let rules: Value = serde_yaml_ng::from_str(RULES)?;
        let object = json!({"metadata": {"name": role}, "rules": rules});
        Api::<ClusterRole>::all(admin.clone()).create(&params, &serde_json::from_value(object)?).await?;
        let binding = json!({
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
        });
        Api::<ClusterRoleBinding>::all(admin.clone())
            .create(&params, &serde_json::from_value(binding)?)
            .await?;
        let request: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": []}}))?;
        let token = accounts.create_token_request(ACCOUNT, &params, &request).await?;
        let token = token.status.context("a token")?.token;

        let mut config: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(other)?)?;
        config["users"][0]["user"] = json!({ "token": token });
        let kubeconfig = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{role}.kubeconfig"));
        std::fs::write(&kubeconfig, serde_yaml_ng::to_string(&config)?)?;
        let account = Self { user: format!("system:serviceaccount:{namespace}:{ACCOUNT}"), role, kubeconfig };
        let apps: Api<bluegreen_api::BlueGreenApp> = Api::all(account.client().await?);
        let attempt = async || Ok(apps.list(&ListParams::default().limit(1)).await?);
        patiently(SOON, attempt).await?;
        Ok(account)
    }

    /// A client with its token.
    pub async fn client(&self) -> Result<Client> {
        let file = Kubeconfig::read_from(&self.kubeconfig)?;
        let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        // None reaches what is on this machine only.
        config.proxy_url = None;
        Ok(Client::try_from(config)?)
    }

    /// Starts the notifier with these receivers. Returns once it has its baseline.
    pub async fn notifier(
        &self,
        sandbox: &Sandbox,
        receivers: &[String],
        flags: &[&str],
    ) -> Result<Operator> {
        self.start(&sandbox.environment(&self.kubeconfig)?, receivers, flags).await
    }

    /// As [`Account::notifier`], in this environment.
    pub async fn start(
        &self,
        environment: &[(String, String)],
        receivers: &[String],
        flags: &[&str],
    ) -> Result<Operator> {
        let file = self.kubeconfig.with_extension("config.yaml");
        std::fs::write(&file, format!("cluster: test\nreceivers:\n- {}\n", receivers.join("\n- ")))?;
        let mut arguments = vec![
            "notify".to_owned(),
            format!("--config={}", file.display()),
            "--health-addr=127.0.0.1:0".to_owned(),
            "--metrics-addr=127.0.0.1:0".to_owned(),
            "--log-format=text".to_owned(),
        ];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let log = self.kubeconfig.with_extension("log");
        let notifier = Operator::start(&arguments, environment, &log)?;
        notifier.says("what happens from now on is told", SOON).await?;
        Ok(notifier)
    }

    /// The kubeconfig with its token.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Removes what is not in its namespace.
    pub async fn remove(self, sandbox: &Sandbox) -> Result<()> {
        let params = DeleteParams::default();
        Api::<ClusterRoleBinding>::all(sandbox.client.clone()).delete(&self.role, &params).await?;
        Api::<ClusterRole>::all(sandbox.client.clone()).delete(&self.role, &params).await?;
        Ok(())
    }
}
