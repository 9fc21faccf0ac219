//! The status that a look leads to, as far as it is read back: `status::status` without its words (a test compares
//! the two).

use bluegreen_operator::api::{Color, PerColor};
use bluegreen_operator::plan::{Live, Missing, Observed, Plan, Stage};

use crate::facts;
use crate::objects::{App, Objects, Status};

pub(crate) fn report(seen: &Objects, facts: &Observed, plan: &Plan) -> Status {
    let old = &seen.app.status;
    let target = seen.app.active;
    Status {
        written: true,
        observed: true,
        reconciling: reconciling(&seen.app, facts, plan),
        active: plan.live.color().or(old.active),
        switch: switch(target, old, plan),
        served: PerColor::from_fn(|color| remembered(seen, color)),
        healthy: healthy(&seen.app, facts, plan),
    }
}

/// Pods that are available and listed behind the live Service.
fn carrying(facts: &Observed, plan: &Plan) -> u8 {
    let deployment = plan.live.color().and_then(|color| facts.colors.get(color).deployment.ours());
    let listed = facts.service.ours().map_or(0, |service| service.endpoints);
    u8::try_from(deployment.map_or(0, |d| d.available).min(listed)).unwrap_or(0)
}

/// `status.desiredHealthy`, as `status::live` computes it.
fn healthy(app: &App, facts: &Observed, plan: &Plan) -> u8 {
    let Some(live) = plan.live.color() else { return 0 };
    let size = facts.colors.get(live).deployment.ours().map_or(0, |d| u8::try_from(d.replicas).unwrap_or(0));
    let before = if app.status.healthy > 0 { app.status.healthy } else { size };
    // Where nothing is recorded and there is no Deployment, nothing is recorded now.
    if before == 0 { 0 } else { before.max(carrying(facts, plan)).min(app.replicas) }
}

/// What is left of a color whose block is gone is forgotten with its Deployment.
fn remembered(seen: &Objects, color: Color) -> u8 {
    let remains = seen.deployments.get(color).is_some() || *seen.app.present.get(color);
    if remains { facts::served(seen, color) } else { 0 }
}

/// The color that the history says was left just now, or whose drain has just ended: the standby timer counts from there.
pub(crate) fn left(seen: &Objects, plan: &Plan, new: &Status) -> Option<Color> {
    let old = &seen.app.status;
    let ends = |color: Color| {
        old.switch.is_some_and(|(from, to)| from.is_some() && to == color) && new.switch.is_none()
    };
    match plan.live {
        Live::Selected(color) if old.active != Some(color) => old.active,
        Live::Selected(color) if ends(color) => Some(color.other()),
        Live::Selected(_) | Live::Lost(_) | Live::Never => None,
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
        Stage::Unready { .. } if plan.switched => None,
        Stage::Unready { .. } => to_target.or(old.switch.map(|_| (Some(target.other()), target))),
        Stage::Paused | Stage::Pausing | Stage::Yielding => old.switch,
        Stage::Serving => None,
    }
}

fn reconciling(app: &App, facts: &Observed, plan: &Plan) -> bool {
    let target = app.active;
    let held = plan.held == Some(target) && plan.live.color() == Some(target);
    if held {
        return false;
    }
    match plan.stage {
        Stage::Preparing { .. } | Stage::Switching { .. } | Stage::Pausing => true,
        Stage::Unready { missing } => {
            updating(missing) || carrying(facts, plan) >= healthy(app, facts, plan).max(1)
        }
        Stage::Serving => app.present.get(target.other()) == &true && rolling(facts, target.other()),
        Stage::Draining { .. } | Stage::Paused | Stage::Yielding => false,
    }
}

