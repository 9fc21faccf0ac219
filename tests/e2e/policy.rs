//! The optional admission policies: what kubectl says at once about an edit that would be held (`config/policy`), about
//! the deletion of an app that serves (`config/deletion-policy`), and about a size that is lost (`config/replicas-policy`);
//! and of freeze windows (`config/freeze`).

mod freeze;
mod replicas;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::patiently;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{Sandbox, World, app};

/// A policy as it is shipped, and what it has something against.
struct Shipped {
    policy: &'static str,
    binding: &'static str,
    actions: &'static [&'static str],
    probe: &'static [&'static str],
}

const EDITS: Shipped = Shipped {
    policy: include_str!("../../config/policy/policy.yaml"),
    binding: include_str!("../../config/policy/binding.yaml"),
    actions: &["Warn"],
    probe: &["patch", "bga", "hello", "--type=merge", "-p", r#"{"spec":{"blue":{"tag":"probe"}}}"#],
};

const DELETIONS: Shipped = Shipped {
    policy: include_str!("../../config/deletion-policy/policy.yaml"),
    binding: include_str!("../../config/deletion-policy/binding.yaml"),
    actions: &["Warn", "Audit"],
    probe: &["delete", "bga", "hello"],
};

/// An edit of the live color's block.
fn edit(tag: &str) -> Value {
    json!({"blue": {"tag": tag}})
}

/// What kubectl says: an error, where there is a warning.
async fn strictly(sandbox: &Sandbox, arguments: &[&str]) -> Result<String> {
    sandbox.kubectl(&[arguments, &["--warnings-as-errors"]].concat()).await
}

async fn patch(sandbox: &Sandbox, spec: &Value) -> Result<String> {
    let patch = json!({ "spec": spec }).to_string();
    strictly(sandbox, &["patch", "bga", "hello", "--type=merge", "-p", &patch]).await
}

/// Creates a policy and a binding of it under the namespace's name, for this namespace alone.
async fn create(sandbox: &Sandbox, policy: &str, mut binding: Value) -> Result<()> {
    let name = &sandbox.namespace;
    let mut policy: ValidatingAdmissionPolicy = serde_yaml_ng::from_str(policy)?;
    policy.metadata.name = Some(name.clone());
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &policy).await?;
    binding["metadata"]["name"] = json!(name);
    binding["spec"]["policyName"] = json!(name);
    binding["spec"]["matchResources"] =
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(binding)?;
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &binding).await?;
    Ok(())
}

/// Installs a shipped policy for this namespace alone, and waits until it is in effect.
async fn install(sandbox: &Sandbox, shipped: &Shipped, action: &str) -> Result<()> {
    let mut binding: Value = serde_yaml_ng::from_str(shipped.binding)?;
    ensure!(binding["spec"]["validationActions"] == json!(shipped.actions), "what is shipped warns");
    binding["spec"]["validationActions"] = json!([action]);
    create(sandbox, shipped.policy, binding).await?;
    let probe = [shipped.probe, &["--dry-run=server"]].concat();
    let attempt = async || {
        let asked = strictly(sandbox, &probe).await;
        asked.err().context("the policy is never in effect").map(drop)
    };
    patiently(Duration::from_secs(30), attempt).await
}

async fn uninstall(client: &Client, name: &str) -> Result<()> {
    let params = DeleteParams::default();
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    bindings.delete(name, &params).await?;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    policies.delete(name, &params).await?;
    Ok(())
}

