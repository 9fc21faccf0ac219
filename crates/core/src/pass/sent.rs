//! What the pass does with the answers to its writes.

use std::time::Duration;

use super::actions::{
    is_about_job, is_fence, is_told_by_its_answer, is_urgent, may_rest_on_answers, restores,
};
use super::basis::{Based, Basis, Depth};
use super::commands::{After, Batch, Command, Reading, Rounds, Sending, Telling, Then};
use super::failing::Failing;
use super::observer::{Decision, Observer, Reverted};
use super::{ANSWERED, Announcement, Now, Pass, SLOW};
use crate::apply::{Failure, FailureKind, Outcome};
use crate::plan::{Action, replaces_tested};
use bluegreen_api::Color;

impl<O: Observer> Pass<'_, O> {
    /// Goes on from the answers to the requests of the actions: one outcome for each action, in their order. `after`: the objects
    /// that the decision rests on, with those that the answers hold in their place; `None` where the answers do not hold all that
    /// was written.
    pub fn sent(
        &mut self,
        sending: Sending<O>,
        outcomes: &[Outcome],
        after: Option<O::Snapshot>,
        now: Now,
    ) -> Command<O> {
        let Sending { batch, basis, began, rounds, attempt: _, at } = sending;
        let decision = match batch {
            Batch::Steps(decision) => decision,
            Batch::Switch(proven) => proven.into_inner(),
        };
        let done =
            decision.plan.actions.iter().zip(outcomes).filter(|(_, outcome)| **outcome == Outcome::Done);
        self.announcements.extend(done.filter_map(|(action, _)| announcement(action, &decision)));
        let undone = self.tell_what_was_undone(&decision, outcomes);
        self.tell_what_was_mutated(&decision, outcomes, after.as_ref());
        let again = Depth::Whole { owners: false };
        // What was seen before may be old by now, and the next write may take as long: the app is told of in between.
        let is_slow = now.uptime.saturating_sub(at) > SLOW;
        let gravest = gravest(&decision.plan.actions, outcomes, decision.intent.active.other());
        let color = gravest.action.and_then(Action::color);
        let is_of_check = gravest.action.is_some_and(is_about_job);
        let gravest_outcome = gravest.outcome;
        if let Some(failure) = Failure::of(&gravest_outcome, gravest.action) {
            self.failed(failure, &decision, at);
        }
        match gravest_outcome {
            Outcome::Done => {
                // A stamp is no success of the write that it makes possible.
                if !decision.plan.actions.iter().all(is_fence) {
                    self.memory.failing = None;
                }
                let (occasion, urgent) = (self.occasion(&decision), |a: &_| is_urgent(a, &decision));
                self.memory.contest.done(&decision.plan.actions, occasion, now.uptime, urgent);
                self.memory.contest.tells(undone, occasion);
                match after.filter(|_| decision.plan.actions.iter().all(is_told_by_its_answer)) {
                    Some(after) => self.answered(after, began, is_slow, rounds, now),
                    None if is_slow => self.tell_after_read(After::GoOn(rounds), rounds),
                    None => self.read_again(again, rounds),
                }
            }
            Outcome::Stale | Outcome::Gone => match rounds.conflict() {
                Some(rounds) if is_slow => self.tell_after_read(After::GoOn(rounds), rounds),
                Some(rounds) => self.read_again(again, rounds),
                // Somebody else is at it, or an object of an earlier app is still being deleted.
                None => {
                    let words = "An object of the app was changed or deleted by somebody else in the very moment of each write \
                                 of it, several times in a row";
                    let (kind, words) = (FailureKind::Failed, words.to_owned());
                    let failure = Failure { color, check: None, leftover: false, kind, words };
                    self.failed(failure, &decision, at);
                    self.tell_after_read(After::BackOff(Duration::ZERO), rounds)
                }
            },
            // Nothing was read yet, and caches alone justify no report.
            Outcome::Refused(_) | Outcome::Failed(_) if basis == Basis::Cached => {
                self.tell_after_read(After::BackOff(Duration::ZERO), rounds)
            }
            // It was not carried out: what was read still holds.
            Outcome::Refused(_) | Outcome::Failed(_) => {
                let based = Based { decision, basis, began: now.uptime };
                self.tell(Telling { based, after: After::BackOff(Duration::ZERO) }, now)
            }
            Outcome::Unknown(_) => {
                if !is_of_check {
                    self.memory.result_is_unknown();
                }
                // The API server may go on with what it has not answered in time: the same again would only make its queue
                // longer.
                self.tell_after_read(After::BackOff(now.uptime.saturating_sub(at)), rounds)
            }
            Outcome::Later(wait) => self.tell_after_read(After::BackOff(wait), rounds),
            Outcome::NotLeading => Command::Stop,
        }
    }

    /// Announces the edits of somebody else that these actions have taken back, and returns those actions with the edited fields.
    fn tell_what_was_undone(
        &mut self,
        decision: &Decision<O>,
        outcomes: &[Outcome],
    ) -> Vec<(Action, String)> {
        let (mut told, generation) = (Vec::new(), self.occasion(decision).0);
        for (action, outcome) in decision.plan.actions.iter().zip(outcomes) {
            let undone = self.undone(action, decision);
            match outcome {
                Outcome::Stale => {
                    if let Some(undone) = undone {
                        self.memory.overtaken.note(action, generation, undone);
                    }
                }
                Outcome::Done => {
                    if let Some(undone) = self.memory.overtaken.take(action, generation).or(undone) {
                        told.extend(
                            undone.deviation.iter().map(|it| (action.clone(), it.difference.path.clone())),
                        );
                        self.announcements.push(Announcement::EditReverted(undone));
                    }
                }
                // It was not carried out, or that is not known.
                Outcome::Gone
                | Outcome::Refused(_)
                | Outcome::Failed(_)
                | Outcome::Unknown(_)
                | Outcome::Later(_)
                | Outcome::NotLeading => {}
            }
        }
        told
    }

    /// Announces that writes which declared the same pods as before have changed them all the same.
    fn tell_what_was_mutated(
        &mut self,
        decision: &Decision<O>,
        outcomes: &[Outcome],
        after: Option<&O::Snapshot>,
    ) {
        let Some(after) = after else { return };
        for (action, outcome) in decision.plan.actions.iter().zip(outcomes) {
            if let (Action::EditDeployment { color, .. }, Outcome::Done) = (action, outcome)
                && decision.facts.colors.get(*color).deployment.ours().is_some_and(|it| it.matches)
                && let Some(difference) = self.observer.mutated(&decision.snapshot, after, *color)
            {
                self.announcements.push(Announcement::PodsMutated { color: *color, difference });
            }
        }
    }

    /// Returns the edit of somebody else that this action has taken back. It is told once: if it comes again and again, the status
    /// says so.
    fn undone(&self, action: &Action, decision: &Decision<O>) -> Option<Reverted> {
        // Otherwise the edit may be one of the app, and another manager owns the field from earlier on.
        if !decision.facts.recorded.settled || !restores(action, decision) {
            return None;
        }
        let reverted = self.observer.reverted(decision, action)?;
        let deviation = reverted.deviation.as_ref().filter(|deviation| deviation.manager.is_some())?;
        let path = &deviation.difference.path;
        let is_new = !self.memory.contest.has_told(action, path, self.occasion(decision));
        is_new.then_some(reverted)
    }

    /// Goes on with the objects as the writes left them, unless something follows that needs a read of its own. If the writes took
    /// long, or the read before them is old by now, the app is told of first: that nobody has edited it meanwhile, its report will
    /// prove.
    fn answered(
        &mut self,
        after: O::Snapshot,
        began: Duration,
        is_slow: bool,
        rounds: Rounds,
        now: Now,
    ) -> Command<O> {
        self.memory.saw(self.observer.versions(&after), now.uptime);
        let decision = self.decide(after, Basis::Answered, now);
        let is_old = now.uptime.saturating_sub(began) > ANSWERED;
        let rests = decision.plan.actions.iter().all(may_rest_on_answers);
        let based = |decision, began| Based { decision, basis: Basis::Answered, began };
        match rounds.next() {
            Some(rounds) if is_slow || (rests && is_old) => {
                let based = based(decision, now.uptime);
                self.tell(Telling { based, after: After::GoOn(rounds) }, now)
            }
            Some(rounds) if rests => self.act(based(decision, began), rounds, now),
            _ => self.read_again(Depth::after(decision), rounds),
        }
    }

    /// Goes on once a report is written that came between two writes.
    pub(super) fn goes_on_after_report(&mut self, based: Based<O>, rounds: Rounds, now: Now) -> Command<O> {
        match based.basis {
            // Nobody has edited the app, or the report would have been refused as stale: what the answers do not show of it is as
            // good as read now. Of the other objects, the next write names the very one that it is about.
            Basis::Answered => self.answered(based.decision.snapshot, now.uptime, false, rounds, now),
            Basis::Cached | Basis::Live | Basis::Proven | Basis::Confirmed => {
                self.read_again(Depth::Whole { owners: false }, rounds)
            }
        }
    }

    /// Goes on, after a pass has written what it wanted, from the objects as they are then: for a caller that keeps no pass
    /// between the two, such as the exhaustive model. `is_slow`: the writes took long.
    pub fn goes_on(&mut self, after: O::Snapshot, is_slow: bool, now: Now) -> Command<O> {
        self.answered(after, now.uptime, is_slow, Rounds::default(), now)
    }

    /// Notes that a write, sent at this uptime, did not succeed.
    fn failed(&mut self, failure: Failure, decision: &Decision<O>, at: Duration) {
        let generation = self.occasion(decision).0;
        let before = self.memory.failing.take();
        self.memory.failing = Some(Failing::note(before, failure, &decision.plan.actions, generation, at));
    }

    /// Reports where the app stands, although nothing could be done: a status must never be older than what was seen,
    /// whatever becomes of a write. The write may have been carried out, so everything is read once more.
    fn tell_after_read(&mut self, after: After, rounds: Rounds) -> Command<O> {
        match rounds.next() {
            Some(rounds) => {
                let depth = Depth::Whole { owners: false };
                Command::Read(Reading { depth, rounds, then: Then::Tell(after) })
            }
            None => Command::Wait(self.memory.back_off()),
        }
    }
}

