//! How well founded a decision is, as types.

use std::time::Duration;

use super::observer::{Decision, Observer};
use bluegreen_api::Color;

/// What a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The watch caches, which may be old.
    Cached,
    /// A live read of everything but the pods' owners.
    Live,
    /// A live read of everything, the pods' owners as well.
    Proven,
    /// A confirming read: by name, of what a switch turns on. The rest is as old as the read before it.
    Confirmed,
    /// The answers to writes, which hold the objects as they were stored. The rest is as old as the read before them.
    Answered,
}

impl Basis {
    /// Returns true if a drain clock may start at such a read. What a confirming read leaves out may be from before the switch,
    /// and so may what no write was about.
    pub(super) fn starts_clocks(self) -> bool {
        match self {
            Self::Live | Self::Proven => true,
            Self::Cached | Self::Confirmed | Self::Answered => false,
        }
    }

    /// Returns true if a switch may rest on such a read.
    pub(super) fn proves(self) -> bool {
        match self {
            Self::Proven | Self::Confirmed => true,
            Self::Cached | Self::Live | Self::Answered => false,
        }
    }
}

/// A decision, what it rests on, and when its read began (uptime).
#[derive(Debug)]
pub struct Based<O: Observer> {
    /// The decision.
    pub decision: Decision<O>,
    /// What it rests on.
    pub basis: Basis,
    /// When its read began.
    pub began: Duration,
}

/// A decision on which a switch may rest: its read knows who owns the target's pods. Only [`Proven::new`] makes one.
#[derive(Debug)]
pub struct Proven<O: Observer>(Decision<O>);

impl<O: Observer> Proven<O> {
    /// Makes a decision proven.
    ///
    /// # Errors
    /// The decision, where it is not.
    pub(super) fn new(based: Based<O>) -> Result<Self, Box<Based<O>>> {
        if based.basis.proves() { Ok(Self(based.decision)) } else { Err(Box::new(based)) }
    }

    /// The decision.
    pub fn decision(&self) -> &Decision<O> {
        &self.0
    }

    pub(super) fn into_inner(self) -> Decision<O> {
        self.0
    }
}

/// What a read has to bring.
#[derive(Debug)]
pub enum Depth<S> {
    /// Everything, by lists where names may be unknown.
    Whole {
        /// Who owns the pods, too: only a switch needs to know.
        owners: bool,
    },
    /// By name, what a switch to this color turns on. Where that can't tell, or leads to anything else, everything is read.
    Confirm {
        /// The earlier snapshot, which knows the names.
        known: Box<S>,
        /// The color that the earlier decision would select.
        to: Color,
    },
}

impl<S> Depth<S> {
    /// What has to be read to act on an earlier decision.
    pub(super) fn after<O: Observer<Snapshot = S>>(earlier: Decision<O>) -> Self {
        match earlier.plan.moves_to(&earlier.facts) {
            Some(to) => Self::Confirm { known: Box::new(earlier.snapshot), to },
            None => Self::Whole { owners: earlier.switches() },
        }
    }
}

/// What became of a read.
#[derive(Debug)]
pub enum Answer<S> {
    /// The app and its objects.
    Found {
        /// The objects.
        snapshot: S,
        /// When the read began (uptime).
        began: Duration,
    },
    /// A confirming read can't tell.
    Unclear,
    /// There is no such app.
    Gone,
    /// The read failed or took too long.
    Failed,
}
