//! What a person and their tools are told.

mod conditions;
mod hostile;
mod stalls;
mod switches;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::*;
use crate::apply::FailureKind;
use crate::observe;
use crate::plan::tests::fixtures;
use crate::plan::{
    self, Change, Checks, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Holder, Live, Missing,
    Recorded, Selection, ServiceFacts, Stored, Waits,
};

pub(super) fn app(active: &str) -> BlueGreenApp {
    serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": "hello", "namespace": "n", "uid": "u", "generation": 7},
        "spec": {"active": active, "image": "hello", "blue": {"tag": "v1"}, "green": {"tag": "v2"},
                 "replicas": 2, "port": 8888},
        "status": {}
    }))
    .unwrap()
}

fn color(served: bool) -> ColorFacts {
    ColorFacts {
        uncovered: vec!["node-2".into()],
        unlisted: vec!["port x".into()],
        ..fixtures::color(served, 2)
    }
}

pub(super) fn seen() -> Observed {
    Observed {
        service: Child::Ours(ServiceFacts {
            selects: Selection::Color(Color::Blue),
            committed: Some(Color::Blue),
            served: PerColor { blue: Some(1), green: None },
            fence: Fence::Mine,
            current: true,
            endpoints: 2,
        }),
        preview: Child::Absent,
        colors: PerColor { blue: color(true), green: color(false) },
        recorded: Recorded { active: Some(Color::Blue), switching: false, settled: true },
        elapsed: Elapsed { moved: None, cleared: None, switching: None, idle: PerColor::default() },
        checks: Checks::default(),
    }
}

/// A plan that stands at this stage, with what it then waits for.
fn standing(stage: Stage) -> Plan {
    let late = |missing| missing == Missing::Deadline;
    let waits = match stage {
        Stage::Yielding => {
            Waits { holder: Some(Holder::Installation("other/op".to_owned())), ..Waits::default() }
        }
        Stage::Preparing { target, missing } => {
            Waits { gate: Some((target, missing)), late: late(missing), ..Waits::default() }
        }
        Stage::Unready { missing } => {
            Waits { gate: Some((Color::Blue, missing)), late: late(missing), ..Waits::default() }
        }
        Stage::Checking { .. } => {
            Waits { checks: Some(bluegreen_api::CheckTime::Before), ..Waits::default() }
        }
        Stage::Watching { .. } => Waits { checks: Some(bluegreen_api::CheckTime::After), ..Waits::default() },
        Stage::Draining { old } => Waits { drain: Some(old), ..Waits::default() },
        Stage::Invalid | Stage::Paused | Stage::Pausing | Stage::Switching { .. } | Stage::Serving => {
            Waits::default()
        }
    };
    Plan {
        actions: Vec::new(),
        stage,
        live: Live::Selected(Color::Blue),
        switched: false,
        held: None,
        waits,
        wake: None,
    }
}

fn told_of(app: &BlueGreenApp, seen: &Observed, plan: &Plan, problems: &Problems) -> BlueGreenAppStatus {
    let images = PerColor { blue: Some("hello:v1".into()), green: Some("hello:v2".into()) };
    let material = Material { images, ..Material::default() };
    told_at(Timestamp::UNIX_EPOCH, app, seen, plan, problems, material)
}

fn told_at(
    now: Timestamp,
    app: &BlueGreenApp,
    seen: &Observed,
    plan: &Plan,
    problems: &Problems,
    material: Material,
) -> BlueGreenAppStatus {
    let intent = &observe::intent(app);
    status(&Report { app, intent, plan, seen, material, problems, now })
}

fn told(app: &BlueGreenApp, stage: Stage, problems: &Problems) -> BlueGreenAppStatus {
    told_of(app, &seen(), &standing(stage), problems)
}

/// A write that does not succeed, about an object of this color or about the live Service.
fn failing(kind: FailureKind, color: Option<Color>) -> Problems {
    Problems {
        failure: Some(Failure { color, check: None, leftover: false, kind, words: "quota".into() }),
        ..Problems::default()
    }
}

/// What is told of these facts, by the planner's own decision.
fn decided(app: &BlueGreenApp, seen: &Observed) -> BlueGreenAppStatus {
    told_of(app, seen, &plan::plan(&observe::intent(app), seen), &Problems::default())
}

fn deployment(seen: &mut Observed, color: Color) -> &mut DeploymentFacts {
    match &mut seen.colors.get_mut(color).deployment {
        Child::Ours(deployment) => deployment,
        _ => panic!("it has a Deployment"),
    }
}

/// (status, reason) of a condition.
fn says<'a>(status: &'a BlueGreenAppStatus, type_: &str) -> (&'a str, &'a str) {
    status.condition(type_).map_or(("", ""), |c| (c.status.as_str(), c.reason.as_str()))
}

fn message<'a>(status: &'a BlueGreenAppStatus, type_: &str) -> &'a str {
    status.condition(type_).map_or("", |c| c.message.as_str())
}

fn every_stage() -> Vec<Stage> {
    let missing = [
        Missing::Block,
        Missing::Revision,
        Missing::Deployment,
        Missing::Rollout,
        Missing::Size { have: 1, want: 2 },
        Missing::Observed,
        Missing::Pods { have: 1, want: 2 },
        Missing::Deadline,
        Missing::ReplicaSet,
        Missing::Endpoints { have: 1, want: 2 },
        Missing::Ports { have: 1, want: 2 },
        Missing::Nodes { uncovered: 1 },
        Missing::Unproven,
    ];
    let mut stages = vec![
        Stage::Yielding,
        Stage::Invalid,
        Stage::Paused,
        Stage::Pausing,
        Stage::Switching { to: Color::Green },
        Stage::Checking { to: Color::Green },
        Stage::Watching { old: Color::Green },
        Stage::Draining { old: Color::Green },
        Stage::Serving,
    ];
    for missing in missing {
        stages.extend([Stage::Preparing { target: Color::Green, missing }, Stage::Unready { missing }]);
    }
    stages
}
