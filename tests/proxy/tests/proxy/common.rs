//! An API server of a few lines, and a client that goes through the proxy.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen_proxy::Proxy;
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::sync::mpsc;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the upstream saw, and its open watches.
#[derive(Default)]
pub struct Upstream {
    seen: Mutex<Vec<String>>,
    queries: Mutex<Vec<String>>,
    watches: Mutex<HashMap<String, mpsc::UnboundedSender<Bytes>>>,
}

impl Upstream {
    async fn start() -> (Arc<Self>, kube::Config) {
        let upstream = Arc::new(Self::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = upstream.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = shared.clone();
                let service = service_fn(move |request| {
                    std::future::ready(Ok::<_, Infallible>(shared.answer(&request)))
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        (upstream, kube::Config::new(format!("http://{address}").parse().unwrap()))
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        self.seen.lock().unwrap().push(format!("{} {path}", request.method()));
        self.queries.lock().unwrap().push(request.uri().query().unwrap_or_default().to_owned());
        if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
            let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
            let resource = path.rsplit('/').next().unwrap().to_owned();
            self.watches.lock().unwrap().insert(resource, sender);
            let frames = futures::stream::unfold(receiver, async |mut receiver| {
                Some((Ok(Frame::data(receiver.recv().await?)), receiver))
            });
            return Response::new(StreamBody::new(frames).boxed_unsync());
        }
        Response::new(Full::from(r#"{"metadata": {"resourceVersion": "7"}}"#).boxed_unsync())
    }

    /// What came in, as `PATCH /api/…`.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// What the last requests asked for behind their `?`; the cluster's state is asked for all the time.
    pub fn queries(&self) -> Vec<String> {
        let queries = std::mem::take(&mut *self.queries.lock().unwrap());
        queries.into_iter().filter(|query| query != "limit=1").collect()
    }

    /// Sends one event on the open watch of a resource.
    pub fn event(&self, resource: &str, name: &str) {
        self.event_of(resource, "MODIFIED", name);
    }

    /// As [`Upstream::event`], of any type.
    pub fn event_of(&self, resource: &str, kind: &str, name: &str) {
        let event = json!({"type": kind, "object": {"metadata": {"name": name, "namespace": "a"}}});
        self.watches.lock().unwrap()[resource].send(format!("{event}\n").into()).unwrap();
    }
}

/// Everything that a test needs.
pub struct World {
    pub upstream: Arc<Upstream>,
    pub config: kube::Config,
    pub proxy: Proxy,
    pub client: kube::Client,
}

pub async fn world() -> World {
    let (upstream, config) = Upstream::start().await;
    let proxy = Proxy::start(config.clone(), 1).await.unwrap();
    World { upstream, config, client: client(&proxy), proxy }
}

/// A client without a read timeout that never tries again.
pub fn client(proxy: &Proxy) -> kube::Client {
    let mut config = proxy.config().unwrap();
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

/// Sends a request about `NAMESPACE a`; returns the status, or `None` if the connection was closed.
pub async fn send(client: &kube::Client, method: Method, path: &str) -> Option<http::StatusCode> {
    let request = Request::builder().method(method).uri(format!("/api/v1/namespaces/a/{path}"));
    let response = client.send(request.body(Vec::new().into()).unwrap()).await.ok()?;
    let status = response.status();
    response.into_body().collect().await.ok()?;
    Some(status)
}

/// An open watch.
pub struct Watch(futures::stream::BoxStream<'static, Option<Bytes>>);

impl Watch {
    pub async fn open(client: &kube::Client, resource: &str) -> Self {
        let request = Request::get(format!("/api/v1/namespaces/a/{resource}?watch=true"))
            .body(Vec::new().into())
            .unwrap();
        let body = client.send(request).await.unwrap().into_body();
        Self(body.into_data_stream().map(Result::ok).boxed())
    }

    /// The next piece; `Err` says how the watch ended.
    pub async fn next(&mut self) -> Result<String, &'static str> {
        match tokio::time::timeout(Duration::from_secs(5), self.0.next()).await {
            Ok(Some(Some(bytes))) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
            Ok(Some(None)) => Err("cut"),
            Ok(None) => Err("end"),
            Err(_) => Err("silent"),
        }
    }

    /// The name in the next event.
    pub async fn name(&mut self) -> String {
        let line = self.next().await.unwrap();
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        event["object"]["metadata"]["name"].as_str().unwrap().to_owned()
    }

    /// Whether nothing comes for a moment.
    pub async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(200), self.0.next()).await.is_err()
    }
}
