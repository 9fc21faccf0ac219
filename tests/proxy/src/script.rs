//! What is to happen to which requests and frames.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::past::Past;
use crate::request::Request;
use crate::standstill::Breakpoint;
use crate::watch::Frame;

/// A random time between two bounds.
pub type Range = RangeInclusive<Duration>;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Effect {
    /// It waits before it is forwarded. It is forwarded even if its sender has given up meanwhile.
    Delay(Range),
    /// It is forwarded at once, and its reply waits.
    DelayReply(Range),
    /// It waits for the gate; also beyond its sender's patience. A gate that never opens is a half-open connection.
    Hold(Gate),
    /// It is forwarded, and its reply waits for the gate.
    HoldReply(Gate),
    /// It is answered with this, and not forwarded.
    Answer(Answer),
    /// It is forwarded, and answered with this whatever the API server says: "504 after commit".
    AnswerAfter(Answer),
    /// The connection is closed, and it is not forwarded.
    Cut,
    /// It is forwarded, and the connection is closed without a reply.
    LoseReply,
    /// Everything stands still at that point until the test decides.
    Stop(Breakpoint),
    /// A list is answered with the state of some time ago, as by an API server that lags. See [`Past`].
    Stale(Past),
}

/// What happens to a frame of a watch. Frames of one watch keep their order unless they are [`FrameEffect::Overtaken`];
/// a frame that waits makes the later ones wait, while other watches go on.
#[derive(Clone, Debug)]
pub enum FrameEffect {
    /// It is passed on this long after it came in, or after the one before it, whichever is later.
    Delay(Range),
    /// It is passed on this long after it came in; frames about other objects do not wait for it. Those of one object
    /// keep their order.
    Overtaken(Range),
    /// It waits for the gate.
    Hold(Gate),
    /// It never arrives, and the watch goes on. No API server does this; a broken cache in between may.
    Drop,
    /// Half of it arrives, then the connection is closed.
    Truncate,
    /// The connection is closed instead.
    End,
    /// The watch ends with "410 Gone: too old resource version", as after a compaction: a new list is due.
    Expire,
}

/// A reply of the proxy's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub code: u16,
    /// For 429 and 503, in seconds.
    pub retry_after: Option<u32>,
}

impl Answer {
    /// An answer without Retry-After.
    pub fn code(code: u16) -> Self {
        Self { code, retry_after: None }
    }

    /// 429, to be tried again after so many seconds.
    pub fn too_many_requests(seconds: u32) -> Self {
        Self { code: 429, retry_after: Some(seconds) }
    }
}

/// Closed at first; opened once, by whoever has a clone.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<Door>>);

#[derive(Clone, Copy, Debug, Default)]
struct Door {
    open: bool,
    reached: bool,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Door::default())))
    }

    /// Lets through who waits, and who comes later.
    pub fn open(&self) {
        self.0.send_modify(|door| door.open = true);
    }

    /// Returns when the first request or frame stands before it.
    pub async fn reached(&self) {
        // An error would mean that the sender is gone, and `self` has it.
        let _ = self.0.subscribe().wait_for(|door| door.reached).await;
    }

    pub(crate) async fn passed(&self) {
        self.0.send_modify(|door| door.reached = true);
        let _ = self.0.subscribe().wait_for(|door| door.open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Names a rule, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u64);

/// Which of those that match.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    skip: u64,
    times: Option<u64>,
    matched: u64,
}

impl Turn {
    fn next(&mut self) -> bool {
        self.matched += 1;
        let position = self.matched - 1;
        position >= self.skip && self.times.is_none_or(|times| position - self.skip < times)
    }
}

/// An effect, and what it is for.
pub struct RuleFor<When: ?Sized, Effect> {
    when: Box<When>,
    effect: Effect,
    turn: Turn,
}

/// An effect, and the requests that it is for.
pub type Rule = RuleFor<dyn Fn(&Request) -> bool + Send, Effect>;

/// An effect, and the frames that it is for.
pub type FrameRule = RuleFor<dyn Fn(&Request, &Frame) -> bool + Send, FrameEffect>;

impl Rule {
    /// A rule for all requests that `when` picks.
    pub fn new(when: impl Fn(&Request) -> bool + Send + 'static, effect: Effect) -> Self {
        Self { when: Box::new(when), effect, turn: Turn::default() }
    }
}

impl FrameRule {
    /// A rule for all frames that `when` picks; it is told the watch's request too.
    pub fn new(when: impl Fn(&Request, &Frame) -> bool + Send + 'static, effect: FrameEffect) -> Self {
        Self { when: Box::new(when), effect, turn: Turn::default() }
    }

    /// A rule for all frames about one resource.
    pub fn of(resource: &'static str, effect: FrameEffect) -> Self {
        Self::new(move |watch, _| watch.resource == resource, effect)
    }
}

impl<When: ?Sized, Effect> RuleFor<When, Effect> {
    /// Not for the first `count` of them.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.turn.skip = count;
        self
    }

    /// Only for so many of them.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.turn.times = Some(count);
        self
    }
}

#[derive(Default)]
struct Rules {
    last: u64,
    requests: Vec<(RuleId, Rule)>,
    frames: Vec<(RuleId, FrameRule)>,
}

impl Rules {
    fn id(&mut self) -> RuleId {
        self.last += 1;
        RuleId(self.last)
    }
}

/// The rules in force. All that match apply; of several answers, the first.
#[derive(Default)]
pub struct Script(Mutex<Rules>);

impl Script {
    /// Adds a rule for requests that come from now on.
    pub fn add(&self, rule: Rule) -> RuleId {
        let mut rules = self.rules();
        let id = rules.id();
        rules.requests.push((id, rule));
        id
    }

    /// Adds a rule for frames that come from now on.
    pub fn add_frames(&self, rule: FrameRule) -> RuleId {
        let mut rules = self.rules();
        let id = rules.id();
        rules.frames.push((id, rule));
        id
    }

    /// Takes a rule back; requests and frames that wait already go on waiting.
    pub fn remove(&self, id: RuleId) {
        let mut rules = self.rules();
        rules.requests.retain(|(other, _)| *other != id);
        rules.frames.retain(|(other, _)| *other != id);
    }

    /// Takes all rules back.
    pub fn clear(&self) {
        let mut rules = self.rules();
        rules.requests.clear();
        rules.frames.clear();
    }

    pub(crate) fn for_request(&self, request: &Request) -> Vec<Effect> {
        let mut rules = self.rules();
        let matching = rules.requests.iter_mut().filter(|(_, rule)| (rule.when)(request));
        matching.filter_map(|(_, rule)| rule.turn.next().then(|| rule.effect.clone())).collect()
    }

    pub(crate) fn for_frame(&self, watch: &Request, frame: &Frame) -> Vec<FrameEffect> {
        let mut rules = self.rules();
        let matching = rules.frames.iter_mut().filter(|(_, rule)| (rule.when)(watch, frame));
        matching.filter_map(|(_, rule)| rule.turn.next().then(|| rule.effect.clone())).collect()
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules();
        let requests = rules.requests.iter().map(|(_, rule)| &rule.effect);
        f.debug_list().entries(requests).entries(rules.frames.iter().map(|(_, rule)| &rule.effect)).finish()
    }
}
