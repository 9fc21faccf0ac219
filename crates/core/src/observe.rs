//! Turns Kubernetes objects into facts. After this step, nothing needs to know how a Deployment says that it is
//! ready.
//!
//! `observe` is pure. The operator fills a [`Snapshot`], from its watch caches or by live reads.

mod checks;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod drain_tests;
mod endpoints;
pub mod exact;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod growth_tests;
mod owner;
mod ports;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod revision_tests;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod written;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::api::core::v1::Service;
use kube::{Resource, ResourceExt};

pub use self::checks::{
    POD_TAKES, ended as job_ended, entry as check_entry, job_of, result as job_result, strays as stray_jobs,
};
pub use self::endpoints::foreign_slices;
pub use self::exact::Deviation;
use self::owner::owned;
pub use self::owner::{Stranger, is_app, strangers};
pub use self::snapshot::{Proof, Snapshot, Versions};
pub use self::written::Written;
use crate::desired::{self, names};
use crate::drain;
pub use crate::drain::{Endpoints, Held};
use crate::fence::Token;
use crate::plan::{
    Action, Change, Child, ColorFacts, DeploymentFacts, Elapsed, Intent, Live, Observed, Recorded, Routing,
    Selection, ServiceFacts, Standby, Stored, aim, is_taken_back,
};
use crate::validate;
use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, Color, PerColor, SwitchStatus, TrafficPolicy};

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

fn color_facts(
    seen: &Snapshot,
    token: &Token,
    service: &Child<ServiceFacts>,
    live: Live,
    color: Color,
    now: Timestamp,
) -> ColorFacts {
    let app = &seen.app;
    let stored = seen.revisions(color);
    let served = served(app, service, color);
    let last = last(&stored);
    let newest = newest(seen, &stored, served, color);
    // The live color runs the revision that was recorded with the switch, even if a newer one is stored already.
    let serving = stored
        .iter()
        .copied()
        .find(|revision| live.color() == Some(color) && Some(revision.number) == served);
    let current = serving.or(newest);
    let deployment = owned(app, seen.deployments.get(color).as_deref(), |deployment: &Deployment| {
        deployment_facts(seen, token, deployment, &stored, current, color, now)
    });
    let running = deployment.ours().map(|d| d.revision);
    let newest_change = newest.map(|revision| as_stored(app, revision, color));
    let last = last.map(|revision| revision.number);
    // The last one is kept also if it was taken back: its number must not come again with another content.
    let keep = [last, newest.map(|r| r.number), current.map(|r| r.number), running];
    let listed = listed(seen, current, color);
    ColorFacts {
        service: owned(app, seen.color_services.get(color).as_deref(), |service: &Service| {
            exact::color_service(app, color, seen.service.as_deref(), service).is_none()
        }),
        newest: newest_change,
        // Mostly the same one, and the comparison hashes all of the template.
        current: match (current, newest_change) {
            (Some(current), Some(newest)) if current.number == newest.number => Some(newest),
            (current, _) => current.map(|revision| as_stored(app, revision, color)),
        },
        served: current.is_some_and(|revision| served == Some(revision.number)),
        taken: seen.taken(color).max(last.unwrap_or(0)),
        obsolete: stored.iter().map(|r| r.number).filter(|number| !keep.contains(&Some(*number))).collect(),
        deployment,
        endpoints: ready_endpoints(seen, current, color),
        sparse: sparse_families(seen, current, color),
        ported: count(listed.with_all),
        unlisted: listed.lacking,
        uncovered: uncovered(seen, current, color),
    }
}

/// Returns the revision of `color` that was live last. It is recorded on the Service, in the same request as the
/// selector. If the Service is gone, the status says it.
fn served(app: &BlueGreenApp, service: &Child<ServiceFacts>, color: Color) -> Option<i64> {
    let recorded = recorded_served(app);
    *service.ours().map_or(&recorded, |service| &service.served).get(color)
}

/// Returns the revision of each color that the status records as the last to be live.
pub(crate) fn recorded_served(app: &BlueGreenApp) -> PerColor<Option<i64>> {
    let status = app.status.as_ref();
    PerColor::from_fn(|color| status.and_then(|status| status.color(color))?.served_revision)
}

/// Returns the revision with the highest number.
fn last<'a>(stored: &[&'a desired::Stored]) -> Option<&'a desired::Stored> {
    stored.iter().copied().max_by_key(|revision| revision.number)
}

/// Returns the revision that counts as the newest: the last one, unless the edit that it was stored for was taken back.
fn newest<'a>(
    seen: &Snapshot,
    stored: &[&'a desired::Stored],
    served: Option<i64>,
    color: Color,
) -> Option<&'a desired::Stored> {
    let last = last(stored)?;
    let runs = owned(&seen.app, seen.deployments.get(color).as_deref(), desired::running_revision);
    let runs = runs.ours().copied().flatten();
    let is_older =
        |revision: &&&desired::Stored| Some(revision.number) == runs && revision.number < last.number;
    let Some(running) = stored.iter().find(is_older) else { return Some(last) };
    let facts = |revision: &desired::Stored| as_stored(&seen.app, revision, color);
    let back = is_taken_back(facts(running), facts(last), served == Some(running.number));
    Some(if back { running } else { last })
}

