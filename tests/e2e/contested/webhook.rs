//! An admission webhook that changes Deployments as they are edited.

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

/// What a webhook does with a Deployment that is edited.
#[derive(Clone, Copy)]
pub struct Habit {
    /// The JSON patch for a request, if it has one to make.
    pub change: fn(&Value) -> Option<Value>,
    /// Whether what became of an edit of the image to `probe` shows that the webhook is asked.
    pub shows: fn(&Value) -> bool,
}

/// It takes whoever edits the image for somebody who must not.
pub const KEEPS_THE_IMAGE: Habit = Habit {
    change: |request| {
        let (before, after) = (request["oldObject"].pointer(IMAGE), request["object"].pointer(IMAGE));
        (before != after).then(|| json!([{"op": "replace", "path": IMAGE, "value": before}]))
    },
    shows: |edited| edited.pointer(IMAGE).is_none_or(|image| image != "probe"),
};

/// The webhook, served until it is dropped.
pub struct Webhook {
    changed: Arc<AtomicU64>,
    _server: JoinSet<()>,
}

impl Webhook {
    /// Starts it, registers it for this namespace and waits until it is asked about an edit of that Deployment.
    pub async fn start(sandbox: &Sandbox, habit: Habit, deployment: &str) -> Result<Self> {
        let listener = Tls::bind().await?;
        let (port, certificate) = (listener.port()?, listener.certificate.clone());
        let changed = Arc::new(AtomicU64::new(0));
        let routes = Router::new().route("/", post(review)).with_state((habit, changed.clone()));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        register(sandbox, port, certificate, "Ignore").await?;
        let webhook = Self { changed, _server: server };
        let attempt = async || {
            ensure!((habit.shows)(&edited(sandbox, deployment).await?), "the API server does not ask it");
            Ok(())
        };
        patiently(Duration::from_secs(30), attempt).await?;
        Ok(webhook)
    }

    /// How many writes it has changed so far.
    pub fn changed(&self) -> u64 {
        self.changed.load(Ordering::SeqCst)
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
            "name": "deployments.test.bluegreen.dev",
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

/// What would become of an edit of the image.
async fn edited(sandbox: &Sandbox, deployment: &str) -> Result<Value> {
    let api: Api<Deployment> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "probe"}]}}}});
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    Ok(serde_json::to_value(api.patch(deployment, &params, &Patch::Strategic(patch)).await?)?)
}

async fn review(
    State((habit, changed)): State<(Habit, Arc<AtomicU64>)>,
    body: Bytes,
) -> Result<impl IntoResponse + use<>, StatusCode> {
    let review: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let request = &review["request"];
    let mut response = json!({"uid": request["uid"], "allowed": true});
    if let Some(patch) = (habit.change)(request) {
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(ByteString(patch.to_string().into_bytes()));
        if request["dryRun"] != true {
            changed.fetch_add(1, Ordering::SeqCst);
        }
    }
    let answer =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.to_string()))
}
