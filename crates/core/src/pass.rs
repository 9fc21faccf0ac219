//! PURE: one pass over one app, as a state machine without input or output.
//!
//! Events go in: a snapshot from the watch caches, the answer to a read, the outcomes of writes, the outcome of a report.
//! Commands come out: read, send, report, explain, wait. `reconcile` carries the commands out and returns the answers; it
//! decides nothing. Time is an input as well, so a test turns the clock.
//!
//! ```text
//!            woke                read                    sent
//! caches ───────────> Reading ─────────> Sending ───────────────────> Reading (once more)
//!    │                   │   nothing to do │ it failed, or is reverted by somebody
//!    │ only counts       v                 v
//!    └──────────────> Explaining ──────> Reporting ──> Wait, or Sending (a switch that waited for its report)
//! ```
//!
//! A command carries all that the pass needs to go on when the answer comes. So an answer can't meet a state that does
//! not expect it, and a switch can be sent only with a [`Proven`] decision: the compiler checks both.
//!
//! The exhaustive model drives this very code: it implements [`Observer`] for its abstract objects, as
//! [`AppObserver`](crate::AppObserver) does for Kubernetes objects.

mod actions;
mod answers;
mod basis;
mod commands;
mod contest;
mod failing;
mod late;
mod memory;
mod observer;
mod overtaken;
mod sent;
#[cfg(test)]
mod tests;
mod timers;

use std::time::Duration;

use jiff::Timestamp;

pub use actions::{is_about_job, is_told_by_its_answer};
pub use basis::{Answer, Based, Basis, Depth, Proven};
pub use commands::{Batch, Command, Explaining, Reading, Reporting, Sending};
pub use late::Explanation;
pub use memory::Memory;
pub use observer::{Decision, Known, News, Observer, Reverted};

use crate::desired::Difference;
use crate::drain::Drain;
use crate::plan::{self, Action, Live};
use bluegreen_api::Color;
use commands::{After, Rounds, Telling};

/// Resync interval: how long a missed watch event can go unnoticed, at the most. Reading the caches costs nothing.
pub const RESYNC: Duration = Duration::from_secs(300);

/// A decision that was read longer ago than this does not commit a switch: the report before it takes some time.
const FRESH: Duration = Duration::from_millis(250);

/// After writes, what was read before them counts for this long; then everything is read again.
const ANSWERED: Duration = Duration::from_secs(1);

/// How long the operator of another installation has to report a new generation, before this one reports why it does
/// nothing.
const YIELD: Duration = Duration::from_secs(5);

/// After writes that took longer than this, as with a webhook that hangs, nothing is written before the status is.
const SLOW: Duration = Duration::from_secs(1);

/// Shortest time between two reports that only count pods.
const PROGRESS: Duration = Duration::from_secs(1);

/// The time, read once for each event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since the process began.
    pub uptime: Duration,
    /// The time of day, for what is compared with timestamps of the API server.
    pub wall: Timestamp,
}

/// What a pass has to tell besides the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The target of a switch was rendered anew, because shared fields were edited together with `spec.active`.
    TestedPodsReplaced {
        /// The target.
        color: Color,
        /// The revision of the pods that are replaced.
        from: i64,
        /// The new revision.
        to: i64,
    },
    /// The live Service was edited or deleted by somebody else and selects this color again.
    SelectorRestored(Color),
    /// Somebody else edited an object while nothing was to be done, and the edit was taken back.
    EditReverted(Reverted),
    /// A write that declared the same pods as before was changed by an admission plug-in, so the pods of this color are replaced.
    PodsMutated {
        /// The color.
        color: Color,
        /// The first field that differs. What was there before is what is declared.
        difference: Difference,
    },
}

/// One pass over one app.
#[derive(Debug)]
pub struct Pass<'a, O: Observer> {
    observer: &'a O,
    memory: &'a mut Memory,
    announcements: Vec<Announcement>,
}

impl<'a, O: Observer> Pass<'a, O> {
    /// A pass that has not begun. `memory` is what the passes before it left.
    pub fn new(observer: &'a O, memory: &'a mut Memory) -> Self {
        Self { observer, memory, announcements: Vec::new() }
    }

