//! Why a plan goes no further: the report from which conditions, Events and `kubectl bluegreen plan` take their words.

use super::checks::is_watched;
use super::rules::{failing, holder};
use super::{Holder, Intent, Live, Missing, Observed, Stage, paused_midway};
use bluegreen_api::{CheckTime, Color};

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
    /// The checks of this time.
    pub checks: Option<CheckTime>,
    /// The old color, until it has drained.
    pub drain: Option<Color>,
    /// It has waited for longer than the progress deadline.
    pub late: bool,
}

impl Waits {
    /// Returns true if another installation's operator holds the objects.
    pub fn is_other_installation(&self) -> bool {
        match self.holder {
            Some(Holder::Installation(_)) => true,
            Some(Holder::Leader { .. }) | None => false,
        }
    }
}

/// Returns what each rule waits for.
pub(super) fn waits(intent: &Intent, seen: &Observed, live: Live, stage: Stage) -> Waits {
    let too_late = seen.elapsed.switching.is_some_and(|passed| passed >= intent.deadline);
    let waits = Waits::default();
    match stage {
        Stage::Yielding => Waits { holder: holder(seen), ..waits },
        Stage::Paused => {
            let paused = paused_midway(intent, seen);
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
        Stage::Checking { .. } => Waits { checks: Some(CheckTime::Before), ..waits },
        Stage::Watching { .. } => Waits { checks: Some(CheckTime::After), ..waits },
        Stage::Draining { old } => Waits { drain: Some(old), ..waits },
        Stage::Unready { missing } => {
            let checks = is_watched(seen, live).then_some(CheckTime::After);
            let late = missing == Missing::Deadline;
            Waits { gate: Some((intent.active, missing)), checks, late, ..waits }
        }
        Stage::Invalid | Stage::Pausing | Stage::Switching { .. } | Stage::Serving => waits,
    }
}
