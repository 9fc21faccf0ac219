//! What a term of leadership keeps for its passes, and what it keeps of each app between two of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::{Client, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::Clock;
use crate::events::Publisher;
use crate::metrics::Metrics;
use crate::send::Writer;
use crate::stores::Cache;
use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::fence::Token;
use bluegreen_core::pass::Memory;

/// What every pass needs.
pub struct Context {
    /// For reads; a write goes through `writer`.
    pub client: Client,
    /// The only writer.
    pub writer: Writer,
    /// The watch caches.
    pub cache: Arc<Cache>,
    /// Counters and histograms.
    pub metrics: Metrics,
    /// Publishes Events.
    pub events: Publisher,
    /// How long one read may take.
    pub read_deadline: Duration,
    /// This leader's token; its attempt is zero.
    pub token: Token,
    /// How checks are carried out.
    pub checks: Checks,
    /// The time.
    pub clock: Clock,
    /// Once it is canceled, a pass ends at its next command.
    pub stop: CancellationToken,
    memories: Memories,
}

/// How checks are carried out.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The image with the program of their short forms.
    pub image: String,
    /// How many of their Jobs may run at the same time.
    pub most: usize,
}

type Shared = Arc<tokio::sync::Mutex<AppMemory>>;

/// The memory of each app, by uid.
pub(crate) type Memories = Arc<Mutex<HashMap<String, Shared>>>;

/// What is kept of one app between two passes.
#[derive(Debug, Default)]
pub(crate) struct AppMemory {
    pub(super) pass: Memory,
    /// When the switch to this color was first reported (uptime): the status has whole seconds only.
    pub(super) switch_began: Option<(Color, Duration)>,
    /// Since when no read has succeeded (uptime).
    pub(super) unread: Option<Duration>,
    /// Since when each write of the status was put off (uptime).
    pub(super) put_off: Option<Duration>,
}

impl Context {
    /// A context for one term of leadership.
    pub fn new(
        client: Client,
        writer: Writer,
        cache: Arc<Cache>,
        metrics: Metrics,
        events: Publisher,
        token: Token,
        checks: Checks,
    ) -> Self {
        let read_deadline = writer.deadline;
        let (clock, stop, memories) = (Clock::default(), CancellationToken::new(), Memories::default());
        Self { client, writer, cache, metrics, events, read_deadline, token, checks, clock, stop, memories }
    }

    /// The same, with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same; once `stop` is canceled, passes end at their next command.
    #[must_use]
    pub(crate) fn with_stop(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// What is kept of each app.
    #[cfg(test)]
    pub(crate) fn memories(&self) -> Memories {
        self.memories.clone()
    }

    /// What is kept of the app with this uid.
    pub(super) fn memory(&self, uid: &str) -> Shared {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.entry(uid.to_owned()).or_default().clone()
    }

    /// Drops what is kept of an app that was deleted. The watch of the apps calls this, too.
    pub fn forget(&self, app: &BlueGreenApp) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.remove(&app.uid().unwrap_or_default());
    }
}
