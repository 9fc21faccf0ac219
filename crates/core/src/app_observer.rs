//! A pass on Kubernetes objects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::desired::Difference;
use crate::drain::{Endpoints, Held};
use crate::fence::Token;
use crate::observe::{self, Snapshot, Versions};
use crate::pass::{Decision, Known, News, Now, Observer};
use crate::plan::{Action, Intent, Observed, Routing};
use crate::status::{self, Material, Problems, Report, Reverted, words};
use bluegreen_api::{BlueGreenAppStatus, Color, PerColor};
use kube::ResourceExt;

/// Observes snapshots for one leader.
#[derive(Clone, Copy)]
pub struct AppObserver<'a> {
    /// This leader's token; its attempt is zero.
    pub token: &'a Token,
    /// Returns true if as many Jobs of checks run in the cluster as may: no other one is to begin now. It looks at all of them,
    /// so it is asked only where one may have to begin.
    pub is_full: &'a (dyn Fn() -> bool + Sync),
}

impl fmt::Debug for AppObserver<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AppObserver").field("token", self.token).finish_non_exhaustive()
    }
}

impl Observer for AppObserver<'_> {
    type Snapshot = Snapshot;
    type Status = BlueGreenAppStatus;

    fn is_leaving(&self, snapshot: &Snapshot) -> bool {
        snapshot.app.metadata.deletion_timestamp.is_some()
    }

    fn generation(&self, snapshot: &Snapshot) -> (i64, bool) {
        let generation = snapshot.app.metadata.generation.unwrap_or(0);
        let status = snapshot.app.status.as_ref();
        (generation, status.is_some_and(|status| status.observed_generation == generation))
    }

    fn versions(&self, snapshot: &Snapshot) -> Versions {
        snapshot.versions()
    }

    fn intent(&self, snapshot: &Snapshot) -> Intent {
        observe::intent(&snapshot.app)
    }

    fn routing(&self, snapshot: &Snapshot, attempt: u32) -> Routing {
        observe::routing(snapshot, &self.token.with_attempt(attempt))
    }

    fn endpoints(&self, snapshot: &Snapshot, live: Color) -> Endpoints {
        observe::endpoints(snapshot, live)
    }

    fn drained(&self, snapshot: &Snapshot, live: Color) -> Duration {
        observe::drained(snapshot, live)
    }

    fn observe(&self, snapshot: &Snapshot, routing: Routing, attempt: u32, held: Held, now: Now) -> Observed {
        let mut facts =
            observe::observe(snapshot, routing, &self.token.with_attempt(attempt), held, now.wall);
        facts.checks.full = facts.checks.may_begin() && (self.is_full)();
        facts
    }

    fn report(&self, decision: &Decision<Self>, known: &Known<'_>, now: Now) -> BlueGreenAppStatus {
        let Decision { snapshot, intent, facts, plan, .. } = decision;
        let problems = Problems {
            failure: known.failure.cloned(),
            reverted: known.reverted.clone(),
            pods: PerColor::from_fn(|color| known.pods.get(color).map(str::to_owned)),
        };
        status::status(&Report {
            app: &snapshot.app,
            intent,
            plan,
            seen: facts,
            material: Material::of(snapshot, facts),
            problems: &problems,
            now: now.wall,
        })
    }

    fn news(&self, decision: &Decision<Self>, status: &BlueGreenAppStatus) -> News {
        status::news(decision.snapshot.app.status.as_ref(), status)
    }

    fn reverted(&self, decision: &Decision<Self>, action: &Action) -> Option<Reverted> {
        let Decision { snapshot, facts, .. } = decision;
        let object = words::objects(&snapshot.app.name_any(), std::slice::from_ref(action)).join(", ");
        let deviation = observe::deviation(snapshot, facts, action);
        Some(Reverted { object, color: action.color(), deviation, later: false })
    }

    fn mutated(&self, before: &Snapshot, after: &Snapshot, color: Color) -> Option<Difference> {
        let [before, after] = [before, after].map(|seen| seen.deployments.get(color).as_deref());
        observe::exact::mutated(before?, after?)
    }

    fn record(&self, snapshot: &mut Snapshot, status: BlueGreenAppStatus, version: Option<String>) {
        let app = Arc::make_mut(&mut snapshot.app);
        app.status = Some(status);
        app.metadata.resource_version = version;
    }
}
