//! Simulated nodes: do pods do what their annotations say?

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use bluegreen_cluster::{Cluster, patiently};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

async fn create(client: &Client, name: &str, annotations: Value) -> Result<Api<Pod>> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let pod = json!({
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "any"}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    Ok(pods)
}

fn condition(pod: &Pod, kind: &str) -> Option<bool> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    Some(conditions.iter().find(|condition| condition.type_ == kind)?.status == "True")
}

/// Waits until the pod is ready, or unready, and tells how long it took.
async fn wait_ready(pods: &Api<Pod>, name: &str, wanted: bool) -> Result<Duration> {
    let start = Instant::now();
    let attempt = async || {
        let ready = condition(&pods.get(name).await?, "Ready");
        ensure!(ready == Some(wanted), "{name} did not get to ready={wanted}");
        Ok(start.elapsed())
    };
    patiently(Duration::from_secs(20), attempt).await
}

async fn annotate(pods: &Api<Pod>, name: &str, value: Value) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {"test.bluegreen.dev/ready": value}}});
    pods.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

#[tokio::test]
async fn is_a_pod_ready_at_once_without_annotations_and_gone_at_once_when_deleted() -> Result<()> {
    let client = Cluster::shared().await?.client()?;
    let pods = create(&client, "plain", json!({})).await?;
    let took = wait_ready(&pods, "plain", true).await?;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(pods.get("plain").await?.status.and_then(|status| status.pod_ip).is_some());

    pods.delete("plain", &DeleteParams::default()).await?;
    let gone = async || {
        ensure!(pods.get_opt("plain").await?.is_none(), "still there");
        Ok(())
    };
    patiently(Duration::from_secs(2), gone).await
}

#[tokio::test]
async fn does_a_pod_take_the_time_to_readiness_that_its_annotation_says() -> Result<()> {
    let client = Cluster::shared().await?.client()?;
    let pods = create(&client, "slow", json!({"test.bluegreen.dev/ready-after": "2s"})).await?;
    wait_ready(&pods, "slow", false).await?;
    let took = wait_ready(&pods, "slow", true).await?;
    assert!((1_800..4_000).contains(&took.as_millis()), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn does_a_pod_become_unready_and_ready_again_when_its_annotation_changes() -> Result<()> {
    let client = Cluster::shared().await?.client()?;
    let pods = create(&client, "fickle", json!({})).await?;
    wait_ready(&pods, "fickle", true).await?;
    annotate(&pods, "fickle", json!("never")).await?;
    wait_ready(&pods, "fickle", false).await?;
    annotate(&pods, "fickle", json!("true")).await?;
    wait_ready(&pods, "fickle", true).await?;
    annotate(&pods, "fickle", json!("never")).await?;
    wait_ready(&pods, "fickle", false).await?;
    annotate(&pods, "fickle", Value::Null).await?;
    wait_ready(&pods, "fickle", true).await?;
    Ok(())
}

#[tokio::test]
async fn does_a_deployment_whose_template_says_never_stay_unavailable() -> Result<()> {
    let client = Cluster::shared().await?.client()?;
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let deployment = json!({
        "metadata": {"name": "stuck"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "stuck"}},
            "template": {
                "metadata": {"labels": {"app": "stuck"}, "annotations": {"test.bluegreen.dev/ready": "never"}},
                "spec": {"containers": [{"name": "app", "image": "any"}]},
            },
        },
    });
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
    let start = Instant::now();
    let mut running = 0;
    while start.elapsed() < Duration::from_secs(2) {
        let status = deployments.get("stuck").await?.status.context("status")?;
        assert_eq!(status.ready_replicas.unwrap_or(0), 0);
        running = status.replicas.unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(running, 2);
    Ok(())
}

#[tokio::test]
async fn does_a_deleted_pod_serve_on_as_long_as_its_annotation_says() -> Result<()> {
    let client = Cluster::shared().await?.client()?;
    let pods = create(&client, "draining", json!({"test.bluegreen.dev/stop-after": "2s"})).await?;
    wait_ready(&pods, "draining", true).await?;
    let start = Instant::now();
    pods.delete("draining", &DeleteParams::default()).await?;
    while let Some(pod) = pods.get_opt("draining").await? {
        assert!(pod.metadata.deletion_timestamp.is_some() && condition(&pod, "Ready") == Some(true));
        assert!(start.elapsed() < Duration::from_secs(10), "still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() > Duration::from_millis(1_800), "{:?}", start.elapsed());
    Ok(())
}

#[tokio::test]
async fn does_the_audit_log_tell_who_asked_for_what() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let audit = cluster.audit()?;
    let user = cluster.user("somebody", &["testers"]).await?;
    let pods: Api<Pod> = Api::default_namespaced(user.client()?);
    let start = audit.end()?;
    let refused = pods.get("absent").await;
    assert!(
        matches!(refused, Err(kube::Error::Api(status)) if status.code == 403),
        "users have no rights at first"
    );

    let attempt = async || {
        let entries = audit.matching(start, |entry| entry.user == "somebody")?;
        <[_; 1]>::try_from(entries).map_err(|entries| anyhow!("{entries:?}"))
    };
    let [entry] = patiently(Duration::from_secs(5), attempt).await?;
    assert_eq!((entry.verb.as_str(), entry.resource.as_str()), ("get", "pods"));
    assert_eq!((entry.namespace.as_str(), entry.name.as_str()), ("default", "absent"));
    assert_eq!(entry.code, 403);
    assert!(entry.groups.contains(&"testers".to_owned()) && !entry.is_write());
    Ok(())
}
