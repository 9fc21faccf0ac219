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
//! | how large a color is, and how many pods the gate asks for | `size` |
//! | when a color's pods may change | `rules::needs_revision`, `rules::in_place`, `steps::upkeep` |
//! | when a color may be selected | [`gate`] |
//! | when the old color may be touched | `rules::drained` |
//! | what must be fenced first | `rules::unfenced` |
//! | who else holds the objects | `rules::holder` |
//! | which color should be live, and what checks mean for a switch | `checks` |
//! | what the status is to record of checks | `verdicts` |
//! | what the plan waits for | [`Waits`] |

pub mod checks;
mod facts;
mod pause;
mod preview;
mod rules;
mod size;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub mod verdicts;
mod waits;
mod writes;

use std::time::Duration;

pub use checks::{CheckFacts, CheckJob, Checks, JobPods, Rejected, Run, Verdict, aim};
pub use facts::{
    Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Observed, Recorded, Routing,
    Selection, ServiceFacts, Standby, Stored,
};

use crate::drain;
use bluegreen_api::Color;
pub(crate) use pause::paused_midway;
use rules::{drained, holder, holds, left_recently, serving};
pub use rules::{gate, is_taken_back, live, outdated, replaces_tested};
use steps::{fence, resize_live, steps};
use waits::waits;
pub use waits::{Holder, Waits};
pub use writes::{Inventory, Mismatch, ServiceWrite, Source, Write, writes};

/// One request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Create the live Service. It selects no pod: a create has no precondition but absence, so a late one could
    /// select a color that was left long ago.
    CreateService,
    /// Point the Service back at the live color after somebody edited or deleted it. The gate is not asked: pods that
    /// are not fully ready are better than none.
    Restore {
        /// The committed color.
        to: Color,
    },
    /// Declare the live Service's other fields again, selector unchanged.
    UpdateService,
    /// Create or correct a color's own Service.
    ApplyColorService(Color),
    /// Render the spec for this color and store the result as the revision with this number.
    StoreRevision {
        /// The color.
        color: Color,
        /// The new revision's number.
        number: i64,
    },
    /// Store what the color's Deployment runs as this revision, whose ControllerRevision was deleted.
    RecoverRevision {
        /// The color.
        color: Color,
        /// The number that its pods carry.
        number: i64,
    },
    /// Write the live color's revision number to the Service: before an in-place update the newer one, or, to undo an
    /// in-place update that has not begun and is no longer asked for, the one that its pods still run.
    Promote {
        /// The live color.
        color: Color,
        /// That revision.
        number: i64,
    },
    /// Create a color's Deployment.
    CreateDeployment {
        /// The color.
        color: Color,
        /// Its size.
        replicas: i32,
    },
    /// Bring a color's Deployment to its stored revision and this size.
    EditDeployment {
        /// The color.
        color: Color,
        /// Its size.
        replicas: i32,
    },
    /// Stamp the token: `service`, then the Deployments of `colors`.
    Fence {
        /// Stamp the live Service.
        service: bool,
        /// Stamp these Deployments.
        colors: Vec<Color>,
    },
    /// Point the Service at another color.
    Switch {
        /// The live color.
        from: Option<Color>,
        /// The color that passed the gate.
        to: Color,
    },
    /// Create the Job of a check.
    RunCheck {
        /// The check's place in `spec.checks`.
        check: u8,
        /// Which Job of it: the first, or the second after the first was deleted.
        attempt: u8,
    },
    /// Delete a check's Job that is no longer needed.
    DropJob {
        /// Its place in `Checks::strays`.
        stray: u8,
    },
    /// Delete a stored revision that is no longer needed.
    DropRevision {
        /// The color.
        color: Color,
        /// Its number.
        number: i64,
    },
    /// Delete everything of an idle color whose block left the spec.
    RemoveColor(Color),
    /// Create or correct the Service that shows this color, which is idle.
    ApplyPreview(Color),
    /// Delete that Service.
    RemovePreview,
}

impl Action {
    /// Returns the color that it is about, if it is about one alone.
    pub fn color(&self) -> Option<Color> {
        match self {
            Self::CreateService { .. }
            | Self::Restore { .. }
            | Self::UpdateService
            | Self::Fence { .. }
            | Self::Switch { .. }
            | Self::RunCheck { .. }
            | Self::DropJob { .. }
            | Self::Promote { .. }
            | Self::RemovePreview => None,
            Self::ApplyColorService(color) | Self::RemoveColor(color) | Self::ApplyPreview(color) => {
                Some(*color)
            }
            Self::StoreRevision { color, .. }
            | Self::RecoverRevision { color, .. }
            | Self::CreateDeployment { color, .. }
            | Self::EditDeployment { color, .. }
            | Self::DropRevision { color, .. } => Some(*color),
        }
    }

