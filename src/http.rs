//! `/livez`, `/readyz`, `/metrics`: for the kubelet and for Prometheus.

use std::{
    collections::BTreeMap,
    future::{Future, IntoFuture},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::metrics::Metrics;

/// Whether this process does its work.
///
/// Live: the controller's loop turns, and no reconcile hangs. A standby has no loop, and is live. Ready: the
/// stores are synced, so that this replica acts at once or could; leading is not part of it.
#[derive(Debug)]
pub struct Health {
    limits: HealthLimits,
    state: Mutex<HealthState>,
}

/// When a process counts as stuck.
#[derive(Clone, Copy, Debug)]
pub struct HealthLimits {
    /// Longest time between two [`Health::beat`]s, once there was a first. Default 30 s.
    pub heartbeat: Duration,
    /// Longest time that one reconcile may run. Default 2 min.
    pub reconcile: Duration,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(30), reconcile: Duration::from_secs(120) }
    }
}

#[derive(Debug)]
struct HealthState {
    last_beat: Option<Instant>,
    /// Start of every reconcile that runs, by a number that is never used again: the first is the oldest.
    running: BTreeMap<u64, Instant>,
    next_id: u64,
    /// Why this replica can't work yet.
    not_ready: Option<String>,
}

impl Health {
    /// Live and not ready.
    pub fn new(limits: HealthLimits) -> Arc<Self> {
        let state = HealthState {
            last_beat: None,
            running: BTreeMap::new(),
            next_id: 0,
            not_ready: Some("starting".to_owned()),
        };
        Arc::new(Self { limits, state: Mutex::new(state) })
    }

    /// The controller's loop has turned. From the first call on, silence is a failure.
    pub fn beat(&self) {
        self.state().last_beat = Some(Instant::now());
    }

    /// Keep the guard for as long as the reconcile runs.
    pub fn reconciling(self: &Arc<Self>) -> Reconciling {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        state.running.insert(id, Instant::now());
        Reconciling { health: Arc::clone(self), id }
    }

    /// The stores are synced: this replica acts, or could.
    pub fn set_ready(&self) {
        self.state().not_ready = None;
    }

    /// Not (or no longer) able to act; `why` is what `/readyz` answers.
    pub fn set_not_ready(&self, why: impl Into<String>) {
        self.state().not_ready = Some(why.into());
    }

    /// Whether the process makes progress, as `/livez` answers it.
    ///
    /// # Errors
    /// Says what hangs, and for how long.
    pub fn live(&self) -> Result<(), String> {
        self.live_at(Instant::now())
    }

    fn live_at(&self, now: Instant) -> Result<(), String> {
        let state = self.state();
        let silence = state.last_beat.map(|beat| now.saturating_duration_since(beat));
        if let Some(silence) = silence.filter(|silence| *silence > self.limits.heartbeat) {
            return Err(format!("the controller's loop has been silent for {} s", silence.as_secs()));
        }
        let oldest = state.running.values().next().map(|start| now.saturating_duration_since(*start));
        match oldest.filter(|age| *age > self.limits.reconcile) {
            Some(age) => Err(format!("a reconcile has been running for {} s", age.as_secs())),
            None => Ok(()),
        }
    }

    /// Whether this replica could act now, as `/readyz` answers it.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn ready(&self) -> Result<(), String> {
        self.state().not_ready.clone().map_or(Ok(()), Err)
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reconcile that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Reconciling {
    health: Arc<Health>,
    id: u64,
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        self.health.state().running.remove(&self.id);
    }
}

#[derive(Clone)]
struct Shared {
    health: Arc<Health>,
    metrics: Metrics,
}

/// Listen on `address`; port 0 picks a free one. Returns the address that was bound, and a future that serves
/// until `shutdown`.
///
/// # Errors
/// When the address can't be bound.
pub async fn serve(
    address: SocketAddr,
    health: Arc<Health>,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> anyhow::Result<(SocketAddr, impl Future<Output = anyhow::Result<()>> + Send + 'static)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
    let bound = listener.local_addr().context("can't tell the address that was bound")?;
    info!(address = %bound, "serving /livez, /readyz and /metrics");
    let server = axum::serve(listener, router(Shared { health, metrics }))
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .into_future();
    Ok((bound, async move { server.await.context("the HTTP server failed") }))
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/livez", get(async |State(shared): State<Shared>| verdict(shared.health.live())))
        .route("/readyz", get(async |State(shared): State<Shared>| verdict(shared.health.ready())))
        .route("/metrics", get(async |State(shared): State<Shared>| scrape(&shared.metrics)))
        .with_state(shared)
}

fn verdict(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

fn scrape(metrics: &Metrics) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(err) => {
            error!("can't render metrics: {err}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
