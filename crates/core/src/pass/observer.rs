//! What a pass needs to know of an app's objects: the seam between the state machine and what it is run on.

use std::fmt::Debug;
use std::time::Duration;

use super::Now;
use crate::apply::Failure;
use crate::desired::Difference;
use crate::drain::{Endpoints, Held};
use crate::observe::Versions;
use crate::plan::{Action, Intent, Live, Observed, Plan, Routing, Stage};
pub use crate::status::{News, Reverted};
use bluegreen_api::{Color, PerColor};

/// Turns the objects of one read into facts, and a decision into a status. Pure.
pub trait Observer: Debug {
    /// The objects of one read.
    type Snapshot: Debug;
    /// What is reported.
    type Status: Debug;

    /// Returns true if the app is being deleted: the garbage collector deletes its children, and the operator leaves them alone.
    fn is_leaving(&self, snapshot: &Self::Snapshot) -> bool;

    /// The app's generation, and whether the status is about it.
    fn generation(&self, snapshot: &Self::Snapshot) -> (i64, bool);

    /// How new the objects are.
    fn versions(&self, snapshot: &Self::Snapshot) -> Versions;

    /// What the spec asks for.
    fn intent(&self, snapshot: &Self::Snapshot) -> Intent;

    /// The live Service and what the status recorded: enough to know what is live. `attempt` counts this term's writes of
    /// unknown result.
    fn routing(&self, snapshot: &Self::Snapshot, attempt: u32) -> Routing;

    /// What the live Service's EndpointSlices show of this color.
    fn endpoints(&self, snapshot: &Self::Snapshot, live: Color) -> Endpoints;

    /// How much of the drain after the switch to this color an earlier leader has recorded, as far as these objects show that
    /// nothing has changed since. By default, nothing.
    fn drained(&self, snapshot: &Self::Snapshot, live: Color) -> Duration {
        let _ = (snapshot, live);
        Duration::ZERO
    }

    /// All facts.
    fn observe(
        &self,
        snapshot: &Self::Snapshot,
        routing: Routing,
        attempt: u32,
        held: Held,
        now: Now,
    ) -> Observed;

    /// The status that follows from a decision.
    fn report(&self, decision: &Decision<Self>, known: &Known<'_>, now: Now) -> Self::Status
    where
        Self: Sized;

    /// How that status differs from the one that is there.
    fn news(&self, decision: &Decision<Self>, status: &Self::Status) -> News
    where
        Self: Sized;

    /// What of the object that this action writes is not as it would be declared; `None` if nothing is known.
    fn reverted(&self, decision: &Decision<Self>, action: &Action) -> Option<Reverted>
    where
        Self: Sized,
    {
        let _ = (decision, action);
        None
    }

    /// How a write that declared the same pods as before has changed the pods of this color; `None` if it has not.
    fn mutated(&self, before: &Self::Snapshot, after: &Self::Snapshot, color: Color) -> Option<Difference> {
        let _ = (before, after, color);
        None
    }

    /// Records that the status was written: the snapshot carries it, and the app has this resourceVersion.
    fn record(&self, snapshot: &mut Self::Snapshot, status: Self::Status, version: Option<String>);
}

/// The objects of one read and what follows from them.
#[derive(Debug)]
pub struct Decision<O: Observer> {
    /// The objects.
    pub snapshot: O::Snapshot,
    /// What the spec asks for, with the aim in place of `spec.active`.
    pub intent: Intent,
    /// The facts.
    pub facts: Observed,
    /// The plan.
    pub plan: Plan,
    /// The live color and its endpoints.
    pub endpoints: Option<(Color, Endpoints)>,
}

impl<O: Observer> Decision<O> {
    /// Returns true if the plan is about to move the Service. Only then are the owners of the pods read: not for the endpoints that
    /// follow a switch.
    pub(super) fn switches(&self) -> bool {
        matches!(self.plan.stage, Stage::Switching { to } if self.plan.live != Live::Selected(to))
    }
}

/// What the pass knows that no read shows.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The write that does not succeed.
    pub failure: Option<&'a Failure>,
    /// What somebody reverts again and again.
    pub reverted: Vec<Reverted>,
    /// Why each color's pods are not ready, in words.
    pub pods: PerColor<Option<&'a str>>,
}