    /// Takes what there is to announce since the last call.
    pub fn announcements(&mut self) -> Vec<Announcement> {
        std::mem::take(&mut self.announcements)
    }

    /// Begins the pass with what the watch caches hold.
    pub fn woke(&mut self, cached: O::Snapshot, now: Now) -> Command<O> {
        if self.observer.is_leaving(&cached) {
            return Command::Forget;
        }
        let versions = self.observer.versions(&cached);
        let behind = self.memory.is_ahead_of(&versions);
        if let Some(wait) = self.memory.give_time(&versions, now.uptime) {
            return Command::Wait(wait);
        }
        let decision = self.decide(cached, Basis::Cached, now);
        if let Some(wait) = self.yields(&decision, now) {
            return Command::Wait(wait);
        }
        let fails = self.memory.failing.is_some();
        if !behind && !fails && actions::is_first_creation(&decision) {
            return self.act(
                Based { decision, basis: Basis::Cached, began: now.uptime },
                Rounds::default(),
                now,
            );
        }
        let news = self.news(&decision, now);
        if behind || self.must_read(&decision, news) {
            let depth =
                if behind { Depth::Whole { owners: decision.switches() } } else { Depth::after(decision) };
            return Command::Read(Reading::new(depth, Rounds::default()));
        }
        if news == News::Progress || self.memory.explanation_is_due(now.uptime) {
            return self.progress(decision, now);
        }
        self.memory.succeeded();
        Command::Wait(self.wait(&decision, now))
    }

    /// Returns true if there is anything that the caches alone can't justify.
    fn must_read(&self, decision: &Decision<O>, news: News) -> bool {
        // The drain clock starts at a live read only.
        let clock = decision.facts.recorded.switching
            && decision.endpoints.is_some_and(|(color, seen)| self.memory.drain.wants_live_read(color, seen));
        !decision.plan.actions.is_empty() || news == News::Claim || clock
    }

    /// Returns how long to wait while another installation's operator holds the app. As long as that one reports, two reports
    /// would only chase each other.
    fn yields(&mut self, decision: &Decision<O>, now: Now) -> Option<Duration> {
        if !decision.plan.waits.is_other_installation() {
            self.memory.yielding = None;
            return None;
        }
        let (generation, reported) = self.observer.generation(&decision.snapshot);
        if reported {
            return Some(RESYNC);
        }
        let since = self.memory.yielding.filter(|(seen, _)| *seen == generation);
        let (_, since) = *self.memory.yielding.insert(since.unwrap_or((generation, now.uptime)));
        YIELD.checked_sub(now.uptime.saturating_sub(since)).filter(|left| !left.is_zero())
    }

    fn decide(&mut self, snapshot: O::Snapshot, basis: Basis, now: Now) -> Decision<O> {
        decide(self.observer, &mut self.memory.drain, self.memory.attempt, snapshot, basis, now)
    }

