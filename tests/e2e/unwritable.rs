//! A webhook for Deployments that does not answer: the app says so within seconds, and a way back never waits for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{self, Blue, Green};
use bluegreen_cluster::patiently;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::contested::webhook::{Webhook, register};
use crate::fights::are_failing_live_pods_told;
use crate::harness::guard::Rule;
use crate::harness::operator::Operator;
use crate::harness::{Sandbox, World, app, cluster};
use crate::tls::Tls;

/// From the answer to the condition.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Nobody listens: the API server answers 500 at once.
#[tokio::test(flavor = "multi_thread")]
async fn does_a_webhook_that_is_gone_neither_mute_an_app_nor_keep_it_from_its_way_back() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    without_deployments("webhook-gone", port, ("failed calling webhook", "failed")).await
}

/// It is there and never answers, for longer than a write may take: nobody knows what becomes of the write.
#[tokio::test(flavor = "multi_thread")]
async fn does_a_webhook_that_hangs_neither_mute_an_app_nor_keep_it_from_its_way_back() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let port = silent.local_addr()?.port();
    without_deployments("webhook-hangs", port, ("a write of Deployment hello-", "unknown")).await
}

/// `became`: what is said of the write, and how it is counted.
async fn without_deployments(name: &str, port: u16, became: (&str, &str)) -> Result<()> {
    if cluster().await?.dir().is_err() {
        eprintln!("skipped: this cluster's API server may not reach a webhook here");
        return Ok(());
    }
    let (sandbox, operator) = Sandbox::serving(name, &app("hello")).await?;
    let certificate = Tls::bind().await?.certificate.clone();
    register(&sandbox, port, certificate, "Fail").await?;
    let result = async {
        is_asked(&sandbox).await?;
        there_and_back(&sandbox, operator, became).await
    }
    .await;
    Webhook::unregister(&sandbox).await?;
    let _operator = result?;
    sandbox.until("all is as asked for", |world| world.serves("hello", Blue)).await?;
    // The test has broken them all.
    sandbox.finish_allowing(&[Rule::NeverEmpty]).await
}

/// Waits until the API server asks the webhook: a write of a Deployment fails, dry or not.
async fn is_asked(sandbox: &Sandbox) -> Result<()> {
    let api: Api<Deployment> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let (size, dry) =
        (json!({"spec": {"replicas": 2}}), PatchParams { dry_run: true, ..PatchParams::default() });
    let attempt = async || {
        let written = api.patch("hello-green", &dry, &Patch::Merge(&size)).await;
        written.err().context("the API server does not ask it").map(drop)
    };
    patiently(Duration::from_secs(30), attempt).await
}

fn generation(world: &World) -> Option<i64> {
    world.app("hello")?.metadata.generation
}

async fn there_and_back(
    sandbox: &Sandbox,
    operator: Operator,
    (said, counted): (&str, &str),
) -> Result<Operator> {
    is_told(sandbox, json!({"replicas": 3}), said).await?;
    for outcome in ["failed", "unknown", "rejected"] {
        let writes = format!("bluegreen_api_writes_total{{kind=\"deployment\",outcome=\"{outcome}\"}}");
        let count = operator.metric(&writes).await?;
        ensure!((count > 0) == (outcome == counted), "{count} writes are {outcome}");
    }

    // The fence of another leader can't be written the usual way either.
    operator.kill()?;
    let operator = sandbox.operator()?;
    operator.says("leading", Duration::from_secs(60)).await?;
    for color in [Green, Blue] {
        is_selected(sandbox, color, json!({"replicas": 2, "active": color})).await?;
    }

    // An edit of the idle color that can't be carried out, and a way back to the pods that it still has.
    let tag = sandbox.world().app("hello").and_then(|app| app.spec.green.as_ref()?.tag.clone());
    is_told(sandbox, json!({"green": {"tag": "v9"}}), said).await?;
    let pods = sandbox.world().pods("hello", Green);
    is_selected(sandbox, Green, json!({"active": Green, "green": {"tag": tag}})).await?;
    ensure!(sandbox.world().pods("hello", Green) == pods, "the pods of green are others");
    is_selected(sandbox, Blue, json!({"active": Blue})).await?;

    // The live pods fail while a write does.
    is_told(sandbox, json!({"green": {"tag": "v10"}}), said).await?;
    are_failing_live_pods_told(sandbox).await?;
    let pods: Api<Pod> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let live = ListParams::default().labels("bluegreen.dev/app=hello,bluegreen.dev/color=blue");
    pods.delete_collection(&DeleteParams::default(), &live).await?;
    Ok(operator)
}

/// Within ten seconds the app says that the writes of this edit fail.
async fn is_told(sandbox: &Sandbox, edit: Value, said: &str) -> Result<()> {
    let asked = Instant::now();
    sandbox.edit("hello", edit).await?;
    let told = |world: &World| {
        let reason = |condition| world.says("hello", condition).map(|(reason, _)| reason);
        let is_current =
            world.status("hello").is_some_and(|s| Some(s.observed_generation) == generation(world));
        is_current && reason("Reconciling").as_deref() == Some("WriteFailed")
    };
    sandbox.until("it says what fails", told).await?;
    let (_, words) = sandbox.world().says("hello", "Reconciling").unwrap_or_default();
    println!("told after {:?}: {words}", asked.elapsed());
    ensure!(words.contains("Deployment hello-") && words.contains(said), "{words}");
    ensure!(asked.elapsed() < TOLD_WITHIN, "told after {:?}", asked.elapsed());
    Ok(())
}

/// Within ten seconds the Service selects this color, whose pods are ready.
async fn is_selected(sandbox: &Sandbox, color: Color, edit: Value) -> Result<()> {
    let asked = Instant::now();
    sandbox.edit("hello", edit).await?;
    let selects = |world: &World| world.selects("hello") == color.as_str();
    sandbox.until("the ready color is selected", selects).await?;
    println!("{color} was selected after {:?}", asked.elapsed());
    ensure!(asked.elapsed() < TOLD_WITHIN, "after {:?}", asked.elapsed());
    Ok(())
}
