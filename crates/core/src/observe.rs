//! Turns Kubernetes objects into facts. After this step, nothing needs to know how a Deployment says that it is
//! ready.
//!
//! `observe` is pure. The operator fills a [`Snapshot`], from its watch caches or by live reads.

mod checks;
mod color;
mod deployment;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod drain_tests;
mod elapsed;
mod endpoints;
pub mod exact;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod growth_tests;
mod owner;
mod ports;
mod reach;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod revision_tests;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod written;

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use kube::{Resource, ResourceExt};

pub use self::checks::{
    POD_TAKES, ended as job_ended, entry as check_entry, job_of, result as job_result, strays as stray_jobs,
};
use self::color::color_facts;
use self::elapsed::{edited, idle, progressed, selected};
pub use self::endpoints::foreign_slices;
use self::endpoints::{count, families};
pub use self::exact::Deviation;
use self::owner::owned;
pub use self::owner::{Stranger, is_app, strangers};
pub use self::reach::keeps_to_nodes;
pub use self::snapshot::{Proof, Snapshot, Versions};
pub use self::written::Written;
use crate::desired::{self, names};
use crate::drain;
pub use crate::drain::{Endpoints, Held};
use crate::fence::Token;
use crate::plan::{
    Action, Child, Elapsed, Intent, Live, Observed, Recorded, Routing, Selection, ServiceFacts, Standby, aim,
};
use crate::validate;
use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, Color, PerColor};

/// Returns what the spec asks for, reduced to what a decision needs.
pub fn intent(app: &BlueGreenApp) -> Intent {
    let spec = &app.spec;
    Intent {
        active: spec.active,
        paused: spec.paused,
        invalid: !validate::blocking(&app.name_any(), spec).is_empty(),
        replicas: spec.replicas,
        standby: standby(app),
        drain: seconds(spec.drain_seconds),
        deadline: seconds(spec.progress_deadline_seconds),
        policy: spec.active_update_policy,
        wanted: PerColor::from_fn(|color| spec.color(color).is_some()),
        preview: spec.service.preview,
    }
}

fn standby(app: &BlueGreenApp) -> Standby {
    let Some(standby) = &app.spec.standby else { return Standby::Warm };
    match (standby.replicas, standby.scale_down_after_seconds) {
        (None, None) => Standby::Warm,
        (replicas, after) => {
            Standby::Reduced { replicas: replicas.unwrap_or(0), after: seconds(after.unwrap_or(0)) }
        }
    }
}

fn seconds(seconds: i32) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Returns the facts about the live Service and the record in the status. They are enough to tell which color is
/// live, and so whose endpoints count.
pub fn routing(seen: &Snapshot, token: &Token) -> Routing {
    let app = &seen.app;
    let recorded = app
        .status
        .as_ref()
        .map_or_else(|| recorded(app, &BlueGreenAppStatus::default()), |status| recorded(app, status));
    Routing { service: service(seen, token), recorded }
}

/// Turns one snapshot into facts.
///
/// `routing` is the result of [`routing`] for the same snapshot and token, and `token` is this leader's. `held` says
/// for how long the endpoints of the live color have been in place. `held` and `now` come from the driver's clocks.
pub fn observe(seen: &Snapshot, routing: Routing, token: &Token, held: Held, now: Timestamp) -> Observed {
    let app = &seen.app;
    let status = app.status.clone().unwrap_or_default();
    let live = routing.live();
    let Routing { service, recorded } = routing;
    let colors = PerColor::from_fn(|color| color_facts(seen, token, &service, live, color, now));
    let checks = checks::checks(seen, &status, &colors, live, now);
    let target = aim(app.spec.active, checks.rejected, live);
    let elapsed = Elapsed {
        moved: held.moved,
        cleared: held.cleared,
        switching: status
            .switch
            .as_ref()
            .filter(|switch| switch.to == target)
            // An edit of the target starts the deadline again; otherwise, its fix would be called stalled from the
            // start. The switch itself starts it again, too, because from then on the app waits for the endpoints.
            .map(|switch| {
                let stands = if live == Live::Selected(target) {
                    // Endpoints that have followed once, and are lost again, have their own time.
                    selected(&status, switch, now).min(held.lost.unwrap_or(Duration::MAX))
                } else {
                    progressed(switch, &colors, now)
                };
                stands.min(edited(seen, target, now))
            }),
        idle: PerColor::from_fn(|color| idle(seen, &status, color, now)),
    };
    Observed { service, preview: preview(seen), colors, recorded, elapsed, checks }
}

/// Returns which color the preview shows.
fn preview(seen: &Snapshot) -> Child<Option<Color>> {
    let app = &seen.app;
    let found = owned(app, seen.preview.as_deref(), |service: &Service| {
        Color::ALL.into_iter().find(|&color| exact::preview(app, color, service).is_none())
    });
    match found {
        Child::Collecting | Child::Foreign if !app.spec.service.preview => Child::Absent,
        Child::Absent | Child::Ours(_) | Child::Collecting | Child::Foreign => found,
    }
}

