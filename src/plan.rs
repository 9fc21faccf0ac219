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
//! | which color may be touched, and how large it is | `rules::role`, `rules::size` |
//! | when a color's pods may change | `rules::needs_revision`, `rules::in_place`, `steps::upkeep` |
//! | when a color may be selected | [`gate`] |
//! | when the old color may be touched | `rules::drained` |
//! | what must be fenced first | `rules::unfenced` |
//! | who else holds the objects | `rules::holder` |
//! | what the plan waits for | [`Waits`] |

mod facts;
mod rules;
mod steps;
#[cfg(test)]
mod tests;
mod writes;

use std::time::Duration;

pub use facts::{
    Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Observed, Recorded, Routing,
    Selection, ServiceFacts, Standby, Stored,
};

use crate::api::Color;
use rules::{drained, failing, holder, holds, left_recently, serving};
pub use rules::{gate, live, outdated};
use steps::{fence, steps};
pub use writes::{Inventory, Mismatch, ServiceWrite, Source, Write, writes};

/// One request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Create the live Service. It selects no pod: a create has no precondition but absence, so a late one could
    /// select a color that was left long ago.
    CreateService,
    /// Put the committed color back into a Service that somebody edited, or that was lost and is created anew:
    /// no gate, or a scratch becomes a blackout.
    Restore {
        /// The committed color.
        to: Color,
    },
    /// Declare the live Service's other fields again, selector unchanged.
    UpdateService,
    /// Create or correct a color's own Service.
    ApplyColorService(Color),
    /// Render the spec for this color and keep the result under this number.
    StoreRevision {
        /// The color.
        color: Color,
        /// The new revision's number.
        number: i64,
    },
    /// Keep what the color's Deployment runs as this revision: the stored one was lost.
    RecoverRevision {
        /// The color.
        color: Color,
        /// The number that its pods carry.
        number: i64,
    },
    /// Record on the Service which revision the live color is to run: a newer one (in-place update), or the one that its
    /// pods still have, where that update never began and nobody asks for it any more.
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
        /// The color that serves now.
        from: Option<Color>,
        /// The color that passed the gate.
        to: Color,
    },
    /// Delete a stored rendering that nothing needs.
    DropRevision {
        /// The color.
        color: Color,
        /// Its number.
        number: i64,
    },
    /// Delete everything of an idle color whose block left the spec.
    RemoveColor(Color),
}

impl Action {
    /// The color that it is about, if it is about one alone.
    pub fn color(&self) -> Option<Color> {
        match self {
            Self::CreateService { .. }
            | Self::Restore { .. }
            | Self::UpdateService
            | Self::Fence { .. }
            | Self::Switch { .. }
            | Self::Promote { .. } => None,
            Self::ApplyColorService(color) | Self::RemoveColor(color) => Some(*color),
            Self::StoreRevision { color, .. }
            | Self::RecoverRevision { color, .. }
            | Self::CreateDeployment { color, .. }
            | Self::EditDeployment { color, .. }
            | Self::DropRevision { color, .. } => Some(*color),
        }
    }
}

/// Why a target may not be selected yet: the first thing that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The color's block is not in the spec.
    Block,
    /// Its rendering is not stored yet, or the spec has a newer one.
    Revision,
    /// There is no Deployment of ours.
    Deployment,
    /// The Deployment differs from the stored rendering or has another size.
    Rollout,
    /// The Deployment controller has not seen the newest generation.
    Observed,
    /// Pods are not updated, ready and available yet.
    Pods {
        /// Available pods of the newest revision.
        have: i32,
        /// Pods needed.
        want: i32,
    },
    /// The roll passed its progress deadline.
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
    /// With `externalTrafficPolicy: Local`, the live color serves on nodes on which the target has no ready pod.
    Nodes {
        /// How many.
        uncovered: usize,
    },
}

