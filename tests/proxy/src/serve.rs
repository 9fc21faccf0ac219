//! Carries requests out as the script says.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Response, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use crate::log::{Log, Slot, Verdict};
use crate::random::Random;
use crate::request::{Request, Verb};
use crate::script::{Answer, Effect, Range, Script};
use crate::standstill::{Abandoned, Breakpoint, Point, Resume, Standstill};
use crate::watch;

/// How long a reply may take from here into the client's hands, on one machine.
const ARRIVAL: Duration = Duration::from_millis(30);

/// Names the connection, not what is sent over it.
const HOP_BY_HOP: [HeaderName; 5] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::HOST, header::UPGRADE];

/// Makes hyper close the connection.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the proxy closes this connection")
    }
}

impl std::error::Error for Cut {}

pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, Cut>;
type Reply = Result<Response<ReplyBody>, Cut>;

/// What all connections share.
pub(crate) struct Shared {
    client: kube::Client,
    pub(crate) script: Script,
    pub(crate) log: Log,
    random: Mutex<Random>,
    standstill: Standstill,
}

impl Shared {
    pub(crate) fn new(client: kube::Client, seed: u64) -> Self {
        Self {
            client,
            script: Script::default(),
            log: Log::new(),
            random: Mutex::new(Random::new(seed)),
            standstill: Standstill::default(),
        }
    }

    pub(crate) fn draw(&self, range: &Range) -> Duration {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).within(range)
    }
}

pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the accepting task: a proxy that was dropped must not go on forwarding.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        let service = service_fn(move |request| handle(shared.clone(), request));
        connections.spawn(async move {
            // An error is how a connection is cut.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn handle(shared: Arc<Shared>, incoming: http::Request<Incoming>) -> Reply {
    let (head, body) = incoming.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let request = Arc::new(Request::parse(&head, &body));
    let slot = shared.log.begin(request.clone(), &body);
    // A task of its own: what was sent is carried out though its sender is gone, as on any network.
    let effects = shared.script.for_request(&request);
    let work = Work { shared, request, slot, effects };
    tokio::spawn(work.carry_out(head, body)).await.map_err(|_| Cut)?
}

/// One request under way.
struct Work {
    shared: Arc<Shared>,
    request: Arc<Request>,
    slot: Slot,
    effects: Vec<Effect>,
}

impl Work {
    async fn carry_out(self, head: Parts, body: Bytes) -> Reply {
        let (verdict, reply) = self.decide(head, body).await;
        self.shared.log.end(self.slot, verdict);
        reply
    }

    async fn decide(&self, head: Parts, body: Bytes) -> (Verdict, Reply) {
        if let Some(early) = self.before().await {
            return early;
        }
        let Ok(reply) = self.forward(head, body).await else { return (Verdict::Unreachable, Err(Cut)) };
        self.after(reply).await
    }

    /// Until it is forwarded; returns what ends it before.
    async fn before(&self) -> Option<(Verdict, Reply)> {
        let cut = Some((Verdict::Cut, Err(Cut)));
        for effect in &self.effects {
            match effect {
                Effect::Delay(range) => tokio::time::sleep(self.shared.draw(range)).await,
                Effect::Hold(gate) => gate.passed().await,
                Effect::Answer(answer) => return Some((Verdict::Answered(answer.code), Ok(status(answer)))),
                Effect::Cut => return cut,
                Effect::DelayReply(_)
                | Effect::HoldReply(_)
                | Effect::AnswerAfter(_)
                | Effect::LoseReply
                | Effect::Stale(_)
                | Effect::Stop(_) => {}
            }
        }
        if self.shared.standstill.running().await.is_err() {
            return cut;
        }
        for breakpoint in self.breakpoints(Point::BeforeForward) {
            match self.stop(breakpoint, None).await {
                Ok(Resume::GoOn) => {}
                Ok(Resume::Abandon) | Err(Abandoned) => return cut,
            }
        }
        None
    }

    /// From the API server's answer to the reply.
    async fn after(&self, reply: Response<ReplyBody>) -> (Verdict, Reply) {
        let code = reply.status().as_u16();
        for breakpoint in self.breakpoints(Point::AfterCommit) {
            match self.stop(breakpoint, Some(code)).await {
                Ok(Resume::GoOn) => {}
                Ok(Resume::Abandon) | Err(Abandoned) => return (Verdict::ReplyLost(code), Err(Cut)),
            }
        }
        for effect in &self.effects {
            match effect {
                Effect::DelayReply(range) => tokio::time::sleep(self.shared.draw(range)).await,
                Effect::HoldReply(gate) => gate.passed().await,
                Effect::AnswerAfter(answer) => {
                    let verdict = Verdict::AnsweredAfter { actual: code, told: answer.code };
                    return (verdict, Ok(status(answer)));
                }
                Effect::LoseReply => return (Verdict::ReplyLost(code), Err(Cut)),
                Effect::Delay(_)
                | Effect::Hold(_)
                | Effect::Answer(_)
                | Effect::Cut
                | Effect::Stale(_)
                | Effect::Stop(_) => {}
            }
        }
        for breakpoint in self.breakpoints(Point::AfterReply) {
            // Stopped before the reply leaves, so that nothing which follows from it gets through.
            if self.shared.standstill.stop().await.is_err() {
                return (Verdict::ReplyLost(code), Err(Cut));
            }
            let (shared, breakpoint, request) =
                (self.shared.clone(), breakpoint.clone(), self.request.clone());
            tokio::spawn(async move {
                tokio::time::sleep(ARRIVAL).await;
                let how = breakpoint.report(request, Some(code)).await;
                shared.standstill.resume(how);
            });
        }
        (Verdict::Forwarded(code), Ok(reply))
    }

    fn breakpoints(&self, point: Point) -> impl Iterator<Item = &Breakpoint> {
        self.effects.iter().filter_map(move |effect| match effect {
            Effect::Stop(breakpoint) if breakpoint.point == point => Some(breakpoint),
            _ => None,
        })
    }

    async fn stop(&self, breakpoint: &Breakpoint, code: Option<u16>) -> Result<Resume, Abandoned> {
        self.shared.standstill.stop().await?;
        let how = breakpoint.report(self.request.clone(), code).await;
        self.shared.standstill.resume(how);
        Ok(how)
    }

    async fn forward(&self, mut head: Parts, body: Bytes) -> Result<Response<ReplyBody>, Cut> {
        for name in HOP_BY_HOP {
            head.headers.remove(name);
        }
        let past = self.effects.iter().find_map(|effect| match effect {
            Effect::Stale(past) if self.request.verb == Verb::List => past.rewrite(&head.uri),
            _ => None,
        });
        head.uri = past.unwrap_or(head.uri);
        let request = http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
        let reply = self.shared.client.send(request).await.map_err(|_| Cut)?;
        let (mut head, body) = reply.into_parts();
        for name in HOP_BY_HOP {
            head.headers.remove(name);
        }
        let body = if self.request.is_watch() && head.status.is_success() {
            watch::pass(self.shared.clone(), self.request.clone(), body)
        } else {
            let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
            self.shared.log.answered(self.slot, &body);
            whole(body)
        };
        Ok(Response::from_parts(head, body))
    }
}

fn whole(bytes: Bytes) -> ReplyBody {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// An answer as the API server words its own.
fn status(answer: &Answer) -> Response<ReplyBody> {
    let Answer { code, retry_after } = answer;
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "Unknown",
    };
    let mut body = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "made up by the proxy",
        "reason": reason,
        "code": code,
    });
    let mut response = Response::builder().status(*code).header(header::CONTENT_TYPE, "application/json");
    if let Some(seconds) = retry_after {
        body["details"] = json!({"retryAfterSeconds": seconds});
        response = response.header(header::RETRY_AFTER, *seconds);
    }
    let body = whole(body.to_string().into());
    response.body(body).unwrap_or_else(|_| Response::new(whole(Bytes::new())))
}
