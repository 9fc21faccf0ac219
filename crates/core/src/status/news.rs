//! How a new status differs from the one that is there.

use super::words;
use bluegreen_api::{BlueGreenAppStatus, READY};

/// How a status differs from the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Not at all.
    None,
    /// Only in counts and words of work in progress.
    Progress,
    /// It claims something, which must rest on a live read.
    Claim,
}

/// Compares two statuses. Counts and words of work in progress are less than claims, which must rest on a live read.
pub fn news(old: Option<&BlueGreenAppStatus>, new: &BlueGreenAppStatus) -> News {
    let Some(old) = old else { return News::Claim };
    if old == new {
        return News::None;
    }
    if claims(old) == claims(new) { News::Progress } else { News::Claim }
}

fn claims(status: &BlueGreenAppStatus) -> impl PartialEq + '_ {
    let conditions: Vec<_> = status.conditions.iter().map(|c| (&c.type_, &c.status, &c.reason)).collect();
    let revisions =
        [&status.blue, &status.green].map(|c| c.as_ref().map(|c| (c.revision, c.served_revision)));
    // The rest of it tells how far the switch is.
    let switch = status.switch.as_ref().map(|switch| (switch.from, switch.to, &switch.started_at));
    // Later decisions read it back, so it must rest on a live read, although it is a count.
    let healthy = status.desired_healthy;
    // The watch caches hold only the slices that carry the app's label.
    let astray = status.condition(READY).and_then(|ready| words::astray(&ready.message));
    (status.observed_generation, status.active, status.phase, switch, conditions, revisions, healthy, astray)
}
