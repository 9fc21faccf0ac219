//! The optional admission policy of `config/policy`: what `kubectl apply` says at once about an edit that would be held.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{Sandbox, World, app};

const POLICY: &str = include_str!("../../config/policy/policy.yaml");
const BINDING: &str = include_str!("../../config/policy/binding.yaml");

/// An edit of the live color's block.
fn edit(tag: &str) -> Value {
    json!({"blue": {"tag": tag}})
}

/// What kubectl says to a change of the spec: an error, where there is a warning.
async fn patch(sandbox: &Sandbox, spec: &Value, more: &[&str]) -> Result<String> {
    let patch = json!({ "spec": spec }).to_string();
    let mut arguments = vec!["patch", "bga", "hello", "--type=merge", "--warnings-as-errors", "-p", &patch];
    arguments.extend(more);
    sandbox.kubectl(&arguments).await
}

/// Installs the shipped policy for this namespace alone, under its name, and waits until it is in effect.
async fn install(sandbox: &Sandbox, action: &str) -> Result<()> {
    let name = &sandbox.namespace;
    let mut policy: ValidatingAdmissionPolicy = serde_yaml_ng::from_str(POLICY)?;
    policy.metadata.name = Some(name.clone());
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &policy).await?;
    let mut binding: Value = serde_yaml_ng::from_str(BINDING)?;
    ensure!(binding["spec"]["validationActions"] == json!(["Warn"]), "what is shipped warns");
    binding["metadata"]["name"] = json!(name);
    binding["spec"] = json!({
        "policyName": name,
        "validationActions": [action],
        "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}},
    });
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(binding)?;
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &binding).await?;
    let start = Instant::now();
    while patch(sandbox, &edit("probe"), &["--dry-run=server"]).await.is_ok() {
        ensure!(start.elapsed() < Duration::from_secs(30), "the policy is never in effect");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn uninstall(sandbox: &Sandbox) -> Result<()> {
    let (name, params) = (&sandbox.namespace, DeleteParams::default());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(sandbox.client.clone());
    bindings.delete(name, &params).await?;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(sandbox.client.clone());
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
    install(&sandbox, "Warn").await?;

    let warned = patch(&sandbox, &edit("v9"), &[]).await.err().map(|error| error.to_string());
    is_told(&warned.unwrap_or_default());
    sandbox.until("it passed", |world| world.stalled("hello", "LiveColorEditHeld")).await?;
    // It is said already; and this is how it is taken back.
    patch(&sandbox, &edit("v1"), &[]).await?;
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
        patch(&sandbox, &spec, &[]).await?;
    }
    sandbox.until("blue was rolled", |world| world.serves("hello", Blue) && runs(world, "v5")).await?;
    // Both in one: blue takes it after the drain. Then blue is idle.
    patch(&sandbox, &json!({"activeUpdatePolicy": "Freeze", "active": "green", "blue": {"tag": "v6"}}), &[])
        .await?;
    sandbox.until("green serves", |world| world.serves("hello", Green) && runs(world, "v6")).await?;
    patch(&sandbox, &edit("v7"), &[]).await?;
    patch(&sandbox, &json!({"blue": null}), &[]).await?;
    sandbox
        .until("blue is gone", |world| world.condition("hello", "StandbyReady", "False", "Absent"))
        .await?;
    uninstall(&sandbox).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_an_edit_of_the_live_color_refused_where_that_was_chosen() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("policy-deny", &app("hello")).await?;
    install(&sandbox, "Deny").await?;
    let generation = |world: &World| world.app("hello").and_then(|app| app.metadata.generation);
    let before = generation(&sandbox.world());
    let refused = sandbox.edit("hello", edit("v9")).await.err().map(|error| error.to_string());
    is_told(&refused.unwrap_or_default());
    assert_eq!(generation(&sandbox.world()), before);

    sandbox.edit("hello", json!({"blue": {"tag": "v9"}, "active": "green"})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green) && runs(world, "v9")).await?;
    uninstall(&sandbox).await?;
    sandbox.finish().await
}
