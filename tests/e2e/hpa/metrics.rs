//! A stand-in for metrics-server: the app's pods share a load that the test sets.
//!
//! The API server forwards `metrics.k8s.io` to it as to any other extension, through an APIService.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use bluegreen_cluster::patiently;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::tls::Tls;

const API: &str = "v1beta1.metrics.k8s.io";

/// The stand-in, served until it is dropped.
pub struct Metrics {
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    client: Client,
    /// Bytes, shared by the pods that are asked about.
    load: AtomicU64,
    /// The label selectors that were asked about.
    asked: Mutex<Vec<String>>,
}

impl Metrics {
    /// Starts it, registers it with the API server and waits until it is reached that way.
    pub async fn start(client: &Client, namespace: &str) -> Result<Self> {
        let listener = Tls::bind().await?;
        let port = listener.port()?;
        let shared =
            Arc::new(Shared { client: client.clone(), load: AtomicU64::new(0), asked: Mutex::default() });
        let routes = Router::new()
            .route("/apis/metrics.k8s.io/v1beta1", get(resources))
            .route("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", get(pods))
            .with_state(shared.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        register(client, namespace, port).await?;
        Ok(Self { shared, _server: server })
    }

    /// What the pods have to carry together, in MiB.
    pub fn set_load(&self, mebibytes: u64) {
        self.shared.load.store(mebibytes << 20, Ordering::SeqCst);
    }

    /// The label selectors that were asked about so far.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes the registration back: with nobody behind it, it would trouble others.
pub async fn unregister(client: &Client) -> Result<()> {
    let services: Api<APIService> = Api::all(client.clone());
    services.delete(API, &DeleteParams::default()).await?;
    Ok(())
}

async fn register(client: &Client, namespace: &str, port: u16) -> Result<()> {
    // Not a ClusterIP: the API server of a test cluster is in no pod network.
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": "metrics"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }))?;
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &service).await?;
    let extension: APIService = serde_json::from_value(json!({
        "metadata": {"name": API},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": true,
            "service": {"namespace": namespace, "name": "metrics", "port": port},
        },
    }))?;
    let extensions: Api<APIService> = Api::all(client.clone());
    extensions.create(&PostParams::default(), &extension).await?;
    let attempt = async || {
        let conditions = extensions.get(API).await?.status.and_then(|status| status.conditions);
        let available = conditions.unwrap_or_default().into_iter().find(|c| c.type_ == "Available");
        let reached = available.as_ref().is_some_and(|condition| condition.status == "True");
        ensure!(reached, "the API server does not reach it: {available:?}");
        Ok(())
    };
    patiently(Duration::from_secs(60), attempt).await
}

fn answer(body: &Value) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string())
}

async fn resources() -> impl IntoResponse {
    answer(&json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [
            {"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": ["get", "list"]},
        ],
    }))
}

async fn pods(
    State(shared): State<Arc<Shared>>,
    Path(namespace): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, StatusCode> {
    let query = query.unwrap_or_default();
    let selector = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "labelSelector");
    let selector = selector.map(|(_, value)| value.into_owned()).unwrap_or_default();
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(selector.clone());
    let all: Api<Pod> = Api::namespaced(shared.client.clone(), &namespace);
    let pods = all.list(&ListParams::default().labels(&selector)).await;
    let pods = pods.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?.items;
    let each = shared.load.load(Ordering::SeqCst) / u64::try_from(pods.len().max(1)).unwrap_or(1);
    let now = jiff::Timestamp::now();
    let usage = |pod: &Pod| {
        json!({
            "metadata": {"name": pod.name_any(), "namespace": namespace},
            "timestamp": now,
            "window": "1s",
            "containers": [{"name": "app", "usage": {"cpu": "1m", "memory": each.to_string()}}],
        })
    };
    Ok(answer(&json!({
        "kind": "PodMetricsList",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": pods.iter().map(usage).collect::<Vec<_>>(),
    })))
}
