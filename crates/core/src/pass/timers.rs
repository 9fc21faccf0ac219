//! When to begin the next pass although no watch event comes.

use std::time::Duration;

use super::RESYNC;
use super::memory::Memory;
use super::observer::{Decision, Observer};
use crate::plan::{Missing, Stage};

/// How soon a write that failed is tried again, at the latest.
const FAILED: Duration = Duration::from_secs(10);

/// How often to read again while somebody else's object has a child's name: it does not carry our label, so no watch tells
/// when it goes.
const FOREIGN: Duration = Duration::from_secs(10);

/// How soon the owners of the pods are read again: no watch tells of them.
const OWNERS: Duration = Duration::from_millis(500);

/// The time until the next pass, at the latest.
pub(super) fn wait<O: Observer>(decision: &Decision<O>, memory: &Memory, uptime: Duration) -> Duration {
    let failed = memory.failing.as_ref().map(|_| FAILED);
    let foreign = decision.facts.has_foreign(decision.intent.wanted).then_some(FOREIGN);
    let waits_for_owners = matches!(
        decision.plan.stage,
        Stage::Preparing { missing: Missing::ReplicaSet | Missing::Endpoints { .. }, .. }
    );
    let owners = waits_for_owners.then_some(OWNERS);
    let contest = memory.contest.ends_in(uptime);
    [decision.plan.wake, memory.ask_in(uptime), failed, contest, foreign, owners]
        .into_iter()
        .flatten()
        .min()
        .map_or(RESYNC, |wait| wait.min(RESYNC))
}