impl Missing {
    /// The Deployment is still being brought to what the spec says, as opposed to pods that fail.
    pub fn is_update(self) -> bool {
        match self {
            Self::Block | Self::Revision | Self::Deployment | Self::Rollout | Self::Observed => true,
            Self::Pods { .. }
            | Self::Deadline
            | Self::ReplicaSet
            | Self::Endpoints { .. }
            | Self::Nodes { .. } => false,
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
    /// The color that serves, or would if nobody had interfered.
    pub fn color(self) -> Option<Color> {
        match self {
            Self::Selected(color) | Self::Lost(color) => Some(color),
            Self::Never => None,
        }
    }
}

/// Where the app stands; `status` turns it into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Another installation's operator, or a later leader, holds the objects: nothing is changed.
    Yielding,
    /// The spec breaks a rule: nothing is changed.
    Invalid,
    /// `spec.paused` is true: nothing is changed.
    Paused,
    /// `spec.paused` is true, but an earlier write of unknown result could still take effect.
    Pausing,
    /// The target is not ready to be selected.
    Preparing {
        /// The color in `spec.active`.
        target: Color,
        /// The first thing that is missing.
        missing: Missing,
    },
    /// Everything is there: the selector is about to move, or has just moved and the endpoints follow.
    Switching {
        /// The color in `spec.active`.
        to: Color,
    },
    /// The new color serves; the old one is kept as it is until the drain has passed.
    Draining {
        /// The color that served before.
        old: Color,
    },
    /// The color in `spec.active` serves and is fully ready.
    Serving,
    /// The color in `spec.active` is selected but not (or no longer) fully ready.
    Unready {
        /// The first thing that is missing.
        missing: Missing,
    },
}

/// Who else holds the app's objects, so that this operator changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// The operator of another installation, named by its Lease (`namespace/name`).
    Installation(String),
    /// A later leader of this installation, as the fencing tokens on these objects say.
    Leader {
        /// The live Service carries a newer token.
        service: bool,
        /// The Deployments of these colors carry one.
        colors: Vec<Color>,
    },
}

/// Why the plan goes no further: one field for each rule, empty where that rule waits for nothing. The words of
/// conditions, Events and `kubectl bluegreen plan` are made from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Waits {
    /// Who else holds the objects.
    pub holder: Option<Holder>,
    /// `spec.paused` holds back a change.
    pub paused: bool,
    /// The first condition of the gate that a color does not meet: the target, or the live color that should be ready.
    pub gate: Option<(Color, Missing)>,
    /// The Service selects this color, and its EndpointSlices do not list exactly this color's ready pods yet.
    pub endpoints: Option<Color>,
    /// The old color, until it has drained.
    pub drain: Option<Color>,
    /// It has waited for longer than the progress deadline.
    pub late: bool,
}

impl Waits {
    /// Another installation's operator holds the objects.
    pub fn is_other_installation(&self) -> bool {
        match self.holder {
            Some(Holder::Installation(_)) => true,
            Some(Holder::Leader { .. }) | None => false,
        }
    }
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// What to do now, in this order; empty when there is nothing to do but wait.
    pub actions: Vec<Action>,
    /// Where the app stands.
    pub stage: Stage,
    /// What is live.
    pub live: Live,
    /// An edit of the live color's block waits: the color it is held for.
    pub held: Option<Color>,
    /// Why it goes no further.
    pub waits: Waits,
    /// Look again after this long, even if nothing happens.
    pub wake: Option<Duration>,
}

impl Plan {
    /// The switch has everything but its record in the status, which comes first: see `steps::switch_now`.
    pub fn announces(&self, seen: &Observed) -> bool {
        let ready = matches!(self.stage, Stage::Switching { to } if self.live != Live::Selected(to));
        self.actions.is_empty() && ready && !seen.recorded.switching
    }

    /// The color that the Service is about to move to from the other one, if this is a step of that and nothing else: its
    /// record in the status, the fence before it, or the switch itself. Where nothing serves yet, the record would also
    /// say how the other color is.
    pub fn moves_to(&self, seen: &Observed) -> Option<Color> {
        let Stage::Switching { to } = self.stage else { return None };
        let is_step = match self.actions.as_slice() {
            [] => self.announces(seen),
            [Action::Fence { .. } | Action::Switch { .. }] => true,
            _ => false,
        };
        (is_step && self.live == Live::Selected(to.other())).then_some(to)
    }
}

