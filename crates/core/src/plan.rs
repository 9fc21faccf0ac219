//! PURE: intent + observation → what to do next.
//!
//! `plan` is total: no async, clock, client, randomness or panic. The same function runs in the controller,
//! in the exhaustive model, in the property tests and behind `kubectl bluegreen plan`.
//!
//! The rules, each with its one home below:
//!
//! | rule | home |
//! |---|---|
//! | what is live | [`live`] |
//! | which color may be touched | `rules::role` |
//! | how large a color is | `size` |
//! | how many pods the gate asks for | `need` |
//! | when a color's pods may change | `rules::needs_revision`, `rules::in_place`, `steps::upkeep` |
//! | when a color may be selected | [`gate`] |
//! | when the old color may be touched | `rules::drained` |
//! | what must be fenced first | `rules::unfenced` |
//! | who else holds the objects | `rules::holder` |
//! | which color should be live, and what checks mean for a switch | `checks` |
//! | which Jobs of checks are created | `jobs` |
//! | what the status is to record of checks | `verdicts` |
//! | what the plan waits for | [`Waits`] |

mod action;
mod check_facts;
mod checks;
mod facts;
mod jobs;
mod need;
mod pause;
mod preview;
mod rules;
mod size;
mod stage;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub mod verdicts;
mod waits;
mod writes;

use std::time::Duration;

pub use action::Action;
pub use check_facts::{ATTEMPTS, CheckFacts, CheckJob, Checks, JobPods, Rejected, Run, Verdict};
pub use checks::aim;
pub use facts::{
    Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Observed, Recorded, Routing,
    Selection, ServiceFacts, Standby, Stored,
};

use crate::drain;
use bluegreen_api::Color;
pub(crate) use jobs::is_queued;
use pause::paused_midway;
use rules::{drained, holder, holds, left_recently, serving};
pub use rules::{gate, is_taken_back, live, outdated, replaces_tested};
pub use stage::{Holder, Live, Missing, Stage};
use steps::{fence, resize_live, steps};
pub use waits::Waits;
use waits::waits;
pub use writes::{Inventory, Mismatch, ServiceWrite, Source, Write, writes};

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// What to do now, in this order; empty when there is nothing to do but wait.
    pub actions: Vec<Action>,
    /// The state of the app.
    pub stage: Stage,
    /// What is live.
    pub live: Live,
    /// The Service selects the aim, and the drain of the other color is over.
    pub switched: bool,
    /// The live color, if an edit of its block is held.
    pub held: Option<Color>,
    /// Why it goes no further.
    pub waits: Waits,
    /// Look again after this long, even if nothing happens.
    pub wake: Option<Duration>,
}

impl Plan {
    /// Returns true if the switch has everything but its record in the status, which comes first: see `checks::is_recorded`.
    pub fn announces(&self, seen: &Observed) -> bool {
        let Stage::Switching { to } = self.stage else { return false };
        self.actions.is_empty() && self.live != Live::Selected(to) && !checks::is_recorded(seen, to)
    }

    /// The color that the Service is about to move to from the other one, if this is a step of that and nothing else: its
    /// record in the status, the fence before it, or the switch itself. Where no color is live yet, the record would also
    /// say how the other color is.
    pub fn moves_to(&self, seen: &Observed) -> Option<Color> {
        let Stage::Switching { to } = self.stage else { return None };
        let is_step = match self.actions.as_slice() {
            [] => self.announces(seen),
            [one] => one.is_step_of_switch(),
            [_, _, ..] => false,
        };
        (is_step && self.live == Live::Selected(to.other())).then_some(to)
    }
}

/// Decides what to do next.
pub fn plan(intent: &Intent, seen: &Observed) -> Plan {
    let live = live(&seen.service, &seen.recorded);
    let intent = &intent.aimed(seen);
    let stage = stage(intent, seen, live);
    let actions = match stage {
        Stage::Yielding | Stage::Invalid => Vec::new(),
        Stage::Paused => resize_live(intent, seen, live),
        Stage::Pausing => fence(seen).into_iter().collect(),
        Stage::Preparing { .. }
        | Stage::Checking { .. }
        | Stage::Switching { .. }
        | Stage::Watching { .. }
        | Stage::Draining { .. }
        | Stage::Serving
        | Stage::Unready { .. } => steps(intent, seen, live),
    };
    let held = live.color().filter(|&color| holds(intent, seen, color));
    let switched = live == Live::Selected(intent.active) && after_switch(intent, seen) == Stage::Serving;
    let waits = waits(intent, seen, live, stage);
    Plan { actions, stage, live, switched, held, waits, wake: wake(intent, seen, live) }
}

fn stage(intent: &Intent, seen: &Observed, live: Live) -> Stage {
    if holder(seen).is_some() {
        return Stage::Yielding;
    }
    if intent.invalid {
        return Stage::Invalid;
    }
    if intent.paused {
        let clean = fence(seen).is_none();
        return if clean || seen.recorded.settled { Stage::Paused } else { Stage::Pausing };
    }
    let active = intent.active;
    if live != Live::Selected(active) {
        return match gate(intent, seen, active) {
            Ok(()) => match checks::passed(intent, seen, live, active) {
                Ok(true) => Stage::Switching { to: active },
                Ok(false) => Stage::Checking { to: active },
                Err(missing) => Stage::Preparing { target: active, missing },
            },
            Err(missing) => Stage::Preparing { target: active, missing },
        };
    }
    if let Err(missing) = serving(intent, seen, active) {
        return Stage::Unready { missing };
    }
    after_switch(intent, seen)
}

/// Returns where a switch stands that the Service has followed, whether or not the live color has all of its pods.
fn after_switch(intent: &Intent, seen: &Observed) -> Stage {
    let active = intent.active;
    let fresh = seen.recorded.active != Some(active) || seen.recorded.switching;
    if fresh && seen.elapsed.moved.is_none() {
        return Stage::Switching { to: active };
    }
    let old = active.other();
    if checks::is_watched(seen, Live::Selected(active)) {
        return Stage::Watching { old };
    }
    if left_recently(seen, Live::Selected(active), old) && !drained(intent, seen) {
        return Stage::Draining { old };
    }
    Stage::Serving
}

/// Returns true if the live Service and both Deployments carry this leader's token, so that no earlier write can still take
/// effect on them.
pub fn is_fenced(seen: &Observed) -> bool {
    fence(seen).is_none()
}

/// Returns when to run the next pass although nothing happened: at the end of a drain or of a part of it, of a deadline, of the
/// standby timer.
fn wake(intent: &Intent, seen: &Observed, live: Live) -> Option<Duration> {
    let left = |limit: Duration, passed: Duration| limit.checked_sub(passed).filter(|d| !d.is_zero());
    let draining = Color::ALL.into_iter().any(|c| left_recently(seen, live, c));
    let drain = seen.elapsed.cleared.filter(|_| draining);
    let drain = drain.and_then(|passed| left(drain::next(intent.drain, passed), passed));
    let deadline = seen.elapsed.switching.and_then(|passed| left(intent.deadline, passed));
    let standby = match intent.standby {
        Standby::Warm => None,
        Standby::Reduced { after, .. } => Color::ALL
            .into_iter()
            .filter(|&c| live.color() != Some(c) && *intent.wanted.get(c))
            .filter_map(|c| left(after, *seen.elapsed.idle.get(c)))
            .min(),
    };
    [drain, deadline, standby, jobs::wake(intent, seen)].into_iter().flatten().min()
}
