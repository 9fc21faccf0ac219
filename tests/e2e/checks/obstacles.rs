//! What keeps a Job from running: none of it is a pass, and none of it is held against the color.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::CheckResult::{Inconclusive, Passed, Running};
use bluegreen_api::Color::Green;
use bluegreen_cluster::patiently;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{APP, Jobs, asked, entry, is, is_refused, job_within, message, serves_green};
use crate::harness::operator::Operator;
use crate::harness::{Kind, Sandbox, World, app};

const PASSES: &str = r#"{"exit": "0"}"#;

fn passes() -> Result<Value> {
    Ok(serde_json::from_str(PASSES)?)
}

/// A namespace with this quota, in which green is asked for under a check with this deadline.
async fn with_quota(
    name: &str,
    hard: Value,
    seconds: i32,
) -> Result<(Sandbox, Operator, Api<ResourceQuota>)> {
    let (sandbox, operator) = Sandbox::serving(name, &app(APP)).await?;
    let quotas: Api<ResourceQuota> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let quota = json!({"metadata": {"name": "tight"}, "spec": {"hard": hard}});
    quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
    // Until it has been counted once, everything is refused.
    let is_counted = async || {
        let status = quotas.get("tight").await?.status.unwrap_or_default();
        ensure!(status.used.is_some_and(|used| !used.is_empty()), "not counted yet");
        Ok(())
    };
    patiently(Duration::from_secs(30), is_counted).await?;
    sandbox.edit(APP, json!({"checks": [job_within(seconds, "smoke", "Before", &passes()?)]})).await?;
    sandbox.activate(APP, Green).await?;
    Ok((sandbox, operator, quotas))
}

/// A new text in the block tries the same again, and now it passes.
async fn again(sandbox: &Sandbox) -> Result<()> {
    sandbox.edit(APP, json!({"green": {"revision": "again"}})).await?;
    serves_green(sandbox).await?;
    assert!(is(&sandbox.world(), "smoke", Passed));
    Ok(())
}

#[tokio::test]
async fn does_a_quota_for_jobs_that_is_used_up_refuse_nothing_but_the_switch() -> Result<()> {
    let (sandbox, _operator, quotas) = with_quota("check-quota", json!({"count/jobs.batch": "0"}), 6).await?;
    sandbox.until("it waits", |world| is(world, "smoke", Running)).await?;
    let said = |message: Option<String>| message.is_some_and(|words| words.contains("exceeded quota"));
    let waits = entry(&sandbox.world(), "smoke").context("smoke")?;
    ensure!(said(waits.message.clone()), "{waits:?}");
    is_refused(&sandbox, "CheckInconclusive").await?;
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains("no verdict within 6 seconds") && said(Some(words.clone())), "{words}");
    let more = json!({"spec": {"hard": {"count/jobs.batch": "9"}}});
    quotas.patch("tight", &PatchParams::default(), &Patch::Merge(more)).await?;
    again(&sandbox).await?;
    sandbox.finish_refused("jobs").await
}

/// The Job is there, and its pod is not.
#[tokio::test]
async fn does_a_quota_for_pods_that_is_used_up_tell_nothing() -> Result<()> {
    let (sandbox, _operator, quotas) = with_quota("check-pods", json!({"count/pods": "4"}), 15).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    is_refused(&sandbox, "CheckInconclusive").await?;
    assert_eq!(jobs.pods(&name).await?.len(), 0);
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains(&format!("No pod of Job {name} was created")), "{words}");
    let more = json!({"spec": {"hard": {"count/pods": "20"}}});
    quotas.patch("tight", &PatchParams::default(), &Patch::Merge(more)).await?;
    again(&sandbox).await?;
    sandbox.finish().await
}

/// While it waits, the app says what it waits for, once; and no longer when that is over.
#[tokio::test]
async fn does_an_app_say_that_a_quota_holds_up_the_pod_of_a_check_until_there_is_room() -> Result<()> {
    let (sandbox, _operator, quotas) = with_quota("check-held", json!({"count/pods": "4"}), 300).await?;
    let name = Jobs::of(&sandbox).only("smoke").await?;
    let held = format!(
        "No pod of Job {name} was created within 10 seconds: `kubectl describe job {name}` tells why"
    );
    let says = |world: &World| {
        entry(world, "smoke").and_then(|entry| entry.message).is_some_and(|words| words.contains(&held))
            && world.says(APP, "Reconciling").is_some_and(|(_, words)| words.contains(&held))
    };
    sandbox.until("it says what holds it up", says).await?;
    let version = |world: &World| {
        let app = world.raw(Kind::App, APP).cloned();
        app.map(|app| app["metadata"]["resourceVersion"].clone())
    };
    let told = version(&sandbox.world());
    sandbox
        .throughout(Duration::from_secs(8), "it is told once", |world| says(world) && version(world) == told)
        .await?;
    let more = json!({"spec": {"hard": {"count/pods": "20"}}});
    quotas.patch("tight", &PatchParams::default(), &Patch::Merge(more)).await?;
    serves_green(&sandbox).await?;
    let passed = entry(&sandbox.world(), "smoke").context("smoke")?;
    ensure!(
        passed.result == Passed && !passed.message.clone().unwrap_or_default().contains("No pod"),
        "{passed:?}"
    );
    sandbox.finish().await
}

