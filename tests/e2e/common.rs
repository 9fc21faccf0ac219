//! `spec.commonMetadata` where the cluster demands a label of everything.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::patiently;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World, app};

/// A policy that refuses everything without the label `team` in this namespace, as many companies have one.
async fn demand_a_team(sandbox: &Sandbox) -> Result<()> {
    let name = &sandbox.namespace;
    let rules = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": resources});
    let policy = json!({
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                rules("apps", &["deployments", "replicasets", "controllerrevisions"]),
                rules("", &["services", "pods"]),
            ]},
            "validations": [{
                "expression": "'team' in object.metadata.?labels.orValue({})", "message": "every object needs a team",
            }],
        },
    });
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(policy)?;
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &policy).await?;
    let binding = json!({
        "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}},
        },
    });
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(binding)?;
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &binding).await?;
    let service = json!({"metadata": {"name": "probe"}, "spec": {"ports": [{"port": 1}]}});
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let services = Kind::Service.api(&sandbox.client, name);
    let attempt = async || {
        let asked = services.create(&params, &serde_json::from_value(service.clone())?).await;
        asked.err().context("the policy is never in effect").map(drop)
    };
    patiently(Duration::from_secs(30), attempt).await
}

fn team_of(world: &World, kind: Kind, name: &str) -> Option<String> {
    Some(world.raw(kind, name)?["metadata"]["labels"]["team"].as_str()?.to_owned())
}

#[tokio::test]
async fn can_an_app_run_and_be_switched_where_every_object_needs_a_team() -> Result<()> {
    let sandbox = Sandbox::new("team").await?;
    demand_a_team(&sandbox).await?;
    let result = with_a_team(&sandbox).await;
    let params = DeleteParams::default();
    Api::<ValidatingAdmissionPolicyBinding>::all(sandbox.client.clone())
        .delete(&sandbox.namespace, &params)
        .await?;
    Api::<ValidatingAdmissionPolicy>::all(sandbox.client.clone()).delete(&sandbox.namespace, &params).await?;
    result?;
    sandbox.finish().await
}

async fn with_a_team(sandbox: &Sandbox) -> Result<()> {
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello")).await?;
    sandbox.until("it is refused", |world| world.stalled("hello", "Refused")).await?;
    let labels = |team: &str| json!({"labels": {"team": team}});
    // The pods' own labels make a revision, so they are apart.
    let spec = json!({"commonMetadata": labels("a"), "template": {"metadata": labels("a")}});
    sandbox.edit("hello", spec).await?;
    sandbox.until("blue serves", |world| world.settled("hello") && world.serves("hello", Blue)).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.settled("hello") && world.serves("hello", Green)).await?;

    let pods = |world: &World| [Blue, Green].map(|color| world.pods("hello", color));
    let before = pods(&sandbox.world());
    sandbox.edit("hello", json!({"commonMetadata": labels("b")})).await?;
    let children = [
        (Kind::Service, "hello"),
        (Kind::Service, "hello-blue"),
        (Kind::Service, "hello-green"),
        (Kind::Deployment, "hello-blue"),
        (Kind::Deployment, "hello-green"),
    ];
    let is_of = |world: &World, team: Option<&str>| {
        children.iter().all(|(kind, name)| team_of(world, *kind, name).as_deref() == team)
    };
    sandbox.until("all is of team b", |world| is_of(world, Some("b")) && world.settled("hello")).await?;
    ensure!(pods(&sandbox.world()) == before, "a pod was replaced");
    let others = |world: &World| -> Vec<Value> {
        world.all(Kind::Pod).map(|(_, pod)| pod["metadata"]["labels"]["team"].clone()).collect()
    };
    ensure!(others(&sandbox.world()).iter().all(|team| team == "a"), "pods have what their template says");
    Ok(())
}
