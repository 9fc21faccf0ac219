//! The server.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tonic::body::Body;
use tonic::codegen::http::{HeaderValue, Response};
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tower::util::MapResponseLayer;

use crate::COLOR;

/// How long it serves on after SIGTERM, until nobody sends new connections here.
const LEAVES: Duration = Duration::from_secs(2);

/// How long calls that run may take after that. A stream without an end is cut then.
const DRAINS: Duration = Duration::from_secs(5);

/// Serves until SIGTERM, and then tells each client with a GOAWAY to go elsewhere for its next call.
pub async fn serve(port: u16) -> Result<()> {
    // Before anything else: without a handler, the kernel keeps the signal from the first process of a container.
    let mut terminated = signal(SignalKind::terminate())?;
    let color = std::env::var("COLOR").unwrap_or_default();
    let color = HeaderValue::from_str(&color).context("COLOR can't be sent")?;
    let say_who = MapResponseLayer::new(move |mut answer: Response<Body>| {
        answer.headers_mut().insert(COLOR, color.clone());
        answer
    });
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", ServingStatus::Serving).await;
    let (leave, left) = tokio::sync::oneshot::channel::<()>();
    let address = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    let serving = Server::builder().layer(say_who).serve_with_shutdown(address, health, async {
        let _ = left.await;
    });
    let stop = async {
        terminated.recv().await;
        tokio::time::sleep(LEAVES).await;
        let _ = leave.send(());
        tokio::time::sleep(DRAINS).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = stop => Ok(()),
    }
}
