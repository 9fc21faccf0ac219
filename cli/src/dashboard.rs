//! `kubectl bluegreen dashboard`: shows apps in a browser on this machine, with the rights of the user.
//!
//! | file | does |
//! |---|---|
//! | `guard`, `secret` | says which requests are let in |
//! | `watches`, `hub` | watches the cluster, and keeps what belongs to each app |
//! | `stream` | sends a page what has changed |
//! | `act` | says what a button would do, and does it |
//! | `routes` | answers requests |
//! | `assets/` | the page: files that are part of the program, without a build |

mod act;
mod guard;
mod hub;
mod routes;
mod secret;
mod stream;
mod watches;

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::args::{DashboardArgs, Global};
use crate::cluster::Cluster;
use crate::exit::{End, Result};
use crate::output::say;
use guard::Guard;
use hub::Hub;
use routes::{Dashboard, router};
use secret::Secret;

/// Connections at the same time. A browser uses at most six for each tab's host; a page that is not seen has none.
const CONNECTIONS: usize = 64;

/// Longest time until a client has sent the head of its request.
const HEAD: Duration = Duration::from_secs(10);

/// Longest head of a request, in bytes.
const HEAD_SIZE: usize = 16 << 10;

/// Pause after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the dashboard until the program is interrupted.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when there is no cluster, or the port is taken.
pub async fn run(global: &Global, args: &DashboardArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    let watching = Cluster::watching(global).await?;
    let namespace = (!args.all_namespaces).then(|| cluster.namespace.clone());
    // No other address than that of this machine itself: whoever reaches the dashboard has the user's rights.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await;
    let listener = listener.with_context(|| format!("can't listen on 127.0.0.1:{}", args.port))?;
    let port = listener.local_addr().context("no address")?.port();
    let guard = Guard { port, token: Secret::new()?, session: Secret::new()? };
    let address = format!("http://127.0.0.1:{port}/?token={}", guard.token.reveal());
    let hub = Arc::new(Hub::default());
    let _watches = watches::start(&watching, namespace.as_deref(), &hub);
    let shows = namespace.as_ref().map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
    let can =
        if args.allow_edits { "the page can edit apps" } else { "read-only: --allow-edits lets it edit" };
    let exchanged = std::sync::atomic::AtomicBool::new(false);
    let dashboard = Dashboard { guard, exchanged, hub, cluster, namespace, edits: args.allow_edits };
    writeln!(std::io::stdout(), "{address}")?;
    say(format!("dashboard of {shows}; {can}. The address works once, in one browser. Ctrl-C ends it"));
    accept(&listener, router(Arc::new(dashboard))).await;
    Ok(End::Reached)
}

/// Serves connections for ever. `axum::serve` does so without any of the limits.
async fn accept(listener: &TcpListener, router: axum::Router) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    serve(stream, router).await;
                    drop(permit);
                });
            }
            // Too many open files, for example: that passes.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, router: axum::Router) {
    // A message is to leave at once.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A browser ends a connection whenever it wants; that is no failure.
    let _ = connection.await;
}
