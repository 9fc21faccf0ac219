//! What went through.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::request::Request;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Still under way.
    Pending,
    /// The API server's answer was passed on.
    Forwarded(u16),
    /// The API server gave one answer, the proxy another.
    AnsweredAfter {
        /// The API server's.
        actual: u16,
        /// The proxy's.
        told: u16,
    },
    /// The proxy answered by itself.
    Answered(u16),
    /// The connection was closed before it was forwarded.
    Cut,
    /// The API server gave this answer, and the connection was closed.
    ReplyLost(u16),
    /// The API server could not be reached.
    Unreachable,
}

impl Verdict {
    /// The API server's answer.
    pub fn actual(self) -> Option<u16> {
        match self {
            Self::Forwarded(code) | Self::AnsweredAfter { actual: code, .. } | Self::ReplyLost(code) => {
                Some(code)
            }
            Self::Pending | Self::Answered(_) | Self::Cut | Self::Unreachable => None,
        }
    }
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The request.
    pub request: Arc<Request>,
    /// When it came in, since the proxy's start.
    pub at: Duration,
    /// What became of it.
    pub verdict: Verdict,
    /// When its sender could have heard that, since the proxy's start.
    pub ended: Option<Duration>,
    /// What it said, if bodies are kept.
    pub sent: Bytes,
    /// What the API server answered, if bodies are kept; nothing for a watch.
    pub answer: Bytes,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {}  {:?}", self.at.as_secs_f64(), self.request, self.verdict)
    }
}

/// Frames of one resource's watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Came in from the API server.
    pub received: u64,
    /// Were passed on whole.
    pub passed: u64,
    /// Had to wait.
    pub delayed: u64,
    /// Were dropped, truncated, or replaced by an end of the watch.
    pub lost: u64,
}

/// Everything that went through.
#[derive(Debug)]
pub struct Log {
    start: Instant,
    records: Mutex<Vec<Record>>,
    frames: Mutex<BTreeMap<String, FrameCounts>>,
    bodies: AtomicBool,
}

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot(usize);

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            records: Mutex::default(),
            frames: Mutex::default(),
            bodies: AtomicBool::new(false),
        }
    }

    /// From now on, keeps what is said and answered.
    pub fn keep_bodies(&self) {
        self.bodies.store(true, Ordering::Relaxed);
    }

    fn kept(&self, body: &Bytes) -> Bytes {
        if self.bodies.load(Ordering::Relaxed) { body.clone() } else { Bytes::new() }
    }

    pub(crate) fn begin(&self, request: Arc<Request>, body: &Bytes) -> Slot {
        let (sent, answer) = (self.kept(body), Bytes::new());
        let mut records = locked(&self.records);
        let at = self.start.elapsed();
        records.push(Record { request, at, verdict: Verdict::Pending, ended: None, sent, answer });
        Slot(records.len() - 1)
    }

    pub(crate) fn answered(&self, Slot(slot): Slot, body: &Bytes) {
        if let Some(record) = locked(&self.records).get_mut(slot) {
            record.answer = self.kept(body);
        }
    }

    pub(crate) fn end(&self, Slot(slot): Slot, verdict: Verdict) {
        if let Some(record) = locked(&self.records).get_mut(slot) {
            record.verdict = verdict;
            record.ended = Some(self.start.elapsed());
        }
    }

    pub(crate) fn count_frame(&self, resource: &str, change: impl FnOnce(&mut FrameCounts)) {
        change(locked(&self.frames).entry(resource.to_owned()).or_default());
    }

    /// How many requests have come in: those that come later are those [`Log::since`] this.
    pub fn len(&self) -> usize {
        locked(&self.records).len()
    }

    /// Whether none has come in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All requests from this position on, in the order in which they came in.
    pub fn since(&self, position: usize) -> Vec<Record> {
        locked(&self.records).get(position..).unwrap_or_default().to_vec()
    }

    /// How many requests a predicate picks.
    pub fn count(&self, wanted: impl Fn(&Record) -> bool) -> usize {
        locked(&self.records).iter().filter(|record| wanted(record)).count()
    }

    /// The frames of each resource's watches.
    pub fn frames(&self) -> BTreeMap<String, FrameCounts> {
        locked(&self.frames).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
