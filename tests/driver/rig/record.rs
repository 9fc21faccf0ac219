//! The server's history in the words of the guard, which checks every instant of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bluegreen_apiserver::{Change, Kind, Server};
use bluegreen_guard::guard;
use bluegreen_guard::{Event, Kind as Watched, World};

/// What the guard looks at; the rest is none of its business.
fn watched(kind: Kind) -> Option<Watched> {
    match kind {
        Kind::App => Some(Watched::App),
        Kind::Service => Some(Watched::Service),
        Kind::Deployment => Some(Watched::Deployment),
        Kind::Slice => Some(Watched::Slice),
        Kind::Revision => Some(Watched::Revision),
        Kind::Pod => Some(Watched::Pod),
        Kind::ReplicaSet | Kind::Event | Kind::Job | Kind::Lease => None,
    }
}

/// All objects at this moment.
pub fn world(server: &Server) -> World {
    let mut world = World::default();
    for change in server.history() {
        if let Some(kind) = watched(change.kind) {
            world.put(kind, &change.name, (!change.deleted).then_some(change.object));
        }
    }
    world
}

/// What the guard says of everything that happened.
pub fn replay(server: &Server) -> guard::Guard {
    let history = server.history();
    let Some(first) = history.first() else { return guard::Guard::default() };
    let (start, beginning) = (Instant::now(), first.at);
    let event = |change: &Change| {
        let passed = Duration::try_from(change.at.duration_since(beginning)).unwrap_or_default();
        Some(Event {
            version: change.version,
            at: start + passed,
            kind: watched(change.kind)?,
            name: change.name.clone(),
            object: Arc::clone(&change.object),
            deleted: change.deleted,
        })
    };
    let events: Vec<Event> = history.iter().filter_map(event).collect();
    let by_the_test = history.iter().filter(|change| change.manager == "test");
    let foreign: BTreeSet<u64> = by_the_test.map(|change| change.version).collect();
    guard::replay(&events, &foreign)
}

/// Every promise must have been kept at every instant.
pub fn check(server: &Server) {
    let found = replay(server);
    let broken: Vec<String> = found.broken.into_iter().map(|broken| broken.words).collect();
    assert!(broken.is_empty(), "the guard saw:\n{}\n{}", broken.join("\n"), found.timeline.join("\n"));
}
