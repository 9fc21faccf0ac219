//! The shell around [`pass`](bluegreen_core::pass): carries out what a pass wants done, and returns the answers. It decides nothing.

mod clock;
mod context;
mod reads;
mod report;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller;

use self::context::AppMemory;
#[cfg(test)]
pub(crate) use self::context::Memories;
use crate::metrics::ReconcileResult;
use bluegreen_api::BlueGreenApp;
use bluegreen_core::AppObserver;
use bluegreen_core::apply::{Outcome, Target};
use bluegreen_core::observe::Snapshot;
use bluegreen_core::pass::{Announcement, Command, Pass, RESYNC, Sending};
use bluegreen_core::status::words;
pub use clock::Clock;
pub use context::{Checks, Context};

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
}
