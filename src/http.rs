//! The HTTP servers: `/livez` and `/readyz` for the kubelet, `/metrics` for Prometheus. Each has an address of its own, so that
//! the metrics, which name every app, can be kept from those who need only reach the probes.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::Future,
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
    serve::Listener,
};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::metrics::Metrics;

/// Whether this process does its work.
///
/// It is live if the controller's loop runs and no pass hangs; a standby has no loop, and is live. It is ready once every
/// kind has been listed, so that it can act at once, and while no watch has failed for long; leading is not part of it.
#[derive(Debug)]
pub struct Health {
    limits: HealthLimits,
    state: Mutex<HealthState>,
}

/// When a process counts as stuck.
#[derive(Clone, Copy, Debug)]
pub struct HealthLimits {
    /// Longest time between two [`Health::beat`]s, from the first one on. Default 30 s.
    pub heartbeat: Duration,
    /// Longest time that one pass may run. Default 2 min.
    pub reconcile: Duration,
    /// Longest time that a watch may fail again and again before the replica is not ready. Default 2 min.
    pub watch: Duration,
    /// A watch that has not failed for so long works again: more than its longest pause between two tries. Default 90 s.
    pub calm: Duration,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            reconcile: Duration::from_secs(120),
            watch: Duration::from_secs(120),
            calm: Duration::from_secs(90),
        }
    }
}

#[derive(Debug, Default)]
struct HealthState {
    last_beat: Option<Instant>,
    /// The start of every pass that runs, by a number that is never used again: the first one is the oldest.
    running: BTreeMap<u64, Instant>,
    next_id: u64,
    ready: bool,
    /// The watches that fail.
    failing: BTreeMap<Watch, Failing>,
}

/// The watch of a kind, or that of a kind in one namespace among several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watch {
    /// The Kubernetes kind.
    pub kind: String,
    /// None: in all namespaces that are watched.
    pub namespace: Option<String>,
}

