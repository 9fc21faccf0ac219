//! Streams of changes.

use std::convert::Infallible;

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::request::Request;
use crate::selector::Selector;
use crate::status::Status;
use crate::store::{Change, Store};

/// Whoever watches.
pub(crate) struct Watcher {
    kind: Kind,
    namespace: Option<String>,
    selector: Selector,
    bookmarks: bool,
    lines: UnboundedSender<Value>,
}

impl Watcher {
    /// Tells of a change; `false` when nobody listens any more.
    pub fn tell(&self, change: &Change) -> bool {
        match self.event(change) {
            Some(event) => self.send(event),
            None => !self.lines.is_closed(),
        }
    }

    /// Tells the present version, if it was asked for.
    pub fn bookmark(&self, version: u64) -> bool {
        let object = json!({
            "apiVersion": self.kind.api_version(), "kind": self.kind.name(),
            "metadata": { "resourceVersion": version.to_string() },
        });
        !self.bookmarks || self.send(json!({ "type": "BOOKMARK", "object": object }))
    }

    /// Says that it has to begin anew, with a list.
    pub fn expire(&self) {
        self.send(json!({ "type": "ERROR", "object": Status::expired().body() }));
    }

    fn send(&self, line: Value) -> bool {
        self.lines.unbounded_send(line).is_ok()
    }

    /// An object that leaves the selection is told as deleted, one that enters it as added.
    fn event(&self, change: &Change) -> Option<Value> {
        let here = self.namespace.as_ref().is_none_or(|namespace| *namespace == change.namespace);
        if change.kind != self.kind || !here {
            return None;
        }
        let before = change.before.as_ref().is_some_and(|before| self.selector.matches(before));
        let after = !change.deleted && self.selector.matches(&change.object);
        let type_ = match (before, after) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        let mut object = change.object.as_ref().clone();
        if let (true, false, Some(before)) = (before, after, &change.before) {
            // As it was when it was selected last, at the version of the change.
            object = before.as_ref().clone();
            object["metadata"]["resourceVersion"] = json!(change.version.to_string());
        }
        Some(json!({ "type": type_, "object": object }))
    }
}

/// The body of a watch: one JSON object a line.
pub(crate) type Lines = BoxBody<Bytes, Infallible>;

/// Begins to watch; what has changed since the version that the request names is told first.
pub(crate) fn start(store: &mut Store, request: &Request) -> Lines {
    let (lines, receiver) = unbounded();
    let watcher = Watcher {
        kind: request.kind,
        namespace: request.namespace.clone(),
        selector: Selector::parse(request.label_selector()),
        bookmarks: request.query.get("allowWatchBookmarks").is_some_and(|value| value == "true"),
        lines,
    };
    let from: u64 = request.query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
    if from < store.oldest {
        watcher.expire();
    } else {
        store.history.iter().filter(|change| change.version > from).for_each(|change| {
            watcher.tell(change);
        });
        store.watchers.push(watcher);
    }
    body(receiver)
}

fn body(lines: UnboundedReceiver<Value>) -> Lines {
    let frames = lines.map(|line| Ok(http_body::Frame::data(Bytes::from(format!("{line}\n")))));
    BoxBody::new(StreamBody::new(frames))
}
