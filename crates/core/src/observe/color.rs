//! One color's objects as facts.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;

use super::deployment::deployment_facts;
use super::endpoints::count;
use super::owner::owned;
use super::reach::{listed, ready_endpoints, sparse_families, uncovered};
use super::snapshot::{Snapshot, last};
use super::{exact, recorded_served};
use crate::desired;
use crate::fence::Token;
use crate::plan::{Change, Child, ColorFacts, Live, ServiceFacts, Stored, is_taken_back};
use bluegreen_api::{BlueGreenApp, Color};

/// Returns the facts about one color. `service` is what is known of the live Service, and `live` what follows from it.
pub(super) fn color_facts(
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

/// Returns a stored revision as a fact: how the spec has changed since.
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
