//! Sizes: how many pods a color should have. How many are enough to select it is another question: see `need`.

use super::need::{carrying, is_complete, needed};
use super::rules::{Role, drains, gate, left_recently};
use super::{DeploymentFacts, Intent, Live, Observed, Standby};
use bluegreen_api::Color;

/// How many pods a Deployment of `color` should have that is made anew.
pub(super) fn initial(intent: &Intent, seen: &Observed, role: Role, color: Color) -> i32 {
    match role {
        Role::Live | Role::Target | Role::Draining => intent.replicas,
        Role::Idle => standby(intent, seen, color),
    }
}

/// How many pods the Deployment of `color` should have; `None`: it may not be touched now. `edited`: something else than its
/// size is to be changed, too.
pub(super) fn wanted(
    intent: &Intent,
    seen: &Observed,
    live: Live,
    role: Role,
    color: Color,
    edited: bool,
) -> Option<i32> {
    let deployment = seen.colors.get(color).deployment.ours()?;
    let size = deployment.replicas;
    match role {
        Role::Live => Some(intent.replicas),
        Role::Target => {
            let target = target(intent, seen, live, color, deployment, edited);
            // A switch back during the drain uses the target as it is, or waits: connections may still reach it.
            let breaks = edited || target < size;
            (!breaks || !drains(intent, seen, live, color)).then_some(target)
        }
        // It grows with the live color, or a way back would wait for new pods. Fewer pods would cut connections.
        Role::Draining => {
            // Its drain was over once, and the operator has been started again before it said so.
            let is_reduced = matches!(intent.standby, Standby::Reduced { replicas, .. } if size <= replicas)
                && size < needed(intent, seen, live, color);
            let grows = !edited && !is_reduced && *intent.wanted.get(color);
            grows.then_some(size.max(intent.replicas))
        }
        Role::Idle => {
            let standby = standby(intent, seen, color);
            // While the live color has no ready pod at all, or none that its Service lists after a switch, what served
            // before is the quickest way out.
            let has_none = live.color().is_some_and(|now| carrying(seen, now) < 1);
            let lists_none = left_recently(seen, live, color) && seen.elapsed.moved.is_none();
            let is_needed = has_none || lists_none;
            Some(if is_needed { standby.max(size) } else { standby })
        }
    }
}

/// How many pods the target of a switch should have.
///
/// It grows only when it is too small to be selected, and one that is complete is not made smaller: it is brought to
/// `spec.replicas` once it is live. So each step of an autoscaler costs a switch at most the pods of that step, and none once
/// the target is enough. A target that is not complete is made smaller when the spec asks for that: it may be too large to
/// ever become complete.
fn target(
    intent: &Intent,
    seen: &Observed,
    live: Live,
    color: Color,
    deployment: &DeploymentFacts,
    edited: bool,
) -> i32 {
    let size = deployment.replicas;
    if edited || size < needed(intent, seen, live, color) {
        return intent.replicas;
    }
    if is_complete(deployment) || gate(intent, seen, color).is_ok() {
        size
    } else {
        size.min(intent.replicas)
    }
}

/// How many pods the idle color should have.
fn standby(intent: &Intent, seen: &Observed, color: Color) -> i32 {
    match intent.standby {
        Standby::Warm => intent.replicas,
        Standby::Reduced { replicas, after } => {
            let facts = seen.colors.get(color);
            // A color that never served was put there to be looked at: at least one pod.
            let looked_at = replicas.min(intent.replicas).max(1);
            if *seen.elapsed.idle.get(color) < after {
                if facts.served { intent.replicas } else { looked_at }
            } else if facts.served || !after.is_zero() {
                replicas.min(intent.replicas)
            } else {
                looked_at
            }
        }
    }
}