/// Returns what the EndpointSlices of the live Service show, for the color that the Service selects.
pub fn endpoints(seen: &Snapshot, color: Color) -> Endpoints {
    let live = endpoints::pods(&seen.live_slices);
    let known: HashSet<&str> =
        endpoints::pods(seen.color_slices.get(color)).iter().map(|endpoint| endpoint.pod).collect();
    let cleared = live.iter().all(|endpoint| known.contains(endpoint.pod));
    let ready = endpoints::ready_pods(&seen.live_slices, families(seen.service.as_deref()), |_| true);
    Endpoints { moved: cleared && ready > 0, cleared }
}

/// Returns how much of the drain after the switch to `live` is recorded, if the Service has not been written since: then it has
/// selected no other color meanwhile. Never all of it, so that each leader sees for itself that the old color's endpoints are gone.
pub fn drained(seen: &Snapshot, live: Color) -> Duration {
    let switch = seen.app.status.as_ref().and_then(|status| status.switch.as_ref());
    let drain = switch.filter(|switch| switch.to == live).and_then(|switch| switch.drain.as_ref());
    let version = seen.service.as_ref().and_then(|service| service.metadata.resource_version.as_ref());
    drain.filter(|drain| Some(&drain.service_version) == version).map_or(Duration::ZERO, |drain| {
        drain::recorded(seconds(seen.app.spec.drain_seconds), seconds(drain.passed_seconds))
    })
}

fn recorded(app: &BlueGreenApp, status: &BlueGreenAppStatus) -> Recorded {
    let settled = status.observed_generation == app.meta().generation.unwrap_or(0) && status.is_settled();
    Recorded { active: status.active, switching: status.switch.is_some(), settled }
}

fn service(seen: &Snapshot, token: &Token) -> Child<ServiceFacts> {
    let app = &seen.app;
    owned(app, seen.service.as_deref(), |service: &Service| {
        let annotation = |key: &str| service.annotations().get(key).map(String::as_str);
        // A Service that was created again may have fewer records than the status, which was written later.
        let recorded = recorded_served(app);
        let served = PerColor::from_fn(|color| {
            annotation(names::served(color)).and_then(names::revision_number).or(*recorded.get(color))
        });
        let selects = match desired::selects(service, &app.name_any()) {
            desired::Selection::Color(color) => Selection::Color(color),
            desired::Selection::None_ => Selection::Nothing,
            desired::Selection::Foreign => Selection::Edited,
        };
        let fence = token
            .compare(service.labels().get(names::FENCE).map(String::as_str), annotation(names::OPERATOR));
        let mut facts = ServiceFacts {
            selects,
            committed: annotation(names::ACTIVE).and_then(Color::parse),
            served,
            fence,
            current: true,
            endpoints: count(endpoints::ready_pods(&seen.live_slices, families(Some(service)), |_| true)),
        };
        facts.current = exact::live_service(app, service, &facts).is_none();
        facts
    })
}

/// Returns how the object that this action writes differs from what it declares.
pub fn deviation(seen: &Snapshot, facts: &Observed, action: &Action) -> Option<Deviation> {
    let (app, service) = (&seen.app, seen.service.as_deref());
    match *action {
        Action::EditDeployment { color, replicas } => {
            let number = facts.colors.get(color).current?.number;
            let (stored, live) = (seen.revision(color, number)?, seen.deployments.get(color).as_deref()?);
            let live = exact::Live::of(live);
            exact::deployment(app, color, stored, replicas, &live).or_else(|| exact::settings(app, &live))
        }
        Action::ApplyColorService(color) => {
            exact::color_service(app, color, service, seen.color_services.get(color).as_deref()?)
        }
        Action::ApplyPreview(color) => exact::preview(app, color, seen.preview.as_deref()?),
        Action::UpdateService => exact::live_service(app, service?, facts.service.ours()?),
        Action::Restore { to } | Action::Switch { from: _, to } => exact::selector(app, to, service?),
        Action::CreateService
        | Action::StoreRevision { .. }
        | Action::RecoverRevision { .. }
        | Action::Promote { .. }
        | Action::CreateDeployment { .. }
        | Action::Fence { .. }
        | Action::RunCheck { .. }
        | Action::DropJob { .. }
        | Action::DropRevision { .. }
        | Action::RemoveColor(_)
        | Action::RemovePreview => None,
    }
}

/// Returns the revision of each color that the status records as the last to be live.
pub(crate) fn recorded_served(app: &BlueGreenApp) -> PerColor<Option<i64>> {
    let status = app.status.as_ref();
    PerColor::from_fn(|color| status.and_then(|status| status.color(color))?.served_revision)
}