    fn known(&self, decision: &Decision<O>, now: Now) -> Known<'_> {
        Known {
            failure: self.memory.failure(self.occasion(decision).0, now.uptime),
            reverted: self.memory.contest.told(now.uptime),
            pods: self.memory.pods(),
        }
    }

    fn news(&self, decision: &Decision<O>, now: Now) -> News {
        let status = self.observer.report(decision, &self.known(decision, now), now);
        self.observer.news(decision, &status)
    }

    /// Acts on a live decision, or reports where there is nothing to do.
    fn act(&mut self, mut based: Based<O>, rounds: Rounds, now: Now) -> Command<O> {
        let (occasion, decision) = (self.occasion(&based.decision), &based.decision);
        let what = |action: &Action| self.observer.reverted(decision, action);
        self.memory.contest.planned(&decision.plan.actions, occasion, now.uptime, what);
        if decision.plan.actions.is_empty() {
            // What failed before is not asked for any more.
            self.memory.failing = None;
            self.memory.overtaken.clear();
            let announces = based.decision.plan.announces(&based.decision.facts);
            let after = if announces { After::Switch(rounds) } else { After::Rest(rounds) };
            return self.tell(Telling { based, after }, now);
        }
        let hold = |action: &Action| self.memory.contest.hold(action, occasion, now.uptime);
        // The actions of a plan do not depend on each other.
        let ready: Vec<Action> =
            decision.plan.actions.iter().filter(|action| hold(action).is_none()).cloned().collect();
        let wait = if ready.is_empty() {
            decision.plan.actions.iter().filter_map(hold).min()
        } else {
            let failing = self.memory.failing.as_ref();
            failing.and_then(|failing| failing.hold(&ready, occasion.0, now.uptime))
        };
        if let Some(wait) = wait {
            // The report sees the whole plan: what is held is still to be done.
            return self.tell(Telling { based, after: After::Hold(wait) }, now);
        }
        based.decision.plan.actions = ready;
        let is_switch =
            based.decision.plan.actions.iter().any(|action| matches!(action, Action::Switch { .. }));
        let (basis, began) = (based.basis, based.began);
        let batch = if is_switch {
            match Proven::new(based) {
                Ok(proven) => Batch::Switch(proven),
                Err(based) => return self.read_again(Depth::after(based.decision), rounds),
            }
        } else {
            Batch::Steps(based.decision)
        };
        let attempt = self.memory.attempt;
        Command::Send(Sending { batch, attempt, basis, began, rounds, at: now.uptime })
    }

    /// Returns what tells equal actions apart that write something else.
    pub(super) fn occasion(&self, decision: &Decision<O>) -> contest::Occasion {
        (self.observer.generation(&decision.snapshot).0, self.memory.attempt)
    }

    /// Reads once more, unless this pass has had its share: the app then goes to the end of the queue.
    fn read_again(&mut self, depth: Depth<O::Snapshot>, rounds: Rounds) -> Command<O> {
        match rounds.next() {
            Some(rounds) => Command::Read(Reading::new(depth, rounds)),
            None => Command::Wait(self.memory.back_off()),
        }
    }

    /// Reports counts of work in progress, at a bounded rate.
    fn progress(&mut self, decision: Decision<O>, now: Now) -> Command<O> {
        let last = self.memory.progress;
        let left = last.and_then(|last| PROGRESS.checked_sub(now.uptime.saturating_sub(last)));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Command::Wait(left);
        }
        self.memory.progress = Some(now.uptime);
        let based = Based { decision, basis: Basis::Cached, began: now.uptime };
        self.tell(Telling { based, after: After::Progress }, now)
    }

    /// Reports where the app stands. First asks the pods of a color that is late, where that is due.
    fn tell(&mut self, telling: Telling<O>, now: Now) -> Command<O> {
        let colors = self.memory.update_late(&telling.based.decision.facts, now.uptime);
        if colors.is_empty() {
            self.report(telling, now)
        } else {
            Command::Explain(Explaining { telling, colors })
        }
    }

    fn report(&mut self, telling: Telling<O>, now: Now) -> Command<O> {
        let decision = &telling.based.decision;
        let status = self.observer.report(decision, &self.known(decision, now), now);
        match self.observer.news(decision, &status) {
            News::None => self.told(telling, answers::Told::Nothing, now),
            News::Progress | News::Claim => Command::Report(Reporting { telling, status }),
        }
    }

    fn wait(&self, decision: &Decision<O>, now: Now) -> Duration {
        timers::wait(decision, self.memory, now.uptime)
    }
}

/// Makes the facts and the plan of one snapshot. The drain clocks are advanced first: any read stops them, a live one starts them.
/// `attempt` counts this term's writes of unknown result.
pub fn decide<O: Observer>(
    observer: &O,
    drain: &mut Drain,
    attempt: u32,
    snapshot: O::Snapshot,
    basis: Basis,
    now: Now,
) -> Decision<O> {
    let routing = observer.routing(&snapshot, attempt);
    let selected = match routing.live() {
        Live::Selected(color) => Some(color),
        Live::Lost(_) | Live::Never => None,
    };
    let endpoints = selected.map(|color| (color, observer.endpoints(&snapshot, color)));
    let before = selected.map_or(Duration::ZERO, |color| observer.drained(&snapshot, color));
    drain.update(endpoints, before, basis.starts_clocks(), now.uptime);
    let held = drain.held(selected, now.uptime);
    let facts = observer.observe(&snapshot, routing, attempt, held, now);
    let intent = observer.intent(&snapshot).aimed(&facts);
    let plan = plan::plan(&intent, &facts);
    Decision { snapshot, intent, facts, plan, endpoints }
}
