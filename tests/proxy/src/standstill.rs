//! Breakpoints: everything stands still while a test does something to the operator.
//!
//! While one request is stopped, no other is forwarded. So what the operator sends after the reply that a breakpoint
//! is about can't slip through before the test has acted; and when the test then abandons the request, because its
//! sender is dead, the ones that waited die with it.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, oneshot, watch};

use crate::request::Request;

/// Where a request is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The API server has not seen it.
    BeforeForward,
    /// The API server has carried it out, its sender does not know.
    AfterCommit,
    /// Its sender has the reply, and nothing that it sent then was forwarded.
    AfterReply,
}

impl Point {
    /// All three, in the order of time.
    pub const ALL: [Self; 3] = [Self::BeforeForward, Self::AfterCommit, Self::AfterReply];
}

/// Stops requests; the other end is [`Stops`].
#[derive(Clone, Debug)]
pub struct Breakpoint {
    pub(crate) point: Point,
    stops: mpsc::UnboundedSender<Stopped>,
}

/// Where a test hears of requests that were stopped.
#[derive(Debug)]
pub struct Stops(mpsc::UnboundedReceiver<Stopped>);

/// A request that stands still. Dropping it abandons it.
#[derive(Debug)]
pub struct Stopped {
    /// The request.
    pub request: Arc<Request>,
    /// The API server's answer, if it was asked already.
    pub code: Option<u16>,
    _held: oneshot::Sender<Infallible>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    GoOn,
    Abandon,
}

impl Breakpoint {
    /// A breakpoint, and where it reports.
    pub fn new(point: Point) -> (Self, Stops) {
        let (stops, receiver) = mpsc::unbounded_channel();
        (Self { point, stops }, Stops(receiver))
    }

    pub(crate) async fn report(&self, request: Arc<Request>, code: Option<u16>) -> Resume {
        let (held, dropped) = oneshot::channel();
        match self.stops.send(Stopped { request, code, _held: held }) {
            Ok(()) => match dropped.await {
                Ok(never) => match never {},
                Err(_) => Resume::Abandon,
            },
            // Nobody listens any more.
            Err(_) => Resume::GoOn,
        }
    }
}

impl Stops {
    /// Waits for the next request that is stopped.
    ///
    /// # Errors
    /// When the rule was taken back, so that there will be none.
    pub async fn next(&mut self) -> anyhow::Result<Stopped> {
        self.0.recv().await.context("the rule with this breakpoint is gone")
    }
}

impl Stopped {
    /// Its sender is dead: neither it (nor its reply) nor any other request that waited goes any further.
    pub fn abandon(self) {
        drop(self);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    stopped: bool,
    abandoned: u64,
}

/// Shared by all requests of a proxy.
#[derive(Debug, Default)]
pub(crate) struct Standstill(watch::Sender<State>);

/// The request was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abandoned;

impl Standstill {
    /// Returns as soon as nothing is stopped.
    pub(crate) async fn running(&self) -> Result<(), Abandoned> {
        let mut state = self.0.subscribe();
        let before = state.borrow_and_update().abandoned;
        let now = state.wait_for(|state| !state.stopped).await.map_err(|_| Abandoned)?;
        if now.abandoned == before { Ok(()) } else { Err(Abandoned) }
    }

    /// Stops everything else, as soon as nothing else does.
    pub(crate) async fn stop(&self) -> Result<(), Abandoned> {
        loop {
            self.running().await?;
            let stopped = self.0.send_if_modified(|state| !std::mem::replace(&mut state.stopped, true));
            if stopped {
                return Ok(());
            }
        }
    }

    /// Lets everything go on; after `stop`.
    pub(crate) fn resume(&self, how: Resume) {
        self.0.send_modify(|state| {
            state.stopped = false;
            state.abandoned += u64::from(how == Resume::Abandon);
        });
    }
}
