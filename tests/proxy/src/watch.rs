//! Passes the frames of a watch on: late, in order, or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::request::Request;
use crate::script::{FrameEffect, Gate};
use crate::serve::{Cut, ReplyBody, Shared};

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: String,
    /// The object.
    pub object: Value,
}

impl Frame {
    fn parse(line: &[u8]) -> Self {
        let mut event: Value = serde_json::from_slice(line).unwrap_or_default();
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        Self { kind, object: event["object"].take() }
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// The object's namespace.
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A frame on its way.
struct Passing {
    /// Not earlier than this.
    at: Instant,
    gates: Vec<Gate>,
    arrives: Arrival,
}

/// What the client gets.
enum Arrival {
    Whole(Bytes),
    Half(Bytes),
    Nothing,
    /// Whole, and then the end.
    Last(Bytes),
    /// The connection is closed.
    Cut,
    /// The API server ended the watch.
    End,
}

/// The reply to a watch. Everything ends when its client goes.
pub(crate) fn pass(shared: Arc<Shared>, request: Arc<Request>, upstream: kube::client::Body) -> ReplyBody {
    let (queue, frames) = mpsc::unbounded_channel();
    // Room for one: that a frame was taken over means that it is being written.
    let (out, body) = mpsc::channel(1);
    tokio::spawn(async move {
        let gone = out.clone();
        let reading = async {
            read(&shared, &request, upstream, queue).await;
            // What was read has still to be written.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = reading => {}
            () = write(&shared, &request, frames, out) => {}
            () = gone.closed() => {}
        }
    });
    let frames = futures::stream::unfold(body, async |mut body: mpsc::Receiver<Result<Bytes, Cut>>| {
        let frame = body.recv().await?;
        Some((frame.map(hyper::body::Frame::data), body))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// Decides on each frame at the moment at which it comes in, so that a delay does not begin with the end of another.
async fn read(
    shared: &Shared,
    request: &Request,
    upstream: kube::client::Body,
    queue: mpsc::UnboundedSender<Passing>,
) {
    let mut upstream = upstream.into_data_stream();
    let mut pending = Vec::new();
    let mut end = Arrival::End;
    let mut detours = Detours::default();
    while let Some(chunk) = upstream.next().await {
        let Ok(chunk) = chunk else {
            end = Arrival::Cut;
            break;
        };
        pending.extend_from_slice(&chunk);
        while let Some(position) = pending.iter().position(|&byte| byte == b'\n') {
            let rest = pending.split_off(position + 1);
            let line = Bytes::from(std::mem::replace(&mut pending, rest));
            let (passing, detour) = decide(shared, request, line);
            let sent = match detour {
                Some(detour) => detours.send(&queue, passing, detour),
                None => queue.send(passing).is_ok(),
            };
            if !sent {
                return;
            }
        }
    }
    detours.end().await;
    // No error: who writes has gone before.
    let _ = queue.send(Passing { at: Instant::now(), gates: Vec::new(), arrives: end });
}

/// Takes a frame out of the line, so that others overtake it.
struct Detour {
    object: String,
    wait: Duration,
}

/// Frames on detours: a line for each object, since only frames of different objects may overtake each other.
#[derive(Default)]
struct Detours {
    lines: HashMap<String, mpsc::UnboundedSender<(Instant, Passing)>>,
    under_way: tokio::task::JoinSet<()>,
}

impl Detours {
    fn send(
        &mut self,
        queue: &mpsc::UnboundedSender<Passing>,
        passing: Passing,
        Detour { object, wait }: Detour,
    ) -> bool {
        let under_way = &mut self.under_way;
        let line = self.lines.entry(object).or_insert_with(|| {
            let (line, mut frames) = mpsc::unbounded_channel::<(Instant, Passing)>();
            let queue = queue.clone();
            under_way.spawn(async move {
                while let Some((due, passing)) = frames.recv().await {
                    tokio::time::sleep_until(due).await;
                    let _ = queue.send(passing);
                }
            });
            line
        });
        // It ends only with `self`.
        let _ = line.send((passing.at + wait, passing));
        !queue.is_closed()
    }

    /// Everything on a detour has arrived.
    async fn end(mut self) {
        self.lines.clear();
        while self.under_way.join_next().await.is_some() {}
    }
}

fn decide(shared: &Shared, request: &Request, line: Bytes) -> (Passing, Option<Detour>) {
    let frame = Frame::parse(&line);
    let effects = shared.script.for_frame(request, &frame);
    let mut detour = None;
    let mut passing =
        Passing { at: Instant::now(), gates: Vec::new(), arrives: Arrival::Whole(line.clone()) };
    for effect in effects {
        match effect {
            FrameEffect::Delay(range) => passing.at += shared.draw(&range),
            FrameEffect::Overtaken(range) => {
                let object = format!("{}/{}", frame.namespace(), frame.name());
                detour = Some(Detour { object, wait: shared.draw(&range) });
            }
            FrameEffect::Hold(gate) => passing.gates.push(gate),
            FrameEffect::Drop => passing.arrives = Arrival::Nothing,
            FrameEffect::Truncate => passing.arrives = Arrival::Half(line.slice(..line.len() / 2)),
            FrameEffect::End => passing.arrives = Arrival::Cut,
            FrameEffect::Expire => passing.arrives = Arrival::Last(expired()),
        }
    }
    let waits = passing.at > Instant::now() || !passing.gates.is_empty() || detour.is_some();
    let lost = !matches!(passing.arrives, Arrival::Whole(_));
    shared.log.count_frame(&request.resource, |count| {
        count.received += 1;
        count.delayed += u64::from(waits);
        count.lost += u64::from(lost);
    });
    (passing, detour)
}

/// One frame after the other, each in its time.
async fn write(
    shared: &Shared,
    request: &Request,
    mut frames: mpsc::UnboundedReceiver<Passing>,
    out: mpsc::Sender<Result<Bytes, Cut>>,
) {
    while let Some(Passing { at, gates, arrives }) = frames.recv().await {
        tokio::time::sleep_until(at).await;
        for gate in gates {
            gate.passed().await;
        }
        let (bytes, then) = match arrives {
            Arrival::Whole(line) => {
                shared.log.count_frame(&request.resource, |count| count.passed += 1);
                (Some(line), None)
            }
            Arrival::Nothing => (None, None),
            Arrival::Half(line) => (Some(line), Some(Err(Cut))),
            Arrival::Last(line) => (Some(line), Some(Ok(()))),
            Arrival::Cut => (None, Some(Err(Cut))),
            Arrival::End => (None, Some(Ok(()))),
        };
        if let Some(bytes) = bytes
            && out.send(Ok(bytes)).await.is_err()
        {
            return;
        }
        match then {
            None => {}
            Some(Ok(())) => return,
            Some(Err(cut)) => {
                // hyper writes what it has once it is asked to wait; an error that follows at once would undo that.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let _ = out.send(Err(cut)).await;
                return;
            }
        }
    }
}

/// As the API server says that a watch's resourceVersion is too old.
fn expired() -> Bytes {
    let event = json!({
        "type": "ERROR",
        "object": {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "too old resource version: made up by the proxy",
            "reason": "Expired",
            "code": 410,
        },
    });
    Bytes::from(format!("{event}\n"))
}
