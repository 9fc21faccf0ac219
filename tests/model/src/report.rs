//! The status that a look leads to, as far as it is read back: `status::status` without its words (a test compares
//! the two).

use bluegreen_operator::api::{Color, PerColor};
use bluegreen_operator::plan::{Missing, Observed, Plan, Stage};

use crate::world::{Objects, Status};

pub(crate) fn report(seen: &Objects, facts: &Observed, plan: &Plan) -> Status {
    let old = &seen.app.status;
    let target = seen.app.active;
    Status {
        written: true,
        observed: true,
        reconciling: reconciling(target, facts, plan),
        active: plan.live.color().or(old.active),
        switch: switch(target, old, plan),
        served: PerColor::from_fn(|color| {
            let by_service = seen.service.map_or(0, |service| *service.served.get(color));
            if by_service > 0 { by_service } else { *old.served.get(color) }
        }),
    }
}

fn switch(target: Color, old: &Status, plan: &Plan) -> Option<(Option<Color>, Color)> {
    let to_target = old.switch.filter(|switch| switch.1 == target);
    match plan.stage {
        Stage::Preparing { .. } | Stage::Switching { .. } => match plan.live.color() {
            Some(live) if live == target => to_target.or(Some((None, target))),
            from => Some((from, target)),
        },
        Stage::Draining { old } => Some((Some(old), target)),
        Stage::Unready { .. } => to_target,
        Stage::Paused | Stage::Pausing | Stage::Yielding => old.switch,
        Stage::Serving => None,
    }
}

fn reconciling(target: Color, facts: &Observed, plan: &Plan) -> bool {
    let held = plan.held == Some(target) && plan.live.color() == Some(target);
    if held {
        return false;
    }
    match plan.stage {
        Stage::Preparing { .. } | Stage::Switching { .. } | Stage::Pausing => true,
        Stage::Unready { missing } => updating(missing) || rolling(facts, target),
        Stage::Serving => rolling(facts, target.other()),
        Stage::Draining { .. } | Stage::Paused | Stage::Yielding => false,
    }
}

fn updating(missing: Missing) -> bool {
    match missing {
        Missing::Block | Missing::Revision | Missing::Deployment | Missing::Rollout | Missing::Observed => {
            true
        }
        Missing::Pods { .. } | Missing::Deadline | Missing::ReplicaSet | Missing::Endpoints { .. } => false,
    }
}

fn rolling(facts: &Observed, color: Color) -> bool {
    let facts = facts.colors.get(color);
    match facts.deployment.ours() {
        Some(deployment) => {
            let complete = deployment.rolled_out
                && deployment.observed
                && Some(deployment.revision) == facts.current.map(|stored| stored.number);
            !complete && deployment.replicas > 0
        }
        None => true,
    }
}
