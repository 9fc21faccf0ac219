//! What the pass does with an answer: one function for each command that has one. That for writes is in `sent`.

use std::time::Duration;

use super::basis::{Answer, Based, Basis, Depth};
use super::commands::{After, Command, Explaining, Reading, Reporting, Rounds, Telling, Then};
use super::late::Explanation;
use super::observer::Observer;
use super::{FRESH, Now, PROGRESS, Pass, RESYNC};
use crate::apply::Outcome;
use bluegreen_api::Color;

/// What became of a report.
pub(super) enum Told {
    /// The status that is there says all of it.
    Nothing,
    /// The status was written; the snapshot carries it.
    Written,
    /// The app was changed since it was read.
    Stale,
    /// It was not written, or that is unknown; try again after this long.
    Failed(Duration),
}

impl<O: Observer> Pass<'_, O> {
    /// Goes on from the answer to a read.
    pub fn read(
        &mut self,
        reading: Reading<O::Snapshot>,
        answer: Answer<O::Snapshot>,
        now: Now,
    ) -> Command<O> {
        let Reading { depth, rounds, then } = reading;
        let (snapshot, began) = match answer {
            Answer::Found { snapshot, began } => (snapshot, began),
            // The confirming read can't tell: read everything.
            Answer::Unclear => return everything(rounds),
            Answer::Gone => return Command::Forget,
            Answer::Failed => return Command::Wait(self.memory.back_off()),
        };
        if self.observer.is_leaving(&snapshot) {
            return match depth {
                Depth::Confirm { .. } => everything(rounds),
                Depth::Whole { .. } => Command::Wait(RESYNC),
            };
        }
        self.memory.saw(self.observer.versions(&snapshot), now.uptime);
        match depth {
            Depth::Whole { owners } => {
                let basis = if owners { Basis::Proven } else { Basis::Live };
                let based = Based { decision: self.decide(snapshot, basis, now), basis, began };
                match then {
                    Then::Act => self.act(based, rounds, now),
                    Then::Tell(after) => self.tell(Telling { based, after }, now),
                }
            }
            Depth::Confirm { to, .. } => {
                let decision = self.decide(snapshot, Basis::Confirmed, now);
                // Only a step of that very switch may rest on a confirming read.
                if decision.plan.moves_to(&decision.facts) == Some(to) {
                    self.act(Based { decision, basis: Basis::Confirmed, began }, rounds, now)
                } else {
                    everything(rounds)
                }
            }
        }
    }

    /// Goes on once the pods of late colors were asked.
    pub fn explained(
        &mut self,
        explaining: Explaining<O>,
        answers: &[(Color, Explanation)],
        now: Now,
    ) -> Command<O> {
        for (color, answer) in answers {
            self.memory.explained(*color, answer, now.uptime);
        }
        self.report(explaining.telling, now)
    }

    /// Goes on once the status was sent. `version` is the resourceVersion that the app has now, where it was written.
    pub fn reported(
        &mut self,
        reporting: Reporting<O>,
        outcome: Outcome,
        version: Option<String>,
        now: Now,
    ) -> Command<O> {
        let Reporting { mut telling, status } = reporting;
        let told = match outcome {
            Outcome::Done => {
                let decision = &mut telling.based.decision;
                let versions = self.observer.versions(&decision.snapshot).with_app(version.as_deref());
                self.memory.saw(versions, now.uptime);
                self.observer.record(&mut decision.snapshot, status, version);
                Told::Written
            }
            Outcome::Stale => Told::Stale,
            Outcome::Gone => Told::Failed(RESYNC),
            Outcome::Refused(_) | Outcome::Failed(_) | Outcome::Unknown(_) => {
                Told::Failed(self.memory.back_off())
            }
            Outcome::Later(wait) => Told::Failed(wait),
            Outcome::NotLeading => return Command::Stop,
        };
        self.told(telling, told, now)
    }

    /// Goes on after a report.
    pub(super) fn told(&mut self, telling: Telling<O>, told: Told, now: Now) -> Command<O> {
        let Telling { based, after } = telling;
        match (after, told) {
            (After::BackOff(least), Told::Nothing | Told::Written | Told::Stale) => {
                // The report is no success of the write that failed: the back-off goes on growing.
                let wait = least.max(self.memory.back_off());
                self.memory.try_again_in(wait, now.uptime);
                Command::Wait(wait)
            }
            (After::Hold(wait), Told::Nothing | Told::Written | Told::Stale) => {
                // A late color's pods are asked meanwhile.
                Command::Wait(wait.min(self.wait(&based.decision, now)))
            }
            (_, Told::Failed(wait)) => Command::Wait(wait),
            (After::GoOn(rounds), Told::Written) => self.goes_on_after_report(based, rounds, now),
            (After::GoOn(rounds), Told::Nothing | Told::Stale) => {
                self.read_again(Depth::Whole { owners: false }, rounds)
            }
            (After::Rest(rounds) | After::Switch(rounds), Told::Stale) => match rounds.conflict() {
                Some(rounds) => self.read_again(Depth::Whole { owners: based.basis.proves() }, rounds),
                None => Command::Wait(self.memory.back_off()),
            },
            (After::Rest(_), Told::Nothing | Told::Written) => {
                self.memory.succeeded();
                Command::Wait(self.wait(&based.decision, now))
            }
            (After::Switch(rounds), Told::Nothing | Told::Written) => {
                self.memory.succeeded();
                self.switch_after_report(based, rounds, now)
            }
            (After::Progress, Told::Stale) => Command::Wait(PROGRESS),
            (After::Progress, Told::Nothing) => Command::Wait(self.wait(&based.decision, now).max(PROGRESS)),
            (After::Progress, Told::Written) => {
                self.memory.succeeded();
                Command::Wait(self.wait(&based.decision, now))
            }
        }
    }

    /// Goes on with the switch that waited for its report and for nothing else. Nobody has edited the app since it was read, or
    /// the report would have been refused as stale: the decision is as good as before, if it is not old.
    fn switch_after_report(&mut self, based: Based<O>, rounds: Rounds, now: Now) -> Command<O> {
        let Based { decision, basis, began } = based;
        let decision = self.decide(decision.snapshot, basis, now);
        let fresh = now.uptime.saturating_sub(began) <= FRESH;
        if !basis.proves() || !fresh || decision.plan.actions.is_empty() {
            return self.read_again(Depth::after(decision), rounds);
        }
        self.act(Based { decision, basis, began }, rounds, now)
    }
}

/// Reads everything where a confirming read is not enough. That is the same round, so that it ends no pass.
fn everything<O: Observer>(rounds: Rounds) -> Command<O> {
    Command::Read(Reading::new(Depth::Whole { owners: true }, rounds))
}
