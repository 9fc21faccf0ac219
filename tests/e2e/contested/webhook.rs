//! An admission webhook that keeps every Deployment's image: it takes whoever edits one for somebody who must not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use bluegreen_cluster::patiently;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::Sandbox;
use crate::tls::Tls;

const IMAGE: &str = "/spec/template/spec/containers/0/image";

/// The webhook, served until it is dropped.
pub struct Webhook {
    undone: Arc<AtomicU64>,
    _server: JoinSet<()>,
}

impl Webhook {
    /// Starts it, registers it for this namespace and waits until an edit of that Deployment has no effect.
    pub async fn start(sandbox: &Sandbox, deployment: &str) -> Result<Self> {
        let listener = Tls::bind().await?;
        let (port, certificate) = (listener.port()?, listener.certificate.clone());
        let undone = Arc::new(AtomicU64::new(0));
        let routes = Router::new().route("/", post(review)).with_state(undone.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        register(sandbox, port, certificate, "Ignore").await?;
        let webhook = Self { undone, _server: server };
        let attempt = async || {
            ensure!(!takes_an_image(sandbox, deployment).await?, "the API server does not ask it");
            Ok(())
        };
        patiently(Duration::from_secs(30), attempt).await?;
        Ok(webhook)
    }

    /// How many writes it has undone so far.
    pub fn undone(&self) -> u64 {
        self.undone.load(Ordering::SeqCst)
    }

    /// Takes the registration back, whether or not it is there.
    pub async fn unregister(sandbox: &Sandbox) -> Result<()> {
        let found = configurations(sandbox).delete(&sandbox.namespace, &DeleteParams::default()).await;
        match found {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn configurations(sandbox: &Sandbox) -> Api<MutatingWebhookConfiguration> {
    Api::all(sandbox.client.clone())
}

/// What is left of a run that was killed is for a namespace of its own, and with nobody behind it does nothing.
pub async fn register(sandbox: &Sandbox, port: u16, certificate: String, failure_policy: &str) -> Result<()> {
    let namespace = &sandbox.namespace;
    let configuration = serde_json::from_value(json!({
        "metadata": {"name": namespace},
        "webhooks": [{
            "name": "keep-the-image.test.bluegreen.dev",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": failure_policy,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{
                "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["UPDATE"],
            }],
            "clientConfig": {
                "url": format!("https://localhost:{port}/"),
                "caBundle": ByteString(certificate.into_bytes()),
            },
        }],
    }))?;
    configurations(sandbox).create(&PostParams::default(), &configuration).await?;
    Ok(())
}

/// Would an edit of the image have an effect?
async fn takes_an_image(sandbox: &Sandbox, deployment: &str) -> Result<bool> {
    let api: Api<Deployment> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "probe"}]}}}});
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let patched = serde_json::to_value(api.patch(deployment, &params, &Patch::Strategic(patch)).await?)?;
    Ok(patched.pointer(IMAGE).is_some_and(|image| image == "probe"))
}

async fn review(
    State(undone): State<Arc<AtomicU64>>,
    body: Bytes,
) -> Result<impl IntoResponse + use<>, StatusCode> {
    let review: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let request = &review["request"];
    let mut response = json!({"uid": request["uid"], "allowed": true});
    let (before, after) = (request["oldObject"].pointer(IMAGE), request["object"].pointer(IMAGE));
    if before != after {
        let patch = json!([{"op": "replace", "path": IMAGE, "value": before}]).to_string();
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(ByteString(patch.into_bytes()));
        if request["dryRun"] != true {
            undone.fetch_add(1, Ordering::SeqCst);
        }
    }
    let answer =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.to_string()))
}
