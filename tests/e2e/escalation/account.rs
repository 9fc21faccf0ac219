//! The operator's own account, should somebody get hold of its token.

use anyhow::{Result, bail, ensure};
use bluegreen_api::BlueGreenApp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::harness::{Sandbox, app};

#[tokio::test]
async fn does_the_operators_account_open_no_other_door() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("account", &app("hello")).await?;
    let client = sandbox.user.client()?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &sandbox.namespace);
    let apps: Api<BlueGreenApp> = Api::namespaced(client.clone(), &sandbox.namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &sandbox.namespace);
    let bindings: Api<RoleBinding> = Api::namespaced(client, &sandbox.namespace);
    let merge = PatchParams { dry_run: true, ..PatchParams::default() };
    let none = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let refused = |what: &str, error: Option<kube::Error>| match error {
        Some(kube::Error::Api(status)) if status.code == 403 => Ok(()),
        other => bail!("{what}: {other:?}"),
    };
    refused("read secrets", secrets.list(&ListParams::default()).await.err())?;
    refused("edit an app", apps.patch("hello", &merge, &none).await.err())?;
    refused("edit a pod", pods.patch("x", &merge, &none).await.err())?;
    refused("see bindings", bindings.list(&ListParams::default()).await.err())?;
    // These 403 are the test's own, under the operator's name.
    let finished = sandbox.finish().await;
    ensure!(finished.is_err_and(|error| error.to_string().contains("secrets")), "the guard must notice them");
    Ok(())
}
