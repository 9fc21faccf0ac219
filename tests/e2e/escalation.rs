//! What do people and pipelines get through the operator that they would not get without it? One row an attempt, and what
//! stops it.

mod account;
mod attempts;
mod pipeline;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::Blue;
use bluegreen_cluster::patiently;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Sandbox, World, app};

/// In a namespace with the restricted Pod Security Standard: nothing that it forbids runs, the app says why, and what
/// serves is left alone.
#[tokio::test]
async fn does_a_restricted_namespace_stay_restricted() -> Result<()> {
    let decent = json!({"template": {"spec": {
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "app", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
    }}});
    let sandbox = Sandbox::new("restricted").await?;
    let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces: Api<Namespace> = Api::all(sandbox.client.clone());
    namespaces.patch(&sandbox.namespace, &PatchParams::default(), &Patch::Merge(labels)).await?;
    let (sandbox, _operator) = sandbox.serve(&app("hello").with(decent.clone())).await?;
    let security = |context: Value| json!({"containers": [{"name": "app", "securityContext": context}]});
    let attempts = [
        ("privileged", security(json!({"privileged": true}))),
        ("hostPath", json!({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]})),
        ("hostNetwork", json!({"hostNetwork": true})),
        ("hostPID", json!({"hostPID": true})),
        ("runAsNonRoot", json!({"securityContext": {"runAsNonRoot": false}})),
        ("capabilities", security(json!({"capabilities": {"add": ["NET_ADMIN"]}}))),
    ];
    let count = attempts.len();
    for (number, (what, spec)) in attempts.into_iter().enumerate() {
        // The whole template anew, without what the last row added.
        let wanted = app("hello").with(decent.clone()).with(json!({
            "active": "green", "green": {"tag": format!("v3{number}")}, "progressDeadlineSeconds": 2,
            "template": {"spec": spec},
        }));
        sandbox.apply(&wanted).await?;
        let says = |world: &World| {
            world.says("hello", "Stalled").is_some_and(|(_, words)| words.contains("violates PodSecurity"))
        };
        sandbox.until(&format!("{what}: it says what forbids it"), says).await?;
        let world = sandbox.world();
        assert_eq!(world.selects("hello"), "blue", "{what}");
        assert!(world.pods("hello", Blue).len() == 2, "{what}: blue is left alone");
        sandbox.apply(&app("hello").with(decent.clone())).await?;
        sandbox.until(&format!("{what}: undone"), |world| world.serves("hello", Blue)).await?;
    }
    println!("{count} of {count} stopped by Pod Security");
    sandbox.finish().await
}

/// The block of docs/security.md that has this line, in it the only policy of its name.
fn sample(name: &str) -> Result<Vec<DynamicObject>> {
    let text = include_str!("../../docs/security.md");
    let mut blocks = text.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let block = blocks.find(|block| block.contains(name)).context("the document has no such policy")?;
    let object = |document| Ok(serde_json::from_value(Value::deserialize(document)?)?);
    serde_yaml_ng::Deserializer::from_str(block).map(object).collect()
}

#[tokio::test]
async fn does_the_policy_of_the_documents_limit_the_services_of_apps() -> Result<()> {
    let sandbox = Sandbox::new("services").await?;
    pipeline::install(&sandbox.client).await?;
    let mut policy = sample("services-of-apps")?;
    for binding in policy.iter_mut().filter(|object| object.data["spec"]["policyName"].is_string()) {
        // Other tests run beside this one.
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": sandbox.namespace}});
        binding.data["spec"]["matchResources"] = json!({"namespaceSelector": here});
    }
    pipeline::apply(&sandbox.client, &policy).await?;
    let editor = pipeline::user(&sandbox, "author", "bluegreenapp-editor").await?;
    let apps: Api<DynamicObject> = crate::harness::Kind::App.api(&editor.client()?, &sandbox.namespace);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let of = |service: Value| serde_json::from_value(app("hello").with(json!({"service": service})).object());
    let told = async |service: Value| {
        let answer = apps.create(&params, &of(service)?).await;
        anyhow::Ok(
            answer.err().is_some_and(|error| error.to_string().contains("who may not create Services")),
        )
    };
    let in_effect = async || {
        ensure!(told(json!({"type": "NodePort"})).await?, "not in effect");
        Ok(())
    };
    patiently(Duration::from_secs(30), in_effect).await?;
    ensure!(told(json!({"type": "LoadBalancer"})).await?, "a load balancer");
    ensure!(told(json!({"type": "ClusterIP", "annotations": {"a": "b"}})).await?, "annotations");
    apps.create(&params, &of(json!({"type": "ClusterIP"}))?).await?;
    let by_admin: Api<DynamicObject> = crate::harness::Kind::App.api(&sandbox.client, &sandbox.namespace);
    by_admin.create(&PostParams::default(), &of(json!({"type": "NodePort"}))?).await?;
    // What is there already may stay, and so may what else is changed of it.
    apps.patch("hello", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 3}}))).await?;
    pipeline::remove(&sandbox.client, &policy).await?;
    sandbox.finish().await
}

/// An app can't be told to put its objects anywhere else.
#[tokio::test]
async fn can_an_app_name_another_namespace() -> Result<()> {
    let sandbox = Sandbox::new("elsewhere").await?;
    let apps: Api<DynamicObject> = crate::harness::Kind::App.api(&sandbox.client, &sandbox.namespace);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let mut elsewhere = app("hello").object();
    elsewhere["metadata"]["namespace"] = json!("kube-system");
    let error =
        apps.create(&params, &serde_json::from_value(elsewhere)?).await.err().context("it is taken")?;
    ensure!(error.to_string().contains("namespace"), "{error}");
    // No field of the spec names one: the strict schema refuses what it does not know.
    for spec in [
        json!({"namespace": "kube-system"}),
        json!({"service": {"namespace": "kube-system"}}),
        json!({"template": {"metadata": {"namespace": "kube-system"}}}),
    ] {
        let error = sandbox.apply(&app("hello").with(spec.clone())).await.err().context("it is taken")?;
        ensure!(format!("{error:#}").contains("field not declared in schema"), "{spec}: {error:#}");
    }
    sandbox.finish().await
}
