//! One message over a connection of its own, and what became of it.
//!
//! No connection is kept, no redirect is followed, and no proxy of the environment is used: so it is known whether anything of a
//! message has left this process.

use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Receiver;
use crate::connect::Target;
use crate::format::Outgoing;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Told,
    /// The receiver does not want it, and would not want it again.
    Refused(StatusCode),
    /// Nobody knows whether the receiver has it.
    Unknown(String),
    /// Nothing of it was sent.
    NotSent(String),
    /// The receiver says that it has not taken it, and perhaps after how long it would.
    NotTaken(StatusCode, Option<Duration>),
}

/// Sends messages to one receiver.
#[derive(Clone)]
pub struct Sender {
    target: Target,
    authority: HeaderValue,
    headers: HeaderMap,
    /// The longest time for a connection, and again for the answer.
    limit: Duration,
}

impl Sender {
    /// For this receiver. `limit` is the longest time for a connection, and again for an answer.
    ///
    /// # Errors
    /// What of the receiver can't be used.
    pub fn new(receiver: &Receiver, limit: Duration) -> Result<Self, String> {
        Ok(Self {
            target: Target::new(&receiver.url, receiver.ca.as_deref())?,
            authority: receiver.url.authority.clone(),
            headers: receiver.headers.clone(),
            limit,
        })
    }

    /// Sends a message once.
    pub async fn send(&self, message: &Outgoing) -> Outcome {
        let Some(request) = self.request(message) else {
            return Outcome::Refused(StatusCode::BAD_REQUEST);
        };
        let connecting = async {
            let stream = self.target.connect().await?;
            let shaken = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
            shaken.map_err(|error| format!("no connection: {error}"))
        };
        let (mut sender, connection) = match timeout(self.limit, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(why)) => return Outcome::NotSent(why),
            Err(_) => return Outcome::NotSent(format!("no connection within {:?}", self.limit)),
        };
        // Ends the connection with this function.
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        match timeout(self.limit, sender.send_request(request)).await {
            Ok(Ok(response)) => read(&response),
            Ok(Err(error)) => Outcome::Unknown(format!("no answer: {error}")),
            Err(_) => Outcome::Unknown(format!("no answer within {:?}", self.limit)),
        }
    }

    fn request(&self, message: &Outgoing) -> Option<Request<Full<Bytes>>> {
        let body = Full::new(Bytes::from(message.body.clone()));
        let mut request = Request::post(message.path.clone()).body(body).ok()?;
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        headers.insert(HOST, self.authority.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(message.content_type));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("bluegreen-operator-notify"));
        Some(request)
    }
}

/// What an answer means. A gateway answers 502, 504, and often 503, although the server behind it may have got the request, so
/// only two answers say that the message was not taken: 429, and a 503 of a server that says when to come again.
fn read(response: &Response<Incoming>) -> Outcome {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER);
    meaning(status, after.and_then(|value| value.to_str().ok()), Timestamp::now())
}

fn meaning(status: StatusCode, retry_after: Option<&str>, now: Timestamp) -> Outcome {
    match status {
        status if status.is_success() => Outcome::Told,
        StatusCode::TOO_MANY_REQUESTS => {
            Outcome::NotTaken(status, retry_after.and_then(|text| wait(text, now)))
        }
        StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
            Outcome::NotTaken(status, retry_after.and_then(|text| wait(text, now)))
        }
        // The receiver, or what is before it, has waited for the end of the request, or for an answer.
        StatusCode::REQUEST_TIMEOUT => Outcome::Unknown(format!("answer {}", status.as_u16())),
        status if status.is_server_error() => Outcome::Unknown(format!("answer {}", status.as_u16())),
        status => Outcome::Refused(status),
    }
}

/// The time of a `Retry-After`: seconds, or a date.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
