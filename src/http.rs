//! The HTTP servers: `/livez` and `/readyz` for the kubelet, `/metrics` for Prometheus. Each has an address of its own, so that
//! the metrics, which name every app, can be kept from those who need only reach the probes.

use std::{collections::VecDeque, future::Future, net::SocketAddr, sync::Arc, time::Duration};

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

use crate::health::Health;
use crate::metrics::Metrics;

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
