//! The operator's own pass over the model's objects: what it needs to know of them, and what a controller remembers.

use std::time::Duration;

use bluegreen_api::Color;
use bluegreen_core::drain::{Drain, Endpoints, Held};
use bluegreen_core::observe::Versions;
use bluegreen_core::pass::{Decision, Known, Memory, News, Now, Observer};
use bluegreen_core::plan::{Intent, Observed, Routing};
use jiff::Timestamp;

use crate::facts::{self, DRAIN};
use crate::objects::{Objects, Status, Token};
use crate::report;
use crate::world::{Clock, Clocks, Controller};
use crate::{Bounds, Guards};

/// Any time: of a clock the model only knows whether it stands, runs, or has reached the drain.
pub(crate) const NOW: Now = Now { uptime: Duration::from_secs(100_000), wall: Timestamp::UNIX_EPOCH };

/// Observes objects for one controller.
#[derive(Debug)]
pub(crate) struct Abstract<'a> {
    term: u8,
    bounds: &'a Bounds,
    guards: &'a Guards,
}

/// What is reported, and the color that it tells was left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told(pub Status, pub Option<Color>);

impl<'a> Abstract<'a> {
    pub fn new(controller: &Controller, bounds: &'a Bounds, guards: &'a Guards) -> Self {
        Self { term: controller.term, bounds, guards }
    }

    fn token(&self, attempt: u32) -> Token {
        Token { epoch: self.term, attempt: u8::try_from(attempt).unwrap_or(u8::MAX) }
    }
}

impl Observer for Abstract<'_> {
    type Snapshot = Objects;
    type Status = Told;

    fn is_leaving(&self, _: &Objects) -> bool {
        false
    }

    fn generation(&self, seen: &Objects) -> (i64, bool) {
        (0, seen.app.status.observed)
    }

    /// Caches that lag are a step of the model.
    fn versions(&self, _: &Objects) -> Versions {
        Versions::default()
    }

    fn intent(&self, seen: &Objects) -> Intent {
        facts::intent(&seen.app, self.bounds.idle)
    }

    fn routing(&self, seen: &Objects, attempt: u32) -> Routing {
        facts::routing(seen, self.token(attempt), self.guards)
    }

    fn endpoints(&self, seen: &Objects, live: Color) -> Endpoints {
        facts::endpoints(seen, live)
    }

    fn observe(&self, seen: &Objects, routing: Routing, attempt: u32, held: Held, _: Now) -> Observed {
        let facts = facts::observe(seen, routing, self.token(attempt), held, self.guards);
        if self.guards.switch_fence { facts } else { facts::without_stamps(&self.intent(seen), facts) }
    }

    fn report(&self, decision: &Decision<Self>, known: &Known<'_>, _: Now) -> Told {
        let Decision { snapshot, intent, facts, plan, .. } = decision;
        let status = report::report(snapshot, intent, facts, plan, known.failure, self.guards);
        Told(status, report::left(snapshot, plan, &status))
    }

    fn news(&self, decision: &Decision<Self>, Told(status, _): &Told) -> News {
        if decision.snapshot.app.status == *status { News::None } else { News::Claim }
    }

    fn record(&self, seen: &mut Objects, Told(status, _): Told, _: Option<String>) {
        seen.app.status = status;
    }
}

/// What a controller remembers, as the operator keeps it.
pub(crate) fn memory(controller: &Controller) -> Memory {
    let mut memory = Memory::default();
    memory.attempt = u32::from(controller.attempt);
    let Clocks { color, moved, cleared } = controller.clocks;
    if let Some(color) = color {
        let held = |clock: Clock| match clock {
            Clock::Stopped => None,
            Clock::Running { .. } => Some(Duration::ZERO),
            Clock::Passed => Some(DRAIN),
        };
        memory.drain = Drain::running(
            color,
            Held { moved: held(moved), cleared: held(cleared), lost: None },
            NOW.uptime,
        );
    }
    memory
}

/// The same clocks in the model's terms. Whether the old color came back since a clock was started is not the operator's
/// to know, so that is kept of the clocks before.
pub(crate) fn clocks(drain: &Drain, before: Clocks) -> Clocks {
    for color in Color::ALL {
        let held = drain.held(Some(color), NOW.uptime);
        if (held.moved, held.cleared) == (None, None) {
            continue;
        }
        let clock = |held: Option<Duration>, was: Clock| match (held, was) {
            (None, _) => Clock::Stopped,
            (Some(held), _) if held >= DRAIN => Clock::Passed,
            (Some(_), Clock::Running { returned }) if before.color == Some(color) => {
                Clock::Running { returned }
            }
            (Some(_), _) => Clock::Running { returned: false },
        };
        return Clocks {
            color: Some(color),
            moved: clock(held.moved, before.moved),
            cleared: clock(held.cleared, before.cleared),
        };
    }
    Clocks::default()
}