fn updating(missing: Missing) -> bool {
    match missing {
        Missing::Block
        | Missing::Revision
        | Missing::Deployment
        | Missing::Rollout
        | Missing::Size { .. }
        | Missing::Observed => true,
        Missing::Pods { .. }
        | Missing::Deadline
        | Missing::ReplicaSet
        | Missing::Endpoints { .. }
        | Missing::Nodes { .. } => false,
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

#[cfg(test)]
mod tests {
    use bluegreen_operator::api::{BlueGreenApp, BlueGreenAppStatus};
    use bluegreen_operator::status::{self, RECONCILING, Trouble};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::driver::decide;
    use crate::steps::successors;
    use crate::world::{Mode, World};
    use crate::{Bounds, Guards, Idle};

    const GENERATION: i64 = 7;

    /// The same app as the operator would read it.
    fn real(app: &App) -> BlueGreenApp {
        let now = Timestamp::UNIX_EPOCH.to_string();
        let color = |served: u8| {
            (served > 0).then(|| json!({ "servedRevision": served, "image": "", "revision": 0, "replicas": 0, "readyReplicas": 0, "endpoints": 0 }))
        };
        let status = app.status.written.then(|| {
            let reconciling = json!({
                "type": "Reconciling", "status": "True", "reason": "Switching", "message": "", "lastTransitionTime": now,
            });
            json!({
                "observedGeneration": if app.status.observed { GENERATION } else { GENERATION - 1 },
                "active": app.status.active,
                "blue": color(app.status.served.blue),
                "green": color(app.status.served.green),
                "switch": app.status.switch.map(|(from, to)| json!({ "from": from, "to": to, "startedAt": now })),
                "conditions": if app.status.reconciling { vec![reconciling] } else { vec![] },
                "desiredHealthy": (app.status.healthy > 0).then_some(app.status.healthy),
            })
        });
        let block = |color: Color| {
            app.present.get(color).then(|| json!({ "tag": format!("v{}", app.tags.get(color)) }))
        };
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": { "name": "hello", "generation": GENERATION },
            "spec": {
                "active": app.active, "paused": app.paused, "image": "team/hello", "port": 8080,
                "blue": block(Color::Blue), "green": block(Color::Green), "replicas": app.replicas,
                "activeUpdatePolicy": if app.rolling { "RollingUpdate" } else { "Freeze" },
            },
            "status": status.unwrap_or(Value::Null),
        });
        serde_json::from_value(app).unwrap()
    }

    fn abstracted(status: &BlueGreenAppStatus) -> Status {
        let served = |color| status.color(color).and_then(|color| color.served_revision).unwrap_or(0);
        Status {
            written: true,
            observed: status.observed_generation == GENERATION,
            reconciling: status.condition(RECONCILING).is_some(),
            active: status.active,
            switch: status.switch.as_ref().map(|switch| (switch.from, switch.to)),
            served: PerColor::from_fn(|color| u8::try_from(served(color)).unwrap()),
            healthy: u8::try_from(status.desired_healthy.unwrap_or(0)).unwrap(),
        }
    }

    /// For every look of an exploration: the report here is the one that the operator writes.
    #[test]
    fn the_report_is_the_one_that_the_operator_writes() {
        let bounds = Bounds {
            edits: 2,
            faults: 1,
            takeovers: 1,
            mishaps: 1,
            idle: Idle::Reduced,
            ..Bounds::default()
        };
        let (mut seen, mut compared) = (std::collections::HashSet::new(), 0);
        for from_nothing in [false, true] {
            let mut layer = vec![World::first(&Bounds { from_nothing, ..bounds })];
            // A sample of each layer, so that the walk gets far.
            while !layer.is_empty() && compared < 4000 * (1 + usize::from(from_nothing)) {
                let mut next = Vec::new();
                for world in &layer {
                    for k in (0..2).filter(|&k| world.controllers[k].mode == Mode::Looking) {
                        let controller = &world.controllers[k];
                        let view = &controller.view;
                        let decision = decide(view, controller, true, &bounds, &Guards::ALL);
                        let app = real(&view.app);
                        let report = status::Report {
                            app: &app,
                            plan: &decision.plan,
                            seen: &decision.facts,
                            service: None,
                            images: PerColor::default(),
                            trouble: &Trouble::default(),
                            now: Timestamp::UNIX_EPOCH,
                        };
                        assert_eq!(decision.status, abstracted(&status::status(&report)), "{view:#?}");
                        compared += 1;
                    }
                    let mut nexts = Vec::new();
                    successors(world, &bounds, &Guards::ALL, &mut nexts);
                    next.extend(
                        nexts
                            .into_iter()
                            .map(|n| n.world)
                            .filter(|w| seen.insert(crate::fingerprint::fingerprint(w))),
                    );
                }
                let every = next.len().div_ceil(300).max(1);
                layer = next.into_iter().step_by(every).collect();
            }
        }
        println!("{compared} reports compared");
    }
}