/// Returns what an action that was carried out has to announce.
fn announcement<O: Observer>(action: &Action, decision: &Decision<O>) -> Option<Announcement> {
    if let Action::Restore { to } = *action {
        return Some(Announcement::SelectorRestored(to));
    }
    let Action::StoreRevision { color, number: to } = *action else { return None };
    let from = replaces_tested(&decision.facts, color).filter(|_| color == decision.intent.active)?;
    Some(Announcement::TestedPodsReplaced { color, from, to })
}

/// The gravest outcome of several, and the action that it is of.
struct Gravest<'a> {
    outcome: Outcome,
    action: Option<&'a Action>,
}

/// Returns the gravest outcome with its action: one that the app waits for before one that only concerns its idle color, and the
/// Job of a check last.
fn gravest<'a>(actions: &'a [Action], outcomes: &[Outcome], idle: Color) -> Gravest<'a> {
    let weight = |outcome: &Outcome, action: &Action| {
        (outcome.gravity(), !is_about_job(action), action.color() != Some(idle))
    };
    let gravest = outcomes.iter().zip(actions).max_by_key(|(outcome, action)| weight(outcome, action));
    gravest.map_or(Gravest { outcome: Outcome::Done, action: None }, |(outcome, action)| Gravest {
        outcome: outcome.clone(),
        action: Some(action),
    })
}
