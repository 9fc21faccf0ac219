//! What a decision must never be, whatever comes of it.

use bluegreen_api::{Color, PerColor};
use bluegreen_core::pass::Basis;
use bluegreen_core::plan::{Action, Fence, Observed, Stage};

use super::{Broken, Decision, decide};
use crate::checks;
use crate::facts;
use crate::liveness;
use crate::objects::Objects;
use crate::world::{Clock, Clocks, Controller, World};
use crate::{Bounds, Guards};

/// What a decision must never be.
pub(super) fn broken_by(decision: &Decision, seen: &Objects, world: &World) -> Option<Broken> {
    let fenced = |facts: &Observed| {
        let service = facts.service.ours().is_some_and(|s| s.fence == Fence::Mine);
        service
            && Color::ALL
                .iter()
                .all(|&c| facts.colors.get(c).deployment.ours().is_none_or(|d| d.fence == Fence::Mine))
    };
    let live = decision.plan.live.color();
    for action in &decision.plan.actions {
        match *action {
            Action::Switch { .. }
            | Action::EditDeployment { .. }
            | Action::Promote { .. }
            | Action::RemoveColor(_)
                if !fenced(&decision.facts) =>
            {
                return Some("a guarded action was planned without the token on every object");
            }
            Action::Promote { color, number }
                if !seen.app.rolling && number > i64::from(facts::served(seen, color)) =>
            {
                return Some("an update in place was planned under the policy Freeze");
            }
            // One that is on its way can't be called back: a Job carries no token.
            Action::RunCheck { .. } if seen.app.paused => {
                return Some("a Job was planned while the app is paused");
            }
            Action::RemoveColor(color) if *seen.app.present.get(color) => {
                return Some("a color was to be removed whose block is in the spec");
            }
            Action::EditDeployment { color, replicas }
                if live == Some(color) && replicas != i32::from(seen.app.replicas) =>
            {
                return Some("the live color was to be given a size that the spec does not ask for");
            }
            Action::Switch { to, .. } => {
                let runs = facts::current(seen, to).and_then(|number| facts::content(seen, to, number));
                if let Some(broken) = checks::broken_by_decision(seen, to, live, world) {
                    return Some(broken);
                }
                // What it goes back to by itself is what has served.
                let is_asked = to == seen.app.active;
                if is_asked && runs.map(|content| content / 2) != Some(*seen.app.tags.get(to)) {
                    return Some("a switch was planned to something else than the color's block asks for");
                }
                let ready = |color: Color| seen.deployments.get(color).map_or(0, |d| d.have);
                // Nobody promises more pods than the spec asks for, and one pod is more than none.
                let carry = live.map_or(seen.app.replicas, ready).min(seen.app.replicas).max(1);
                if ready(to) < carry {
                    return Some("a switch was planned to fewer pods than carry the traffic now");
                }
            }
            _ => {}
        }
    }
    None
}

/// To do nothing and to say that all is done is only right when all is done.
pub(super) fn done_too_early(
    decision: &Decision,
    seen: &Objects,
    bounds: &Bounds,
    guards: &Guards,
) -> Option<Broken> {
    let done = decision.plan.actions.is_empty() && decision.plan.stage == Stage::Serving;
    // Without a guard the same lie that the planner was told would show here first, and not what it leads to.
    (done && *guards == Guards::ALL).then(|| liveness::unconverged(seen, bounds.idle)).flatten()
}

/// When nothing is done but time alone would change that, the plan must say when to look again.
pub(super) fn sleeps_through(
    decision: &Decision,
    seen: &Objects,
    controller: &Controller,
    clocks: Clocks,
    bounds: &Bounds,
    guards: &Guards,
) -> Option<Broken> {
    let runs = |clock: Clock| matches!(clock, Clock::Running { .. });
    if !decision.plan.actions.is_empty() || decision.plan.wake.is_some() {
        return None;
    }
    let later = |clocks: &Clocks, seen: &Objects| {
        let controller = Controller { clocks: *clocks, ..*controller };
        let (then, _) = decide(seen, &controller, Basis::Proven, bounds, guards);
        then.plan.actions != decision.plan.actions || then.plan.stage != decision.plan.stage
    };
    let pass = |clock: Clock| if runs(clock) { Clock::Passed } else { clock };
    let drained = Clocks { color: clocks.color, moved: pass(clocks.moved), cleared: pass(clocks.cleared) };
    if drained != clocks && later(&drained, seen) {
        return Some("nothing wakes the controller up when the drain is over");
    }
    let mut rested = *seen;
    rested.app.left_long_ago = PerColor { blue: true, green: true };
    rested.stored_long_ago = rested.app.left_long_ago;
    (rested != *seen && later(&clocks, &rested))
        .then_some("nothing wakes the controller up when the standby timer runs out")
}