/// Decides what to do next.
pub fn plan(intent: &Intent, seen: &Observed) -> Plan {
    let live = live(&seen.service, &seen.recorded);
    let stage = stage(intent, seen, live);
    let actions = match stage {
        Stage::Yielding | Stage::Invalid | Stage::Paused => Vec::new(),
        Stage::Pausing => fence(seen).into_iter().collect(),
        Stage::Preparing { .. }
        | Stage::Switching { .. }
        | Stage::Draining { .. }
        | Stage::Serving
        | Stage::Unready { .. } => steps(intent, seen, live),
    };
    let held = live.color().filter(|&color| holds(intent, seen, color));
    let waits = waits(intent, seen, live, stage);
    Plan { actions, stage, live, held, waits, wake: wake(intent, seen, live) }
}

/// What each rule waits for.
fn waits(intent: &Intent, seen: &Observed, live: Live, stage: Stage) -> Waits {
    let too_late = seen.elapsed.switching.is_some_and(|passed| passed >= intent.deadline);
    let waits = Waits::default();
    match stage {
        Stage::Yielding => Waits { holder: holder(seen), ..waits },
        Stage::Paused => {
            let paused = live != Live::Selected(intent.active) || !steps(intent, seen, live).is_empty();
            Waits { paused, gate: failing(intent, seen, live), ..waits }
        }
        Stage::Preparing { target, missing } => {
            // The time of a revision that is yet to be stored begins when it is stored.
            let late = missing == Missing::Deadline || (too_late && missing != Missing::Revision);
            Waits { gate: Some((target, missing)), late, ..waits }
        }
        Stage::Switching { to } if live == Live::Selected(to) => {
            Waits { endpoints: Some(to), late: too_late, ..waits }
        }
        Stage::Draining { old } => Waits { drain: Some(old), ..waits },
        Stage::Unready { missing } => {
            Waits { gate: Some((intent.active, missing)), late: missing == Missing::Deadline, ..waits }
        }
        Stage::Invalid | Stage::Pausing | Stage::Switching { .. } | Stage::Serving => waits,
    }
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
            Ok(()) => Stage::Switching { to: active },
            Err(missing) => Stage::Preparing { target: active, missing },
        };
    }
    if let Err(missing) = serving(intent, seen, active) {
        return Stage::Unready { missing };
    }
    let fresh = seen.recorded.active != Some(active) || seen.recorded.switching;
    if fresh && seen.elapsed.moved.is_none() {
        return Stage::Switching { to: active };
    }
    let old = active.other();
    if left_recently(seen, live, old) && !drained(intent, seen) {
        return Stage::Draining { old };
    }
    Stage::Serving
}

/// When to look again although nothing happened: the end of a drain, of a deadline, of the standby timer.
fn wake(intent: &Intent, seen: &Observed, live: Live) -> Option<Duration> {
    let left = |limit: Duration, passed: Duration| limit.checked_sub(passed).filter(|d| !d.is_zero());
    let draining = Color::ALL.into_iter().any(|c| left_recently(seen, live, c));
    let drain = [seen.elapsed.moved, seen.elapsed.cleared]
        .into_iter()
        .flatten()
        .filter(|_| draining)
        .filter_map(|passed| left(intent.drain, passed))
        .min();
    let deadline = seen.elapsed.switching.and_then(|passed| left(intent.deadline, passed));
    let standby = match intent.standby {
        Standby::Warm => None,
        Standby::Reduced { after, .. } => Color::ALL
            .into_iter()
            .filter(|&c| live.color() != Some(c) && *intent.wanted.get(c))
            .filter_map(|c| left(after, *seen.elapsed.idle.get(c)))
            .min(),
    };
    [drain, deadline, standby].into_iter().flatten().min()
}
