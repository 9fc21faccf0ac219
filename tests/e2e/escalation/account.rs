//! The operator's own account, should somebody get hold of its token.

mod rows;

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::BlueGreenApp;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::harness::{Kind, Sandbox, app, cluster, setup};
use rows::{NAMESPACE, Row, Write, job, others, rows};

/// What RBAC stops.
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

/// What the policy about the operator's own writes stops, and what it lets through. With every right that there is, and without an
/// effect.
#[tokio::test]
async fn does_the_operators_account_write_nothing_but_what_is_an_apps() -> Result<()> {
    let (sandbox, operator) = Sandbox::serving("own-writes", &app("hello")).await?;
    operator.terminate().await?;
    for (kind, object) in others() {
        sandbox.create(kind, object).await?;
    }
    // The garbage collector takes what another app of this name would own.
    let uid = sandbox.world().app("hello").and_then(|app| app.metadata.uid).context("uid")?;
    let mut owner = rows::ours("hello");
    owner[0]["uid"] = json!(uid);
    sandbox.create(Kind::Job, job("hello", json!({"ownerReferences": owner}))).await?;
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bluegreen-system"}});
    let params = PatchParams::apply("e2e");
    let namespaces: Api<Namespace> = Api::all(sandbox.client.clone());
    namespaces.patch("bluegreen-system", &params, &Patch::Apply(namespace)).await?;
    let client = setup::as_operator(cluster().await?, &sandbox.namespace)?;
    let rows = rows();
    let mut wrong = Vec::new();
    for Row { what, kind, namespace, write, answer } in &rows {
        let namespace = if namespace.is_empty() { &sandbox.namespace } else { *namespace };
        let api = kind.api(&client, namespace);
        let patch = PatchParams { dry_run: true, ..PatchParams::default() };
        let result = match write {
            Write::Create(object) => {
                let params = PostParams { dry_run: true, ..PostParams::default() };
                api.create(&params, &serde_json::from_value(object.clone())?).await.map(drop)
            }
            Write::Merge(name, body) => api.patch(name, &patch, &Patch::Merge(body)).await.map(drop),
            Write::Status(name, body) => api.patch_status(name, &patch, &Patch::Merge(body)).await.map(drop),
            Write::Delete(name) => {
                let params = DeleteParams { dry_run: true, ..DeleteParams::default() };
                api.delete(name, &params).await.map(drop)
            }
        };
        match result {
            Ok(()) if answer.is_empty() => {}
            Ok(()) => wrong.push(format!("nothing stops it: {what}, {kind:?} in {namespace}")),
            Err(error) if !answer.is_empty() && error.to_string().contains(answer) => {}
            Err(error) => wrong.push(format!("{what}, {kind:?} in {namespace}: {error}")),
        }
    }
    println!("{} of {} as they should be", rows.len() - wrong.len(), rows.len());
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    sandbox.finish().await
}

/// An administrator closes a namespace to the operator with a label; an app there says why it does not run.
#[tokio::test]
async fn does_a_namespace_that_is_closed_to_the_operator_stay_as_it_is() -> Result<()> {
    let sandbox = Sandbox::new("closed").await?;
    sandbox.kubectl(&["label", "namespace", &sandbox.namespace, "bluegreen.dev/apps=forbidden"]).await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello")).await?;
    sandbox
        .until("it says so", |world| {
            world.says("hello", "Stalled").is_some_and(|(_, words)| words.contains(NAMESPACE))
        })
        .await?;
    ensure!(sandbox.world().children("hello").is_empty(), "{:?}", sandbox.world().children("hello"));
    sandbox.kubectl(&["label", "namespace", &sandbox.namespace, "bluegreen.dev/apps-"]).await?;
    sandbox.until("it serves", |world| world.serves("hello", bluegreen_api::Color::Blue)).await?;
    let finished = sandbox.finish().await;
    ensure!(
        finished.is_err_and(|error| error.to_string().contains("no right")),
        "the guard must notice them"
    );
    Ok(())
}
