//! A receiver over HTTP that does with messages what a test asks for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bluegreen_cluster::patiently;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::SOON;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is taken, and answered with this status.
    Status(u16),
    /// It is taken, and never answered.
    Hang,
    /// It is not taken: 429.
    Busy,
}

/// A message that has arrived.
#[derive(Clone, Debug)]
struct Arrival {
    path: String,
    headers: HeaderMap,
    body: Value,
    taken: bool,
}

#[derive(Debug)]
struct Desk {
    mode: Mode,
    arrivals: Vec<Arrival>,
}

/// The receiver.
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    serving: JoinSet<()>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Result<Self> {
        let desk = Arc::new(Mutex::new(Desk { mode: Mode::Status(200), arrivals: Vec::new() }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut receiver = Self { address: listener.local_addr()?, desk, serving: JoinSet::new() };
        receiver.serve(listener);
        Ok(receiver)
    }

    /// From now on it does this.
    pub fn answer(&self, mode: Mode) {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner).mode = mode;
    }

    /// Closes the port: connections are refused.
    pub async fn stop(&mut self) {
        self.serving.shutdown().await;
    }

    /// Opens the same port again.
    pub async fn come_back(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.serve(listener);
        Ok(())
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bodies that have arrived at this path.
    pub fn heard(&self, path: &str) -> Vec<Value> {
        self.arrivals(path).into_iter().map(|arrival| arrival.body).collect()
    }

    /// The bodies that were taken, whatever was answered.
    pub fn taken(&self, path: &str) -> Vec<Value> {
        self.arrivals(path).into_iter().filter(|arrival| arrival.taken).map(|arrival| arrival.body).collect()
    }

    /// A header of the first message at this path.
    pub fn header(&self, path: &str, name: &str) -> Option<String> {
        Some(self.arrivals(path).first()?.headers.get(name)?.to_str().ok()?.to_owned())
    }

    /// Waits until so many have arrived.
    pub async fn until(&self, path: &str, count: usize) -> Result<()> {
        let attempt = async || {
            let heard = self.heard(path);
            ensure!(heard.len() >= count, "{} of {count} messages at {path}: {heard:#?}", heard.len());
            Ok(())
        };
        patiently(SOON, attempt).await
    }

    fn arrivals(&self, path: &str) -> Vec<Arrival> {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.arrivals.iter().filter(|arrival| arrival.path == path).cloned().collect()
    }

    fn serve(&mut self, listener: TcpListener) {
        let routes = Router::new().fallback(take).with_state(self.desk.clone());
        self.serving.spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
    }
}

async fn take(State(desk): State<Arc<Mutex<Desk>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mode = {
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let (mode, path) = (desk.mode, uri.path().to_owned());
        desk.arrivals.push(Arrival { path, headers, body, taken: mode != Mode::Busy });
        mode
    };
    match mode {
        Mode::Status(code) => StatusCode::from_u16(code).unwrap_or_default().into_response(),
        Mode::Hang => std::future::pending().await,
        Mode::Busy => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response(),
    }
}