impl Watch {
    /// The watch of a kind, wherever it is watched.
    pub fn of(kind: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: None }
    }

    /// The watch of a kind in one namespace among several.
    pub fn within(kind: &str, namespace: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: Some(namespace.to_owned()) }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.kind)?;
        match &self.namespace {
            Some(namespace) => write!(formatter, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// A row of failures of one watch.
#[derive(Clone, Copy, Debug)]
struct Failing {
    first: Instant,
    last: Instant,
    /// Set if the API server does not allow this watch: the number of namespaces in which its kind is watched.
    refused_of: Option<usize>,
}

impl Health {
    /// The health of a process that starts: live, and not ready.
    pub fn new(limits: HealthLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Notes that the controller's loop runs. From the first call on, it has to be called in time.
    pub fn beat(&self) {
        self.state().last_beat = Some(Instant::now());
    }

    /// Notes that a pass begins; it ends when the guard is dropped.
    pub fn reconciling(self: &Arc<Self>) -> Reconciling {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        state.running.insert(id, Instant::now());
        Reconciling { health: Arc::clone(self), id }
    }

    /// Notes that a watch has failed. It tries again by itself.
    pub fn watch_failed(&self, watch: &Watch) {
        self.watch_failed_at(watch, None, Instant::now());
    }

    /// Notes that the watch of one namespace among `of` is not allowed. It tries again by itself. Whoever may edit RoleBindings
    /// there can bring that about, so the replica stays ready for the other namespaces, as long as there is one.
    pub fn watch_refused(&self, watch: &Watch, of: usize) {
        self.watch_failed_at(watch, Some(of), Instant::now());
    }

    fn watch_failed_at(&self, watch: &Watch, refused_of: Option<usize>, now: Instant) {
        let mut state = self.state();
        let new = Failing { first: now, last: now, refused_of };
        let failing = state.failing.entry(watch.clone()).or_insert(new);
        if now.saturating_duration_since(failing.last) > self.limits.calm {
            failing.first = now;
        }
        (failing.last, failing.refused_of) = (now, refused_of);
    }

    /// Notes that a watch has delivered something.
    pub fn watch_worked(&self, watch: &Watch) {
        self.state().failing.remove(watch);
    }

    /// Returns for how long this watch has failed again and again. A watch that works says nothing as long as nothing happens,
    /// so it counts as working when it has not failed for a while.
    pub fn failing(&self, watch: &Watch) -> Duration {
        self.failing_at(watch, Instant::now())
    }

    fn failing_at(&self, watch: &Watch, now: Instant) -> Duration {
        let failing = self.state().failing.get(watch).copied();
        failing.map_or(Duration::ZERO, |failing| self.lasts(&failing, now))
    }

    fn lasts(&self, failing: &Failing, now: Instant) -> Duration {
        let is_recent = now.saturating_duration_since(failing.last) <= self.limits.calm;
        if is_recent { now.saturating_duration_since(failing.first) } else { Duration::ZERO }
    }

    /// Notes that every kind has been listed once. From then on a replica is ready, except while a watch fails.
    pub fn set_ready(&self) {
        self.state().ready = true;
    }

    /// Returns whether the process makes progress, as `/livez` answers it.
    ///
    /// # Errors
    /// When something hangs: what, and for how long.
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

    /// Returns whether this replica could act now, as `/readyz` answers it.
    ///
    /// # Errors
    /// As long as not every kind has been listed, or while a watch fails.
    pub fn ready(&self) -> Result<(), String> {
        self.ready_at(Instant::now())
    }

    fn ready_at(&self, now: Instant) -> Result<(), String> {
        let state = self.state();
        if !state.ready {
            return Err("starting".to_owned());
        }
        let all = state
            .failing
            .iter()
            .map(|(watch, failing)| (self.lasts(failing, now), watch, failing.refused_of));
        let long: Vec<_> = all.filter(|(time, ..)| *time > self.limits.watch).collect();
        let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, watch, _) in long.iter().filter(|(.., of)| of.is_some()) {
            *refused.entry(&watch.kind).or_default() += 1;
        }
        let is_refused_everywhere =
            |kind: &str, of: usize| refused.get(kind).is_some_and(|count| *count >= of);
        let counts = |(_, watch, of): &&(Duration, &Watch, Option<usize>)| {
            of.is_none_or(|of| is_refused_everywhere(&watch.kind, of))
        };
        match long.iter().filter(counts).max() {
            Some((time, watch, _)) => {
                Err(format!("the watch of {watch} has failed for {} s", time.as_secs()))
            }
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass that runs; it ends when this is dropped.
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

/// What one client may take, so that it can't keep the others waiting or the process from ending.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; a further one ends the oldest. Default 64.
    pub connections: usize,
    /// Longest head of a request, in bytes, and so about the memory that one connection may take. Default 16 KiB.
    pub head: usize,
    /// Longest time until a client has sent its request. Default 5 s.
    pub request: Duration,
    /// Longest time that a connection lasts. Each one serves one request. Default 30 s.
    pub connection: Duration,
    /// Longest time that running connections have left when the server ends. Default 2 s.
    pub end: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head: 16 << 10,
            request: Duration::from_secs(5),
            connection: Duration::from_secs(30),
            end: Duration::from_secs(2),
        }
    }
}

/// What a server serves.
#[derive(Clone, Debug)]
pub enum Pages {
    /// `/livez` and `/readyz`.
    Health(Arc<Health>),
    /// `/metrics`.
    Metrics(Metrics),
    /// `/metrics` of a program that is not the operator.
    Registry(Registry),
}

impl Pages {
    fn paths(&self) -> &'static str {
        match self {
            Self::Health(_) => "/livez and /readyz",
            Self::Metrics(_) | Self::Registry(_) => "/metrics",
        }
    }

    fn router(self) -> Router {
        match self {
            Self::Health(health) => Router::new()
                .route("/livez", get(async |State(health): State<Arc<Health>>| verdict(health.live())))
                .route("/readyz", get(async |State(health): State<Arc<Health>>| verdict(health.ready())))
                .with_state(health),
            Self::Metrics(metrics) => Router::new()
                .route(
                    "/metrics",
                    get(async |State(metrics): State<Metrics>| scrape(move || metrics.render()).await),
                )
                .with_state(metrics),
            Self::Registry(registry) => Router::new()
                .route(
                    "/metrics",
                    get(async |State(registry): State<Registry>| scrape(move || text(&registry)).await),
                )
                .with_state(registry),
        }
    }
}

/// Listens on `address`; port 0 picks a free one. Returns the address that was bound, and a future that serves until
/// `shutdown` and ends at most [`Limits::end`] later.
///
/// # Errors
/// When the address can't be bound.
pub async fn serve(
    address: SocketAddr,
    limits: Limits,
    pages: Pages,
    shutdown: CancellationToken,
) -> anyhow::Result<(SocketAddr, impl Future<Output = ()> + Send + 'static)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
    let bound = listener.local_addr().context("can't determine the address that was bound")?;
    info!(address = %bound, "serving {}", pages.paths());
    Ok((bound, accept(listener, limits, pages.router(), shutdown)))
}

/// Serves connections until `shutdown`. `axum::serve` does the same without any of the limits.
///
/// If there are too many, the oldest ends. A probe takes a millisecond, so whoever holds connections can't keep the kubelet
/// waiting, which would restart the process.
async fn accept(mut listener: TcpListener, limits: Limits, router: Router, shutdown: CancellationToken) {
    let mut running = JoinSet::new();
    let mut in_order: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        // Failures to accept are retried inside.
        let next = Listener::accept(&mut listener);
        let Some((stream, _)) = shutdown.run_until_cancelled(next).await else { break };
        while running.try_join_next().is_some() {}
        in_order.retain(|connection| !connection.is_finished());
        while in_order.len() >= limits.connections
            && let Some(oldest) = in_order.pop_front()
        {
            oldest.abort();
        }
        in_order.push_back(running.spawn(serve_connection(stream, limits, router.clone())));
    }
    drop(listener);
    let rest = async { while running.join_next().await.is_some() {} };
    // Those that are left end with the set.
    let _ = tokio::time::timeout(limits.end, rest).await;
}

async fn serve_connection(stream: TcpStream, limits: Limits, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(limits.head)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(limits.connection, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection of a probe or a scrape failed"),
        Err(_) => tracing::debug!("a connection of a probe or a scrape took too long"),
    }
}

fn verdict(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

fn text(registry: &Registry) -> prometheus::Result<String> {
    prometheus::TextEncoder::new().encode_to_string(&registry.gather())
}

async fn scrape(render: impl FnOnce() -> prometheus::Result<String> + Send + 'static) -> Response {
    // Thousands of apps take a while to render: not on a thread that runs passes.
    let rendered = tokio::task::spawn_blocking(render).await;
    match rendered.map_err(anyhow::Error::from).and_then(|text| Ok(text?)) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            error!("can't render metrics: {error:#}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