fn as_stored(app: &BlueGreenApp, revision: &desired::Stored, color: Color) -> Stored {
    let spec = &app.spec;
    let change = if desired::block_hash(spec, color).as_ref() != Some(&revision.rendered.block) {
        Change::Block
    } else if revision.rendered.has_pods_of(spec, color) {
        Change::None
    } else {
        Change::Shared
    };
    Stored { number: revision.number, change }
}

fn deployment_facts(
    seen: &Snapshot,
    token: &Token,
    deployment: &Deployment,
    stored: &[&desired::Stored],
    current: Option<&desired::Stored>,
    color: Color,
    now: Timestamp,
) -> DeploymentFacts {
    let spec = deployment.spec.as_ref();
    let status = deployment.status.clone().unwrap_or_default();
    let replicas = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let stamps = [deployment.labels(), deployment.annotations()];
    let fence = stamps.map(|stamps| token.compare(stamps.get(names::FENCE).map(String::as_str), None));
    let live = exact::Live::of(deployment);
    let is_as = |stored| exact::deployment(&seen.app, color, stored, replicas, &live).is_none();
    let matches = current.is_some_and(is_as);
    let revision = desired::running_revision(deployment).unwrap_or(0);
    DeploymentFacts {
        revision,
        stored: stored.iter().any(|stored| stored.number == revision),
        matches,
        settings: exact::settings(&seen.app, &live).is_none(),
        fence: crate::plan::Fence::of_both(fence),
        replicas,
        observed: status.observed_generation.unwrap_or(-1) >= deployment.meta().generation.unwrap_or(0),
        total: status.replicas.unwrap_or(0),
        updated: status.updated_replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        rolled_out: progressing(deployment)
            .is_some_and(|c| c.reason.as_deref() == Some("NewReplicaSetAvailable")),
        deadline_exceeded: deadline_exceeded(
            deployment,
            current.and_then(|stored| seen.revision_created(color, stored.number)),
            now,
        ),
        proven: seen.proof.get(color).as_ref().is_none_or(|proof| {
            current.is_some_and(|stored| !proof.replica_sets(deployment, stored.number).is_empty())
        }),
    }
}

fn progressing(deployment: &Deployment) -> Option<&DeploymentCondition> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "Progressing")
}

/// Returns true if the rollout of a revision that was stored at `created` has exceeded its deadline.
///
/// The Deployment controller keeps its verdict until pods get ready, and two verdicts that it keeps don't count:
///
/// - that on the version before, which it may give the new version with the new observedGeneration. That happens if a
///   conflict keeps it from noting that the new ReplicaSet was created (`getNewReplicaSet` and `syncRolloutStatus` of
///   Kubernetes 1.35). With that verdict, a fix would be called stalled from the start. So a verdict must be younger
///   than the revision by half of the deadline. It is not the whole deadline, because the two times come from the clocks
///   of two machines;
/// - that on a deadline which has been extended since (`DeploymentTimedOut`): the revision has time until the new one.
fn deadline_exceeded(deployment: &Deployment, created: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(verdict) = progressing(deployment) else { return false };
    if verdict.status != "False" || verdict.reason.as_deref() != Some("ProgressDeadlineExceeded") {
        return false;
    }
    let deadline = deployment.spec.as_ref().and_then(|spec| spec.progress_deadline_seconds).unwrap_or(600);
    let deadline = seconds(deadline);
    let written = verdict.last_update_time.as_ref().map(|time| time.0);
    created.zip(written).is_none_or(|(created, written)| {
        since(created, written) >= deadline / 2 && since(created, now.max(written)) >= deadline
    })
}

/// Returns the number of ready pods behind the color's own Service. In a live read, only pods of the proven
/// ReplicaSets count.
fn ready_endpoints(seen: &Snapshot, current: Option<&desired::Stored>, color: Color) -> i32 {
    let (slices, counts) = (seen.color_slices.get(color), counted(seen, current, color));
    let families = families(seen.color_services.get(color).as_deref());
    count(endpoints::ready_pods(slices, families, counts))
}

/// Returns the address families that list too few of the pods that [`ready_endpoints`] counts.
fn sparse_families(seen: &Snapshot, current: Option<&desired::Stored>, color: Color) -> Vec<String> {
    let (slices, counts) = (seen.color_slices.get(color), counted(seen, current, color));
    let families = families(seen.color_services.get(color).as_deref());
    endpoints::sparse_families(slices, families, counts)
}

/// Returns the pods that [`ready_endpoints`] counts by the ports with which they are listed.
fn listed(seen: &Snapshot, current: Option<&desired::Stored>, color: Color) -> ports::Listed {
    let (slices, counts) = (seen.color_slices.get(color), counted(seen, current, color));
    let families = families(seen.color_services.get(color).as_deref());
    ports::listed(slices, families, &desired::listings(&seen.app.spec), counts)
}

fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}

/// Returns the address families of a Service, by the names that EndpointSlices use.
fn families(service: Option<&Service>) -> &[String] {
    let spec = service.and_then(|service| service.spec.as_ref());
    spec.and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default()
}

/// Returns a function that says whether the pod with this uid counts for the readiness of the color.
fn counted<'a>(
    seen: &'a Snapshot,
    current: Option<&desired::Stored>,
    color: Color,
) -> impl Fn(&str) -> bool + use<'a> {
    let pods = match (seen.proof.get(color), seen.deployments.get(color), current) {
        (Some(proof), Some(deployment), Some(stored)) => Some(proof.pods_of(deployment, stored.number)),
        _ => None,
    };
    move |uid| pods.as_ref().is_none_or(|pods| pods.contains(uid))
}

/// Returns true if traffic stays on the node that it came to, or is asked to.
pub fn keeps_to_nodes(seen: &Snapshot) -> bool {
    let wanted = &seen.app.spec.service;
    let wanted = [wanted.external_traffic_policy, wanted.internal_traffic_policy];
    let service = seen.service.as_ref().and_then(|service| service.spec.as_ref());
    // The Service as it is counts, too: an edit of the policy is applied only after the switch.
    let is = service.is_some_and(|spec| {
        [&spec.external_traffic_policy, &spec.internal_traffic_policy]
            .into_iter()
            .any(|policy| policy.as_deref() == Some("Local"))
    });
    wanted.contains(&Some(TrafficPolicy::Local)) || is
}

/// Returns the nodes on which the live Service has a ready endpoint and this color has none. It is empty unless
/// traffic stays on the node that it came to.
fn uncovered(seen: &Snapshot, current: Option<&desired::Stored>, color: Color) -> Vec<String> {
    if !keeps_to_nodes(seen) {
        return Vec::new();
    }
    let covered = endpoints::ready_places(seen.color_slices.get(color), counted(seen, current, color));
    let live = endpoints::ready_places(&seen.live_slices, |_| true);
    let nodes: BTreeSet<&str> = live.difference(&covered).map(|(_, node)| *node).collect();
    nodes.into_iter().map(str::to_owned).collect()
}

/// Returns the time since the Service selects the target of this switch.
fn selected(status: &BlueGreenAppStatus, switch: &SwitchStatus, now: Timestamp) -> Duration {
    if status.active != Some(switch.to) {
        // The switch is so new that the status does not tell of it yet.
        return Duration::ZERO;
    }
    let done = status.history.first().filter(|entry| entry.to == switch.to);
    since(done.map_or(switch.started_at.0, |done| done.finished_at.0), now)
}

/// Returns the time since a switch began, or since one more pod of its target became available.
fn progressed(switch: &SwitchStatus, colors: &PerColor<ColorFacts>, now: Timestamp) -> Duration {
    let deployment = colors.get(switch.to).deployment.ours();
    let available = deployment.map_or(0, DeploymentFacts::observed_available);
    if available > switch.available_replicas {
        return Duration::ZERO;
    }
    let latest = switch.progressed_at.as_ref().map_or(switch.started_at.0, |time| time.0);
    since(latest.max(switch.started_at.0), now)
}

/// Returns when a color's last revision was stored. That is when it was edited, also if the edit was taken back since.
fn last_stored(seen: &Snapshot, color: Color) -> Option<Timestamp> {
    let last = last(&seen.revisions(color))?.number;
    seen.revision_created(color, last)
}

/// Returns the time since a color's last revision was stored, or the maximum if there is none.
fn edited(seen: &Snapshot, color: Color, now: Timestamp) -> Duration {
    last_stored(seen, color).map_or(Duration::MAX, |start| since(start, now))
}

/// Returns for how long a color has been idle: the time since its last edit or since the end of its last drain,
/// whichever is later. It is zero during the drain.
fn idle(seen: &Snapshot, status: &BlueGreenAppStatus, color: Color, now: Timestamp) -> Duration {
    let edited = last_stored(seen, color);
    if status.switch.as_ref().is_some_and(|switch| switch.from == Some(color)) {
        return Duration::ZERO;
    }
    let last = status.history.iter().find(|entry| entry.from == Some(color));
    // An earlier release did not record the end of the drain.
    let left = last.map(|entry| entry.drained_at.as_ref().unwrap_or(&entry.finished_at).0);
    edited.into_iter().chain(left).max().map_or(Duration::ZERO, |start| since(start, now))
}

/// Returns how much time has passed, by the wall clock. `start` was written by this or an earlier leader, or by the
/// API server.
///
/// The result is zero if `start` is in the future. So if this machine's clock is behind the one that wrote `start`, a
/// timer lasts longer by the difference. If it is ahead, a timer ends earlier by the difference: the idle color is
/// scaled down earlier, and a switch is called late earlier. Neither can select a color, or touch one that is live or
/// drains, because those decisions use the endpoints and monotonic clocks.
fn since(start: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(start)).unwrap_or(Duration::ZERO)
}
