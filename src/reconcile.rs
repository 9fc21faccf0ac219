//! The shell around [`pass`](bluegreen_core::pass): carries out what a pass wants done, and returns the answers. It decides nothing.

mod clock;
mod report;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::controller;
use kube::{Client, ResourceExt};
use tokio_util::sync::CancellationToken;

use crate::events::Publisher;
use crate::metrics::{Metrics, ReconcileResult};
use crate::send::Writer;
use crate::stores::Cache;
use crate::telemetry::brief;
use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_client::{narrow, read};
use bluegreen_core::AppObserver;
use bluegreen_core::apply::{Outcome, Target};
use bluegreen_core::explain::explain;
use bluegreen_core::fence::Token;
use bluegreen_core::observe::Snapshot;
use bluegreen_core::pass::{
    Announcement, Answer, Command, Depth, Explaining, Explanation, Memory, Pass, RESYNC, Reading, Sending,
};
use bluegreen_core::status::words;
pub use clock::Clock;

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
    pass: Memory,
    /// When the switch to this color was first reported (uptime): the status has whole seconds only.
    switch_began: Option<(Color, Duration)>,
    /// Since when no read has succeeded (uptime).
    unread: Option<Duration>,
    /// Since when each write of the status was put off (uptime).
    put_off: Option<Duration>,
}

/// How long reads must fail before an Event tells of it.
const UNREAD: Duration = Duration::from_secs(1);

/// How long a status may be put off, by edits of others or by an API server that is short of time, before an Event tells of it.
const PUT_OFF: Duration = Duration::from_secs(3);

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Leadership is over; the process is about to end.
    #[error("not leading any more")]
    NotLeading,
}

/// How a pass ended.
#[derive(Debug)]
pub struct Passed {
    /// When the next one is due.
    pub action: controller::Action,
    /// The API server has answered every read soon: it is not short of time.
    pub in_time: bool,
}

/// The API server is short of time if a read takes more than one part in so many of its time limit. Reads that fail would be too
/// late a sign: the writes, which take longer than reads, would have failed before.
const SHORT_OF_TIME: u32 = 3;

/// Returns true if a read that took so long was answered soon. `answered`: the API server has said something.
fn is_soon(answered: bool, took: Duration, longest: Duration) -> bool {
    answered && took <= longest / SHORT_OF_TIME
}

/// Why a read brought nothing.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("can't read the app's objects: {0}")]
    Failed(#[from] kube::Error),
    #[error("the API server did not answer within {0:?}")]
    TooLate(Duration),
}

impl ReadError {
    /// Returns true if the API server has said something.
    fn is_answer(&self) -> bool {
        matches!(self, Self::Failed(kube::Error::Api(_)))
    }

    /// What the API server says, where it says something.
    fn words(&self) -> String {
        match self {
            Self::Failed(kube::Error::Api(status)) => status.message.clone(),
            Self::Failed(_) | Self::TooLate(_) => self.to_string(),
        }
    }
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

    fn memory(&self, uid: &str) -> Shared {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.entry(uid.to_owned()).or_default().clone()
    }

    /// Drops what is kept of an app that was deleted. The watch of the apps calls this, too.
    pub fn forget(&self, app: &BlueGreenApp) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.remove(&app.uid().unwrap_or_default());
    }
}

/// One pass over one app.
///
/// # Errors
/// [`Error::NotLeading`]: the process is about to end. Everything else is handled by waiting.
#[tracing::instrument(skip_all, fields(app = %app.name_any(), namespace = %app.namespace().unwrap_or_default(), generation = app.metadata.generation))]
pub async fn reconcile(app: Arc<BlueGreenApp>, context: Arc<Context>) -> Result<Passed, Error> {
    let timer = context.metrics.reconcile_timer();
    let memory = context.memory(&app.uid().unwrap_or_default());
    let mut memory = memory.lock().await;
    let mut shell = Shell { app: &app, context: &context, failed: false, in_time: true };
    let result = shell.run(&mut memory).await;
    timer.finish(match &result {
        Ok(_) if !shell.failed => ReconcileResult::Success,
        Ok(_) | Err(_) => ReconcileResult::Error,
    });
    let in_time = shell.in_time;
    result.map(|wait| Passed { action: controller::Action::requeue(wait), in_time })
}

/// Carries out the commands of one pass.
struct Shell<'a> {
    app: &'a Arc<BlueGreenApp>,
    context: &'a Context,
    /// A read failed.
    failed: bool,
    /// The API server has answered every read soon.
    in_time: bool,
}

