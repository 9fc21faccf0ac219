//! Sends one request and says what became of it.

use std::{
    collections::VecDeque,
    error::Error,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{CONNECTION, HOST, HeaderMap, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

use crate::{
    plan::{Client, Kind, Plan},
    record::{Failure, Outcome},
};

type Sender = SendRequest<Empty<Bytes>>;

/// An open connection of the pool, idle or in use.
#[derive(Debug)]
struct Kept {
    sender: Sender,
    /// One count of [`Worker::open`] for as long as this lives.
    _open: Arc<()>,
}

/// What came back. The fields are `None` when the answer doesn't carry them, or there was none.
#[derive(Debug)]
pub struct Answer {
    pub outcome: Outcome,
    pub color: Option<String>,
    pub version: Option<String>,
    pub pod: Option<String>,
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self { outcome: Outcome::Failed(failure), color: None, version: None, pod: None }
    }
}

/// A client at work.
#[derive(Debug)]
pub struct Worker {
    client: Client,
    target: SocketAddr,
    host: String,
    sources: Vec<IpAddr>,
    next_source: AtomicUsize,
    /// Idle connections; the longest idle one is used first, so that all of them stay in use.
    idle: Mutex<VecDeque<Kept>>,
    /// Cloned into each connection of the pool, so that the number of clones is that of open connections.
    open: Arc<()>,
    connected: AtomicU64,
}

impl Worker {
    pub fn new(plan: &Plan, client: &Client) -> Self {
        Self {
            client: client.clone(),
            target: plan.target,
            host: plan.host.clone().unwrap_or_else(|| plan.target.to_string()),
            sources: plan.source_addresses.clone(),
            next_source: AtomicUsize::new(0),
            idle: Mutex::default(),
            open: Arc::default(),
            connected: AtomicU64::new(0),
        }
    }

    /// Connections opened so far.
    pub fn connected(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&self) -> Answer {
        match self.try_send().await {
            Ok(answer) => answer,
            Err(failure) => failure.into(),
        }
    }

    async fn try_send(&self) -> Result<Answer, Failure> {
        let (response, kept) = match self.client.kind {
            Kind::Fresh | Kind::Long => (self.ask_on_new_connection().await?, None),
            Kind::KeepAlive => {
                let (response, kept) = self.ask_on_kept_connection().await?;
                (response, Some(kept))
            }
        };
        let (head, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            // An answer that breaks off is as lost as one that never came.
            frame.map_err(|error| cause(&error))?;
        }
        if let Some(kept) = kept {
            self.keep(kept);
        }
        let header = |name| text(&head.headers, name);
        Ok(Answer {
            outcome: if head.status.is_success() {
                Outcome::Ok
            } else {
                Outcome::Failed(Failure::Status(head.status.as_u16()))
            },
            color: header("x-app-color"),
            version: header("x-app-version"),
            pod: header("x-app-pod"),
        })
    }

    async fn ask_on_new_connection(&self) -> Result<Response<Incoming>, Failure> {
        let mut sender = self.connect().await?;
        let mut request = self.request()?;
        // Lets the server close first, which leaves this side's port free for another connection.
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        sender.send_request(request).await.map_err(|error| cause(&error))
    }

    async fn ask_on_kept_connection(&self) -> Result<(Response<Incoming>, Kept), Failure> {
        let mut request = self.request()?;
        loop {
            let (mut kept, new) = match self.take_idle() {
                Some(kept) => (kept, false),
                None => {
                    // Counted before connecting, or all requests meanwhile would open one, too.
                    let open = self.open.clone();
                    (Kept { sender: self.connect().await?, _open: open }, true)
                }
            };
            // Fails when the server has closed the connection in the meantime, which is its right.
            match kept.sender.ready().await {
                Ok(()) => {}
                Err(error) if new => return Err(cause(&error)),
                Err(_) => continue,
            }
            match kept.sender.try_send_request(request).await {
                Ok(response) => return Ok((response, kept)),
                // Given back: not one byte has left. Every HTTP client takes another connection then, and so nothing
                // is lost. Once a byte has left, a request that fails is counted, though some clients would repeat it.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !new => request = unsent,
                    Some(_) | None => return Err(cause(error.error())),
                },
            }
        }
    }

    fn take_idle(&self) -> Option<Kept> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| !kept.sender.is_closed());
        // Until the pool is full, each request opens a connection: they should reach different pods.
        if Arc::strong_count(&self.open) <= self.client.connections { None } else { idle.pop_front() }
    }

    fn keep(&self, kept: Kept) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.client.connections && !kept.sender.is_closed() {
            idle.push_back(kept);
        }
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, Failure> {
        Request::get(&self.client.path)
            .header(HOST, &self.host)
            .header("user-agent", "bluegreen-load")
            .body(Empty::new())
            .map_err(|_| Failure::Local)
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let stream = self.dial().await.map_err(|error| io_cause(&error))?;
        self.connected.fetch_add(1, Ordering::Relaxed);
        // A request must not wait for more bytes to fill a packet.
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| cause(&error))?;
        // Ends with the sender or the server; a failure reaches the request that waits on it.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let socket = if self.target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if !self.sources.is_empty() {
            let turn = self.next_source.fetch_add(1, Ordering::Relaxed) % self.sources.len();
            if let Some(source) = self.sources.get(turn) {
                // Without this, a port in TIME_WAIT is not chosen again.
                socket.set_reuseaddr(true)?;
                socket.bind(SocketAddr::new(*source, 0))?;
            }
        }
        socket.connect(self.target).await
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Finds the cause in an error of the HTTP library.
fn cause(error: &hyper::Error) -> Failure {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return io_cause(io);
        }
        source = inner.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Failure::Closed
    } else {
        Failure::Protocol
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the standard library adds kinds")]
fn io_cause(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => Failure::Reset,
        ErrorKind::UnexpectedEof => Failure::Closed,
        ErrorKind::TimedOut => Failure::Timeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Failure::Unreachable,
        // No port, no file descriptor, no such source address: the target has no part in it.
        _ => Failure::Local,
    }
}
