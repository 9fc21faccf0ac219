//! One GET over a connection of its own, within a time limit and a limit of bytes.
//!
//! No connection is kept and no redirect is followed, and no proxy of the environment is used: a measurement is about the one
//! server that it names.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::connect::Target;
use crate::trouble::{Trouble, causes};

/// What to ask for.
pub struct Get {
    /// Path and query.
    pub path: Uri,
    /// Headers, `Host` among them.
    pub headers: HeaderMap,
    /// The longest time for everything: address, connection, headers, body.
    pub timeout: Duration,
    /// How much of the body is read, in bytes.
    pub limit: usize,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body up to the limit.
    pub body: Vec<u8>,
    /// Whether the body is longer than the limit.
    pub cut: bool,
    /// From the start to the end of what was read.
    pub took: Duration,
}

impl Get {
    /// Asks. Reads the body up to its end or to the limit.
    ///
    /// # Errors
    /// Says how far it came, and why there is no answer.
    pub async fn send(&self, target: &Target) -> Result<Answer, Trouble> {
        let start = Instant::now();
        let deadline = start + self.timeout;
        let limit = self.timeout.as_secs();
        // The TCP connection is made first, so that what comes after it is known to be the server's.
        let connected = timeout_at(deadline, target.connect_tcp()).await;
        let stream =
            connected.map_err(|_| Trouble::before_connected(format!("no connection within {limit} s")))??;
        let late = |what: &str| Trouble::after_connected(format!("{what} within {limit} s"));
        let stream = timeout_at(deadline, target.with_tls(stream)).await;
        let stream = stream.map_err(|_| late("no end of the TLS handshake"))??;

        let shaken = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| Trouble::after_connected(causes(&error)))?;
        // Ends the connection with this function.
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let response = timeout_at(deadline, sender.send_request(self.request()?)).await;
        let response = response.map_err(|_| late("no answer"))?;
        let response =
            response.map_err(|error| Trouble::after_connected(format!("no answer: {}", causes(&error))))?;

        let (head, mut stream) = response.into_parts();
        let (mut body, mut cut) = (Vec::new(), false);
        while !cut {
            let frame = timeout_at(deadline, stream.frame()).await;
            let Some(frame) =
                frame.map_err(|_| late(&format!("{}, but no end of the answer", head.status.as_u16())))?
            else {
                break;
            };
            let frame = frame.map_err(|error| {
                let status = head.status.as_u16();
                Trouble::after_connected(format!("{status}, but the answer broke off: {}", causes(&error)))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let room = self.limit.saturating_sub(body.len());
            cut = data.len() > room;
            body.extend(data.into_iter().take(room));
        }
        Ok(Answer { status: head.status, body, cut, took: start.elapsed() })
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, Trouble> {
        let request = Request::get(self.path.clone()).body(Empty::new());
        let mut request = request.map_err(|error| Trouble::before_connected(causes(&error)))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok(request)
    }
}