impl Shell<'_> {
    async fn run(&mut self, memory: &mut AppMemory) -> Result<Duration, Error> {
        let context = self.context;
        let namespace = self.app.namespace().unwrap_or_default();
        let is_full = || context.cache.checks_are_full(&namespace, context.checks.most);
        let observer = AppObserver { token: &context.token, is_full: &is_full };
        let AppMemory { pass, switch_began, unread, put_off } = memory;
        let mut pass = Pass::new(&observer, pass);
        let mut command = pass.woke(context.cache.snapshot(self.app), context.clock.now());
        loop {
            if context.stop.is_cancelled() {
                return Ok(RESYNC);
            }
            command = match command {
                Command::Wait(wait) => return Ok(wait),
                Command::Stop => return Err(Error::NotLeading),
                Command::Forget => {
                    context.forget(self.app);
                    return Ok(RESYNC);
                }
                Command::Read(reading) => {
                    let answer = self.read(&reading, unread).await;
                    pass.read(reading, answer, context.clock.now())
                }
                Command::Send(sending) => {
                    let (outcomes, after) = self.send(&sending).await;
                    pass.sent(sending, &outcomes, after, context.clock.now())
                }
                Command::Report(reporting) => {
                    let (outcome, version) = self.report(&reporting, switch_began, put_off).await;
                    pass.reported(reporting, outcome, version, context.clock.now())
                }
                Command::Explain(explaining) => {
                    let answers = self.explain(&explaining).await;
                    pass.explained(explaining, &answers, context.clock.now())
                }
            };
            for announcement in pass.announcements() {
                match announcement {
                    Announcement::TestedPodsReplaced { color, from, to } => {
                        let seen = context.cache.snapshot(self.app);
                        let note = words::tested_pods_replaced(&seen, color, from, to);
                        context.events.tested_pods_replaced(self.app, note);
                    }
                    Announcement::SelectorRestored(to) => context.events.selector_restored(self.app, to),
                    Announcement::EditReverted(reverted) => context.events.edit_reverted(self.app, &reverted),
                    Announcement::PodsMutated { color, difference } => {
                        context.events.pods_mutated(self.app, color, &difference);
                    }
                }
            }
        }
    }

    /// `unread`: since when no read has succeeded.
    async fn read(&mut self, reading: &Reading<Snapshot>, unread: &mut Option<Duration>) -> Answer<Snapshot> {
        let began = self.context.clock.now().uptime;
        let answer = self.answer(reading).await;
        let took = self.context.clock.now().uptime.saturating_sub(began);
        let answered = answer.as_ref().err().is_none_or(ReadError::is_answer);
        self.in_time &= is_soon(answered, took, self.context.read_deadline);
        match answer {
            Ok(answer) => {
                *unread = None;
                answer
            }
            Err(error) => {
                tracing::warn!(error = brief(&error), "read failed");
                self.failed = true;
                let now = self.context.clock.now().uptime;
                // Without what it would have read, the status can't say it.
                if now.saturating_sub(*unread.get_or_insert(now)) >= UNREAD {
                    self.context.events.objects_not_read(self.app, &error.words());
                }
                Answer::Failed
            }
        }
    }

    async fn answer(&self, reading: &Reading<Snapshot>) -> Result<Answer<Snapshot>, ReadError> {
        let (client, began) = (&self.context.client, self.context.clock.now().uptime);
        let (namespace, name) = (self.app.namespace().unwrap_or_default(), self.app.name_any());
        match &reading.depth {
            Depth::Whole { owners } => {
                let snapshot = self.in_time(read::live(client, &namespace, &name, *owners)).await?;
                Ok(snapshot.map_or(Answer::Gone, |snapshot| Answer::Found { snapshot, began }))
            }
            Depth::Confirm { known, to } => match self.in_time(narrow::read(client, known, *to)).await {
                Ok(Some(snapshot)) => Ok(Answer::Found { snapshot, began }),
                Ok(None) => Ok(Answer::Unclear),
                // The rights of an earlier release, for example: they suffice to read everything.
                Err(ReadError::Failed(error)) => {
                    tracing::debug!(error = brief(&error), "can't read by name");
                    Ok(Answer::Unclear)
                }
                Err(error @ ReadError::TooLate(_)) => Err(error),
            },
        }
    }

    /// Carries out the actions at the same time: they do not depend on each other. Returns what became of each, and the app's
    /// objects after all of them, where the answers tell.
    async fn send(&self, sending: &Sending<AppObserver<'_>>) -> (Vec<Outcome>, Option<Snapshot>) {
        let decision = sending.decision();
        let token = self.context.token.with_attempt(sending.attempt);
        let target = Target {
            seen: &decision.snapshot,
            facts: &decision.facts,
            token: &token,
            checker: &self.context.checks.image,
        };
        let carried = sending.actions().iter().map(async |action| {
            let carried = self.context.writer.apply(&target, action).await;
            let outcome = &carried.outcome;
            if let Outcome::Unknown(words) = &outcome {
                tracing::warn!(?action, words, "a write's result is unknown");
            } else {
                tracing::info!(?action, ?outcome, "acted");
            }
            carried
        });
        let (mut outcomes, mut written) = (Vec::new(), Some(Vec::new()));
        for carried in futures::future::join_all(carried).await {
            outcomes.push(carried.outcome);
            written = written.zip(carried.written).map(|(written, more)| [written, more].concat());
        }
        (outcomes, written.map(|written| decision.snapshot.after(written)))
    }

    async fn explain(&self, explaining: &Explaining<AppObserver<'_>>) -> Vec<(Color, Explanation)> {
        let snapshot = &explaining.decision().snapshot;
        let (namespace, name) = (self.app.namespace().unwrap_or_default(), self.app.name_any());
        let mut answers = Vec::new();
        for &color in &explaining.colors {
            let pods = read::pods(&self.context.client, &namespace, &name, color);
            let answer = match self.in_time(pods).await {
                Ok(pods) => {
                    let deployment = snapshot.deployments.get(color).as_deref();
                    Explanation::Words(explain(deployment, &pods, self.context.clock.now().wall))
                }
                Err(error) => {
                    tracing::debug!(error = brief(&error), "can't read the pods to explain them");
                    Explanation::Unread
                }
            };
            answers.push((color, answer));
        }
        answers
    }

    async fn in_time<T>(&self, read: impl Future<Output = kube::Result<T>>) -> Result<T, ReadError> {
        let deadline = self.context.read_deadline;
        Ok(tokio::time::timeout(deadline, read).await.map_err(|_| ReadError::TooLate(deadline))??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_is_short_of_time_before_its_reads_fail() {
        let longest = Duration::from_secs(3);
        assert!(is_soon(true, Duration::from_secs(1), longest));
        assert!(!is_soon(true, Duration::from_millis(1100), longest));
        assert!(!is_soon(false, Duration::ZERO, longest));
    }
}
