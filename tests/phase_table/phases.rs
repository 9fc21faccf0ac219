//! The phases: an app in each of them.

use bluegreen_api::CheckResult::{Passed, Running};
use bluegreen_api::Color;
use bluegreen_core::plan::DeploymentFacts;

use crate::checks::checked;
use crate::fixtures::*;

/// A phase: its name, an app in it, the color that serves, and the stage's words.
pub struct Phase {
    pub name: &'static str,
    pub world: World,
    pub a: Color,
    pub stage: &'static str,
}

fn settled(world: World) -> World {
    world.with(|w| w.seen.recorded.settled = true)
}

pub fn phases() -> Vec<Phase> {
    let phase = |name, a, stage, world| Phase { name, world, a, stage };
    let asleep = settled(stable().standby(0, 60)).sized(Green, 0);
    let to_green = || stable().active(Green).switching();
    let stalled = to_green().stored(Green, 2).deployment(Green, |d| {
        *d =
            DeploymentFacts { deadline_exceeded: true, updated: 0, ready: 0, available: 0, ..ready(2, FULL) };
    });
    vec![
        phase("new", Blue, "preparing a: revision", new_app()),
        phase("first", Blue, "preparing a: pods", first_ready().unready(Blue)),
        phase("warm", Blue, "serving", stable()),
        phase("reduced", Blue, "serving", asleep),
        phase("preparing", Blue, "preparing b: pods", to_green().unready(Green)),
        phase("checked", Blue, "checking b", checked(to_green(), Some(Running), None)),
        phase("committed", Green, "switching a", committed()),
        phase("watched", Green, "watching a", checked(draining(), Some(Passed), Some(Running))),
        phase("draining", Green, "draining b", draining()),
        phase("back", Green, "preparing b: pods", draining().active(Blue).unready(Blue)),
        phase("held", Blue, "serving", settled(stable().edited(Blue))),
        phase("paused", Blue, "paused", settled(stable().paused())),
        phase("stalled", Blue, "preparing b: deadline", stalled),
    ]
}