/// Field and remedy.
fn is_told(message: &str) {
    for words in [
        "spec.blue was edited while blue is live",
        "put it in spec.green and set spec.active to green",
        "set spec.activeUpdatePolicy to RollingUpdate",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

fn runs(world: &World, tag: &str) -> bool {
    world.image("hello", Blue) == Some(format!("team/hello:{tag}"))
}

#[tokio::test]
async fn is_an_edit_of_the_live_color_warned_about_and_nothing_else() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("policy-warn", &app("hello")).await?;
    install(&sandbox, &EDITS, "Warn").await?;

    let warned = patch(&sandbox, &edit("v9")).await.err().map(|error| error.to_string());
    is_told(&warned.unwrap_or_default());
    sandbox.until("it passed", |world| world.stalled("hello", "LiveColorEditHeld")).await?;
    // It is said already; and this is how it is taken back.
    patch(&sandbox, &edit("v1")).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;

    for spec in [
        json!({"green": {"tag": "v3"}}),
        json!({"image": "team/other"}),
        json!({"image": "team/hello"}),
        json!({"template": {"metadata": {"labels": {"team": "a"}}}}),
        json!({"replicas": 3}),
        json!({"paused": true}),
        json!({"paused": false}),
        // The first may only say that it is to be rolled, the second already is.
        json!({"activeUpdatePolicy": "RollingUpdate", "blue": {"tag": "v4"}}),
        json!({"blue": {"tag": "v5"}}),
    ] {
        patch(&sandbox, &spec).await?;
    }
    sandbox.until("blue was rolled", |world| world.serves("hello", Blue) && runs(world, "v5")).await?;
    // Both in one: blue takes it after the drain. Then blue is idle.
    patch(&sandbox, &json!({"activeUpdatePolicy": "Freeze", "active": "green", "blue": {"tag": "v6"}}))
        .await?;
    sandbox.until("green serves", |world| world.serves("hello", Green) && runs(world, "v6")).await?;
    patch(&sandbox, &edit("v7")).await?;
    patch(&sandbox, &json!({"blue": null})).await?;
    sandbox
        .until("blue is gone", |world| world.condition("hello", "StandbyReady", "False", "Absent"))
        .await?;
    uninstall(&sandbox.client, &sandbox.namespace).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_an_edit_of_the_live_color_refused_where_that_was_chosen() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("policy-deny", &app("hello")).await?;
    install(&sandbox, &EDITS, "Deny").await?;
    let generation = |world: &World| world.app("hello").and_then(|app| app.metadata.generation);
    let before = generation(&sandbox.world());
    let refused = sandbox.edit("hello", edit("v9")).await.err().map(|error| error.to_string());
    is_told(&refused.unwrap_or_default());
    assert_eq!(generation(&sandbox.world()), before);

    sandbox.edit("hello", json!({"blue": {"tag": "v9"}, "active": "green"})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green) && runs(world, "v9")).await?;
    uninstall(&sandbox.client, &sandbox.namespace).await?;
    sandbox.finish().await
}

const ALLOW: [&str; 4] = ["annotate", "bga", "hello", "bluegreen.dev/allow-deletion=true"];

/// What it would do, and the remedy.
fn is_told_of_deletion(answer: Result<String>) {
    let message = answer.err().map(|error| error.to_string()).unwrap_or_default();
    for words in
        ["BlueGreenApp hello serves (blue is live)", "deletes its Services", "kubectl annotate bga hello -n"]
    {
        assert!(message.contains(words), "{message}");
    }
    assert!(message.contains(ALLOW[3]), "{message}");
}

#[tokio::test]
async fn is_the_deletion_of_an_app_that_serves_warned_about_and_carried_out() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("deletion-warn", &app("hello")).await?;
    install(&sandbox, &DELETIONS, "Warn").await?;
    let dry = ["delete", "bga", "hello", "--dry-run=server"];
    is_told_of_deletion(strictly(&sandbox, &dry).await);
    sandbox.kubectl(&ALLOW).await?;
    strictly(&sandbox, &dry).await?;
    sandbox.kubectl(&["annotate", "bga", "hello", "bluegreen.dev/allow-deletion-"]).await?;
    is_told_of_deletion(strictly(&sandbox, &dry).await);
    sandbox.kubectl(&["delete", "bga", "hello"]).await?;
    sandbox.until("it is gone", |world| world.app("hello").is_none()).await?;
    uninstall(&sandbox.client, &sandbox.namespace).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_the_deletion_of_an_app_that_serves_refused_where_that_was_chosen_but_not_that_of_its_namespace()
-> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("deletion-deny", &app("hello")).await?;
    install(&sandbox, &DELETIONS, "Deny").await?;
    let uid = |world: &World| world.app("hello").and_then(|app| app.metadata.uid);
    let before = uid(&sandbox.world());
    let file = std::env::temp_dir().join(format!("{}.yaml", sandbox.namespace));
    std::fs::write(&file, sandbox.kubectl(&["get", "bga", "hello", "-o", "yaml"]).await?)?;
    let path = file.to_string_lossy();
    is_told_of_deletion(sandbox.kubectl(&["replace", "--force", "-f", &path]).await);
    is_told_of_deletion(sandbox.kubectl(&["delete", "bga", "--all"]).await);
    // The API server refuses the edit itself, so kubectl goes on to delete the app, as a sync of Argo CD with `Force=true` does.
    let mut invalid: Value =
        serde_json::from_str(&sandbox.kubectl(&["get", "bga", "hello", "-o", "json"]).await?)?;
    invalid["spec"]["port"] = json!(0);
    std::fs::write(&file, invalid.to_string())?;
    is_told_of_deletion(sandbox.kubectl(&["apply", "--force", "-f", &path]).await);
    std::fs::remove_file(&file)?;
    assert!(before.is_some() && uid(&sandbox.world()) == before);

    let (client, namespace) = (sandbox.client.clone(), sandbox.namespace.clone());
    sandbox.finish().await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let is_gone = async || {
        ensure!(namespaces.get_opt(&namespace).await?.is_none(), "the namespace stays");
        Ok(())
    };
    patiently(Duration::from_secs(60), is_gone).await?;
    uninstall(&client, &namespace).await
}
