//! HTTP requests in, HTTP answers out, without a socket.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tower::{BoxError, service_fn};

use crate::request::Request;
use crate::server::{Outcome, Server};
use crate::status::Status;

/// A client of this server.
pub(crate) fn client(server: &Server, namespace: &str) -> Client {
    let server = server.clone();
    let service = service_fn(move |request: http::Request<Body>| serve(server.clone(), request));
    Client::new(service, namespace)
}

async fn serve(
    server: Server,
    request: http::Request<Body>,
) -> Result<http::Response<BoxBody<Bytes, Infallible>>, BoxError> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let request = match Request::parse(&parts, body) {
        Ok(request) => request,
        Err(status) => return answer(status.code, &status.body()),
    };
    let outcome = server.receive(request);
    // As on a network, others get their turn between a request and its answer.
    tokio::task::yield_now().await;
    match outcome {
        Outcome::Answer(code, body) => answer(code, &body),
        Outcome::Watch(lines) => Ok(http::Response::builder().status(200).body(lines)?),
        Outcome::Lost => Err("the connection was lost".into()),
        Outcome::Never => std::future::pending().await,
    }
}

fn answer(code: u16, body: &Value) -> Result<http::Response<BoxBody<Bytes, Infallible>>, BoxError> {
    let bytes = Full::new(Bytes::from(body.to_string())).boxed();
    let answer = http::Response::builder().status(code).header("content-type", "application/json");
    Ok(answer.body(bytes)?)
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        Self::Answer(status.code, status.body())
    }
}
