//! Accepts connections, and stops doing so without losing a request.
//!
//! `axum::serve(..).with_graceful_shutdown(..)` closes idle connections and finishes running requests, but at the
//! moment of the signal it also resets connections that wait in the accept queue and drops accepted ones whose first
//! request has arrived and is not read yet. Here, each of those is answered:
//!
//! 1. [`Phase::Leaving`]: everything is still served, but each response says `Connection: close`. Clients that are in
//!    use leave by themselves, which is the only way of ending a keep-alive connection that can't race with a request
//!    already on its way.
//! 2. [`Phase::Closing`]: the accept queue is emptied, the listener closed, and connections that are idle even now
//!    are closed. A connection that has not sent its first request gets a moment to do so.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// How long a connection that was accepted but is still silent may take to send its first request after the listener
/// has closed. Longer than a round trip, since a client sends its request right after connecting.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(500);

/// How long an idle connection is kept for the runtime to hear of a request that has already arrived.
const READ_GRACE: Duration = Duration::from_millis(20);

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Business as usual.
    Serving,
    /// Told to stop: serves on, but asks clients to leave.
    Leaving,
    /// Accepts nothing more, finishes what it has.
    Closing,
}

/// How long the steps of a shutdown may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time in [`Phase::Leaving`].
    pub delay: Duration,
    /// Time in [`Phase::Closing`] after which unfinished requests are cut off.
    pub drain: Duration,
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    Drained,
    /// This many connections had not finished when the time was up.
    CutOff(usize),
}

/// Listens on both IP families where the machine has both.
///
/// # Errors
/// When the port is taken or may not be used.
pub async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        // Some nodes are booted without IPv6.
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
            .await
            .with_context(|| format!("could not listen on port {port}")),
    }
}

/// Serves until `phases` moves to [`Phase::Leaving`], then shuts down in the order described above.
pub async fn run(
    listener: TcpListener,
    router: Router,
    phases: watch::Sender<Phase>,
    limits: Limits,
) -> Ended {
    let mut connections = JoinSet::new();
    let mut left = pin!(leaving(phases.subscribe(), limits.delay));
    loop {
        tokio::select! {
            () = &mut left => break,
            stream = accept(&listener) => {
                connections.spawn(serve(stream, router.clone(), phases.subscribe()));
            }
            // Collects finished ones, so that their handles don't pile up.
            Some(_) = connections.join_next() => {}
        }
    }

    for stream in empty_queue(listener) {
        connections.spawn(serve(stream, router.clone(), phases.subscribe()));
    }
    phases.send_replace(Phase::Closing);

    let drained = async { while connections.join_next().await.is_some() {} };
    match tokio::time::timeout(limits.drain, drained).await {
        Ok(()) => Ended::Drained,
        Err(_) => Ended::CutOff(connections.len()),
    }
}

/// Completes `delay` after the server was told to leave.
async fn leaving(mut phase: watch::Receiver<Phase>, delay: Duration) {
    // An error means that no one is left who could tell: leave.
    let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
    tokio::time::sleep(delay).await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Either that one client went away, or the process is out of file descriptors until one is closed.
            Err(error) => {
                eprintln!("hello: could not accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Closes the listener after taking what waits in its queue: those clients believe that they are connected, and would
/// be reset. Asks the kernel directly, because the runtime may not have heard yet of the newest ones.
fn empty_queue(listener: TcpListener) -> Vec<TcpStream> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    // The socket doesn't block, so this ends with the queue.
    std::iter::from_fn(|| listener.accept().ok())
        .filter_map(|(stream, _)| {
            stream.set_nonblocking(true).ok()?;
            TcpStream::from_std(stream).ok()
        })
        .collect()
}

async fn serve(stream: TcpStream, router: Router, mut phase: watch::Receiver<Phase>) {
    // Small responses must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let service = Asked { inner: TowerToHyperService::new(router), asked: asked.clone() };
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    {
        let mut closing = pin!(async {
            let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
            let silent = !asked.load(Ordering::Relaxed);
            tokio::time::sleep(if silent { FIRST_REQUEST_GRACE } else { READ_GRACE }).await;
        });
        // The connection is asked first, so that a request that has arrived is read before the connection is judged
        // to be idle.
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = closing.as_mut() => {}
        }
    }
    connection.as_mut().graceful_shutdown();
    // A client that breaks off is none of our concern.
    let _ = connection.await;
}

/// A service that remembers whether it was ever asked.
struct Asked<S> {
    inner: S,
    asked: Arc<AtomicBool>,
}

impl<S: Service<hyper::Request<Incoming>>> Service<hyper::Request<Incoming>> for Asked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        self.inner.call(request)
    }
}
