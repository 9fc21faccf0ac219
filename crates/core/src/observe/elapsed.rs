//! How much time has passed, by the wall clock, since what the objects record.

use std::time::Duration;

use jiff::Timestamp;

use super::snapshot::{Snapshot, last};
use crate::plan::{ColorFacts, DeploymentFacts};
use bluegreen_api::{BlueGreenAppStatus, Color, PerColor, SwitchStatus};

/// Returns the time since the Service selects the target of this switch.
pub(super) fn selected(status: &BlueGreenAppStatus, switch: &SwitchStatus, now: Timestamp) -> Duration {
    if status.active != Some(switch.to) {
        // The switch is so new that the status does not tell of it yet.
        return Duration::ZERO;
    }
    let done = status.history.first().filter(|entry| entry.to == switch.to);
    since(done.map_or(switch.started_at.0, |done| done.finished_at.0), now)
}

/// Returns the time since a switch began, or since one more pod of its target became available.
pub(super) fn progressed(switch: &SwitchStatus, colors: &PerColor<ColorFacts>, now: Timestamp) -> Duration {
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
pub(super) fn edited(seen: &Snapshot, color: Color, now: Timestamp) -> Duration {
    last_stored(seen, color).map_or(Duration::MAX, |start| since(start, now))
}

/// Returns for how long a color has been idle: the time since its last edit or since the end of its last drain,
/// whichever is later. It is zero during the drain.
pub(super) fn idle(seen: &Snapshot, status: &BlueGreenAppStatus, color: Color, now: Timestamp) -> Duration {
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
pub(super) fn since(start: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(start)).unwrap_or(Duration::ZERO)
}
