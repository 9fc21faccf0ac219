//! What a pass wants done, each command with all that the pass needs to go on when it is answered.

use std::time::Duration;

use super::basis::{Based, Basis, Depth, Proven};
use super::observer::{Decision, Observer};
use crate::plan::Action;
use bluegreen_api::Color;

/// Reads of one pass; an app that needs more goes to the end of the queue, so that it does not starve others.
const ROUNDS: u8 = 12;

/// Failed preconditions in one pass before other apps get their turn.
const CONFLICTS: u8 = 3;

/// What to do next.
#[derive(Debug)]
pub enum Command<O: Observer> {
    /// The pass is over; begin another after this long, or earlier if a watch event comes.
    Wait(Duration),
    /// The pass is over, and so is the app: forget what is remembered of it.
    Forget,
    /// The pass is over, and so is this process' leadership.
    Stop,
    /// Read the app's objects from the API server.
    Read(Reading<O::Snapshot>),
    /// Carry out the actions of a decision, all at the same time.
    Send(Sending<O>),
    /// Write the status.
    Report(Reporting<O>),
    /// Ask the pods of these colors why they are late.
    Explain(Explaining<O>),
}

/// A read that is under way.
#[derive(Debug)]
pub struct Reading<S> {
    /// What it has to bring.
    pub depth: Depth<S>,
    pub(super) rounds: Rounds,
    pub(super) then: Then,
}

/// What follows a read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// What is to be done.
    Act,
    /// A report alone: a write has just failed, and it is tried again later.
    Tell(After),
}

impl<S> Reading<S> {
    /// The first read of a pass that needs everything, the pods' owners as well.
    pub fn whole() -> Self {
        Self::new(Depth::Whole { owners: true }, Rounds::default())
    }

    /// The first read of a pass that confirms a switch.
    pub fn confirming(known: S, to: Color) -> Self {
        Self::new(Depth::Confirm { known: Box::new(known), to }, Rounds::default())
    }

    pub(super) fn new(depth: Depth<S>, rounds: Rounds) -> Self {
        Self { depth, rounds, then: Then::Act }
    }
}

/// Actions that are under way.
#[derive(Debug)]
pub struct Sending<O: Observer> {
    /// The actions and what they rest on.
    pub batch: Batch<O>,
    /// This term's writes of unknown result: part of the fencing token.
    pub attempt: u32,
    /// What the decision rests on.
    pub(super) basis: Basis,
    /// When the read that it rests on began (uptime).
    pub(super) began: Duration,
    pub(super) rounds: Rounds,
    /// When they were sent (uptime).
    pub(super) at: Duration,
}

impl<O: Observer> Sending<O> {
    /// The decision that the actions belong to.
    pub fn decision(&self) -> &Decision<O> {
        match &self.batch {
            Batch::Steps(decision) => decision,
            Batch::Switch(proven) => proven.decision(),
        }
    }

    /// The actions: they do not depend on each other.
    pub fn actions(&self) -> &[Action] {
        &self.decision().plan.actions
    }
}

/// Actions by what they have to rest on.
#[derive(Debug)]
pub enum Batch<O: Observer> {
    /// Anything but a switch.
    Steps(Decision<O>),
    /// A switch.
    Switch(Proven<O>),
}

/// A report that is under way.
#[derive(Debug)]
pub struct Reporting<O: Observer> {
    pub(super) telling: Telling<O>,
    /// The status to write.
    pub status: O::Status,
}

impl<O: Observer> Reporting<O> {
    /// The decision that the report is about.
    pub fn decision(&self) -> &Decision<O> {
        &self.telling.based.decision
    }
}

/// Pods that are being asked.
#[derive(Debug)]
pub struct Explaining<O: Observer> {
    pub(super) telling: Telling<O>,
    /// The colors whose pods are to be asked.
    pub colors: Vec<Color>,
}

impl<O: Observer> Explaining<O> {
    /// The decision that the report will be about.
    pub fn decision(&self) -> &Decision<O> {
        &self.telling.based.decision
    }
}

/// A report that is about to be made, and what follows it.
#[derive(Debug)]
pub(super) struct Telling<O: Observer> {
    pub based: Based<O>,
    pub after: After,
}

/// What follows a report.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// Nothing.
    Rest(Rounds),
    /// The switch that the report announces.
    Switch(Rounds),
    /// A write failed: try again later, and later each time, but not before this long, which the API server has asked for or
    /// has taken.
    BackOff(Duration),
    /// Go on with the pass: the app is told of in between only because a write took long.
    GoOn(Rounds),
    /// What is to be written has failed, or was reverted by somebody, a short time ago: wait this long before the next
    /// try.
    Hold(Duration),
    /// Nothing: the report only counts pods.
    Progress,
}

/// How much of its share a pass has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    reads: u8,
    conflicts: u8,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { reads: ROUNDS, conflicts: CONFLICTS }
    }
}

impl Rounds {
    /// One more read; `None` if the share is used up.
    pub fn next(self) -> Option<Self> {
        Some(Self { reads: self.reads.checked_sub(1).filter(|left| *left > 0)?, ..self })
    }

    /// One more failed precondition; `None` if there were too many.
    pub fn conflict(self) -> Option<Self> {
        Some(Self { conflicts: self.conflicts.checked_sub(1)?, ..self })
    }
}
