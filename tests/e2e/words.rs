//! What others say about an app at length: the API server with a cause for each item of a list, a webhook with more than an
//! object can hold. The app says so all the same, in its status and in an Event, in words that both can hold.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::post;
use bluegreen_api::Color::Blue;
use bluegreen_cluster::patiently;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::contested::webhook::{Webhook, register};
use crate::harness::operator::Operator;
use crate::harness::{Sandbox, World, app, cluster};
use crate::tls::Tls;

/// The longest note of an Event.
const NOTE: usize = 1024;

/// As many volumes as an app may have, each with a name that is none.
#[tokio::test(flavor = "multi_thread")]
async fn is_a_refusal_with_hundreds_of_causes_told_with_the_first_and_their_number() -> Result<()> {
    let (sandbox, operator) = Sandbox::serving("many-causes", &app("hello")).await?;
    let volumes: Vec<Value> = (0..256).map(|i| json!({"name": format!("_{i:05}"), "emptyDir": {}})).collect();
    sandbox.edit("hello", json!({"template": {"spec": {"volumes": volumes}}})).await?;
    let words = told(&sandbox, &operator, "StandbyReady").await?;
    ensure!(words.contains("_00000") && words.contains("spec.template.spec.volumes[0].name"), "{words}");
    ensure!(words.contains(" … and ") && words.ends_with(" more"), "{words}");
    sandbox.edit("hello", json!({"template": null})).await?;
    sandbox.until("all is as asked for", |world| world.serves("hello", Blue)).await?;
    sandbox.finish().await
}

/// 1.5 MB, with what a terminal obeys.
#[tokio::test(flavor = "multi_thread")]
async fn does_a_refusal_that_is_larger_than_an_object_leave_a_status_and_an_event() -> Result<()> {
    if cluster().await?.dir().is_err() {
        eprintln!("skipped: this cluster's API server may not reach a webhook here");
        return Ok(());
    }
    let (sandbox, operator) = Sandbox::serving("long-words", &app("hello")).await?;
    let listener = Tls::bind().await?;
    let (port, certificate) = (listener.port()?, listener.certificate.clone());
    let mut server = JoinSet::new();
    server.spawn(async move {
        let _ = axum::serve(listener, Router::new().route("/", post(deny))).await;
    });
    register(&sandbox, port, certificate, "Fail").await?;
    let result = async {
        let api: Api<Deployment> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        let attempt = async || {
            let size = json!({"spec": {"replicas": 2}});
            let written = api.patch("hello-green", &dry, &Patch::Merge(&size)).await;
            written.err().context("the API server does not ask it").map(drop)
        };
        patiently(Duration::from_secs(30), attempt).await?;
        sandbox.edit("hello", json!({"replicas": 3})).await?;
        let words = told(&sandbox, &operator, "Stalled").await?;
        ensure!(words.contains(r"no: \u{1b}[2Jxxx") && words.ends_with("x…"), "{words}");
        Ok(())
    }
    .await;
    Webhook::unregister(&sandbox).await?;
    result?;
    sandbox.until("all is as asked for", |world| world.serves("hello", Blue)).await?;
    sandbox.finish().await
}

async fn deny(body: Bytes) -> ([(header::HeaderName, &'static str); 1], String) {
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = format!("no: \u{1b}[2J{}", "x".repeat(1_500_000));
    let response = json!({"uid": review["request"]["uid"], "allowed": false, "status": {"message": message, "code": 422}});
    let answer =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    ([(header::CONTENT_TYPE, "application/json")], answer.to_string())
}

/// What the condition says of the refusal, once an Event has said it as well.
async fn told(sandbox: &Sandbox, operator: &Operator, condition: &str) -> Result<String> {
    let refused = |world: &World| {
        let found = world.status("hello")?.condition(condition)?.clone();
        (found.reason == "Refused").then_some(found.message)
    };
    sandbox.until("it says that it is refused", |world| refused(world).is_some()).await?;
    let words = refused(&sandbox.world()).context("it says so no more")?;
    println!("{} bytes: {words}", words.len());
    ensure!(words.len() < NOTE && !words.contains('\u{1b}'), "{} bytes: {words:?}", words.len());
    let events: Api<Event> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let find = async || {
        let said = |event: &Event| {
            let note = event.note.as_deref().unwrap_or_default();
            event.type_.as_deref() == Some("Warning") && note.contains(&words) && note.len() <= NOTE
        };
        let found = events.list(&ListParams::default()).await?.items.iter().any(said);
        ensure!(found, "no Event says it");
        Ok(())
    };
    patiently(Duration::from_secs(20), find).await?;
    let longest = operator.log(1000).lines().map(str::len).max().unwrap_or(0);
    ensure!(longest < 16 * NOTE, "a line of the log has {longest} bytes");
    Ok(words)
}