    /// Returns true if a plan for a switch may consist of this action alone: the fence before the switch, or the switch.
    fn is_step_of_switch(&self) -> bool {
        match self {
            Self::Fence { .. } | Self::Switch { .. } => true,
            Self::CreateService
            | Self::Restore { .. }
            | Self::UpdateService
            | Self::ApplyColorService(_)
            | Self::StoreRevision { .. }
            | Self::RecoverRevision { .. }
            | Self::Promote { .. }
            | Self::CreateDeployment { .. }
            | Self::EditDeployment { .. }
            | Self::RunCheck { .. }
            | Self::DropJob { .. }
            | Self::DropRevision { .. }
            | Self::RemoveColor(_)
            | Self::ApplyPreview(_)
            | Self::RemovePreview => false,
        }
    }
}

/// Why a target may not be selected yet: the first thing that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The color's block is not in the spec.
    Block,
    /// Its revision is not stored yet, or the spec asks for a newer one.
    Revision,
    /// There is no Deployment of ours.
    Deployment,
    /// The Deployment differs from the stored revision.
    Rollout,
    /// The Deployment does not ask for enough pods yet; the live color's does not ask for `spec.replicas`.
    Size {
        /// Pods that the Deployment asks for.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// The Deployment controller has not seen the newest generation.
    Observed,
    /// Pods are not updated, ready and available yet.
    Pods {
        /// Available pods of the newest revision.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// The rollout has exceeded its progress deadline.
    Deadline,
    /// The ReplicaSet is not this Deployment's, or has another revision.
    ReplicaSet,
    /// Its own EndpointSlices do not list enough ready pods.
    Endpoints {
        /// Ready pods listed.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// Its own EndpointSlices do not list enough ready pods with every port of the Service.
    Ports {
        /// Ready pods listed with every port.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// With `externalTrafficPolicy: Local`, the live color serves on nodes on which the target has no ready pod.
    Nodes {
        /// How many.
        uncovered: usize,
    },
    /// A check has taken the switch back, and this color's own checks after its last switch were not over, or had found it to be
    /// bad: the operator does not move to it by itself.
    Unproven,
}

impl Missing {
    /// Returns true if the Deployment is still being brought to what the spec says, as opposed to pods that fail.
    pub fn is_update(self) -> bool {
        match self {
            Self::Block
            | Self::Revision
            | Self::Deployment
            | Self::Rollout
            | Self::Size { .. }
            | Self::Observed => true,
            Self::Pods { .. }
            | Self::Deadline
            | Self::ReplicaSet
            | Self::Endpoints { .. }
            | Self::Ports { .. }
            | Self::Nodes { .. }
            | Self::Unproven => false,
        }
    }
}

/// What is live now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Live {
    /// The Service selects this color, as we committed it.
    Selected(Color),
    /// The Service is missing or edited; this color was committed last.
    Lost(Color),
    /// Nothing has ever been committed.
    Never,
}

impl Live {
    /// The live color, also while the Service is missing or edited.
    pub fn color(self) -> Option<Color> {
        match self {
            Self::Selected(color) | Self::Lost(color) => Some(color),
            Self::Never => None,
        }
    }
}

/// The state of the app; `status` turns it into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Another installation's operator, or a later leader, holds the objects: nothing is changed.
    Yielding,
    /// The spec breaks a rule: nothing is changed.
    Invalid,
    /// `spec.paused` is true: nothing is changed but the size of the live color.
    Paused,
    /// `spec.paused` is true, but an earlier write of unknown result could still take effect.
    Pausing,
    /// The target is not ready to be selected.
    Preparing {
        /// The aim.
        target: Color,
        /// The first thing that is missing.
        missing: Missing,
    },
    /// The target is ready, and the checks before the switch run.
    Checking {
        /// The target.
        to: Color,
    },
    /// The target is ready: the Service is about to select it, or selects it and its endpoints do not follow yet.
    Switching {
        /// The aim.
        to: Color,
    },
    /// The Service selects the new color, and the checks after the switch run; the old color is left as it is.
    Watching {
        /// The color that was live before.
        old: Color,
    },
    /// The Service selects the new color; the old one is left as it is until it has drained.
    Draining {
        /// The color that was live before.
        old: Color,
    },
    /// The aim is live and fully ready.
    Serving,
    /// The aim is selected but not (or no longer) fully ready.
    Unready {
        /// The first thing that is missing.
        missing: Missing,
    },
}

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

impl Stage {
    /// Returns true if nothing is changed but, while paused, the size of the live color; so nothing is found out of it either.
    fn stands_still(self) -> bool {
        match self {
            Self::Yielding | Self::Invalid | Self::Paused | Self::Pausing => true,
            Self::Preparing { .. }
            | Self::Checking { .. }
            | Self::Switching { .. }
            | Self::Watching { .. }
            | Self::Draining { .. }
            | Self::Serving
            | Self::Unready { .. } => false,
        }
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
    [drain, deadline, standby, checks::wake(intent, seen)].into_iter().flatten().min()
}