/// A policy of the cluster for this namespace alone.
async fn no_jobs(sandbox: &Sandbox) -> Result<()> {
    let name = &format!("no-jobs-{}", sandbox.namespace);
    let policy = json!({
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["batch"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["jobs"],
            }]},
            "validations": [{"expression": "false", "message": "this team runs no Jobs", "reason": "Forbidden"}],
        },
    });
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(policy)?;
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &policy).await?;
    let binding = json!({
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {
                "kubernetes.io/metadata.name": sandbox.namespace,
            }}},
        },
    });
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(binding)?;
    Api::all(sandbox.client.clone()).create(&PostParams::default(), &binding).await?;
    let probe = async || {
        let arguments = ["create", "job", "probe", "--image=x", "--dry-run=server"];
        let refused = sandbox.kubectl(&arguments).await.err().context("the policy is never in effect")?;
        ensure!(refused.to_string().contains("runs no Jobs"), "{refused:#}");
        Ok(())
    };
    patiently(Duration::from_secs(30), probe).await
}

async fn jobs_again(sandbox: &Sandbox) -> Result<()> {
    let name = &format!("no-jobs-{}", sandbox.namespace);
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(sandbox.client.clone());
    bindings.delete(name, &DeleteParams::default()).await?;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(sandbox.client.clone());
    policies.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test]
async fn does_an_admission_policy_that_forbids_the_job_tell_nothing_in_its_own_words() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("check-policy", &app(APP)).await?;
    no_jobs(&sandbox).await?;
    let refused = async {
        sandbox.edit(APP, json!({"checks": [job_within(5, "smoke", "Before", &passes()?)]})).await?;
        sandbox.activate(APP, Green).await?;
        is_refused(&sandbox, "CheckInconclusive").await
    }
    .await;
    jobs_again(&sandbox).await?;
    refused?;
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains("this team runs no Jobs"), "{words}");
    again(&sandbox).await?;
    sandbox.finish_refused("jobs").await
}

/// The definition leaves most of a pod's fields to the Job's own validation.
#[tokio::test]
async fn does_a_template_that_the_api_server_refuses_tell_nothing_and_name_the_field() -> Result<()> {
    let mut check = job_within(5, "smoke", "Before", &passes()?);
    check["job"]["template"]["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "no", "mountPath": "/x"}]);
    let (sandbox, _operator) = asked("check-invalid", &[check]).await?;
    is_refused(&sandbox, "CheckInconclusive").await?;
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains("volumeMounts"), "{words}");
    sandbox.finish().await
}

/// As Kueue does: it suspends what it has no room for.
/// The scheduler finds no node for the pod, or its container does not get ready.
#[tokio::test]
async fn is_a_job_whose_pod_cannot_start_told_of_long_before_its_deadline() -> Result<()> {
    let mut unschedulable = job_within(600, "smoke", "Before", &json!({}));
    unschedulable["job"]["template"]["spec"]["nodeSelector"] = json!({"test.bluegreen.dev/none": "such"});
    let stuck = job_within(600, "smoke", "Before", &json!({"ready": "never"}));
    for (name, check) in [("check-no-node", unschedulable), ("check-stuck", stuck)] {
        let (sandbox, _operator) = asked(name, &[check]).await?;
        let jobs = Jobs::of(&sandbox);
        let job = jobs.only("smoke").await?;
        let words = format!("The pod of Job {job} is not ready after 10 seconds");
        let told = |world: &World| {
            let ready = world.app(APP).and_then(|app| app.status?.condition("Ready").cloned());
            ready.is_some_and(|ready| ready.reason == "Checking" && ready.message.contains(&words))
                && entry(world, "smoke")
                    .is_some_and(|entry| entry.message.is_some_and(|it| it.contains(&words)))
        };
        sandbox.within(Duration::from_secs(60), "it is told", told).await?;
        // The command that the message names finds the pod.
        ensure!(jobs.pods(&job).await?.len() == 1, "Job {job} has other pods");
        sandbox.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn does_a_job_that_a_queue_suspends_tell_nothing_at_its_deadline() -> Result<()> {
    let (sandbox, _operator) = asked("check-queue", &[job_within(6, "smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    jobs.patch(&name, json!({"spec": {"suspend": true}})).await?;
    is_refused(&sandbox, "CheckInconclusive").await?;
    assert!(is(&sandbox.world(), "smoke", Inconclusive));
    let words = message(&sandbox, "Stalled")?;
    ensure!(words.contains(&format!("Job {name} is suspended")), "{words}");
    jobs.gone(&name).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_job_that_a_queue_lets_go_in_time_decide_as_ever() -> Result<()> {
    let (sandbox, _operator) =
        asked("check-resume", &[job_within(60, "smoke", "Before", &json!({}))]).await?;
    let jobs = Jobs::of(&sandbox);
    let name = jobs.only("smoke").await?;
    jobs.patch(&name, json!({"spec": {"suspend": true}})).await?;
    sandbox.until("it is recorded", |world| is(world, "smoke", Running)).await?;
    sandbox
        .throughout(Duration::from_secs(3), "blue serves and smoke runs", |world| {
            world.selects(APP) == "blue" && is(world, "smoke", Running)
        })
        .await?;
    jobs.patch(&name, json!({"spec": {"suspend": false}})).await?;
    jobs.exit(&name, 0).await?;
    serves_green(&sandbox).await?;
    sandbox.finish().await
}
