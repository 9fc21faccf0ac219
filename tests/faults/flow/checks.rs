//! Switches under checks: each write on the way to a verdict, and on the way back, can go wrong.

use bluegreen_api::CheckResult::{self, Failed, Passed, Running};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::{BlueGreenAppStatus, Phase};
use serde_json::{Value, json};

use super::{APP, Flow, Step, activate, at_rest, edit, runs};
use crate::e2e::harness::{self, Kind, World};

/// A check whose pod exits with this code at once, or runs for ever.
fn check(when: &str, exit: Option<&str>) -> Value {
    let behavior = exit.map_or_else(|| json!({}), |code| json!({ "exit": code }));
    harness::check(&when.to_lowercase(), when, &behavior)
}

/// Green is asked for under these checks.
fn ask(checks: &[Value]) -> Step {
    edit(json!({"active": "green", "checks": checks}))
}

fn has(world: &World, check: &str, result: CheckResult) -> bool {
    let checks = world.status(APP).map(|status| status.checks).unwrap_or_default();
    checks.iter().any(|entry| entry.name == check && entry.result == result)
}

/// Green was refused, and blue serves as before; nothing is under way any more.
fn is_refused(world: &World) -> bool {
    let rests = |status: BlueGreenAppStatus| {
        status.phase == Some(Phase::Stalled) && status.switch.is_none() && status.active == Some(Blue)
    };
    world.stalled(APP, "CheckFailed")
        && world.selects(APP) == "blue"
        && world.pods(APP, Blue).len() == 2
        && world.status(APP).is_some_and(rests)
}

/// The status says so before the Job is there: how often Jobs are made would then depend on what comes first, an answer or an edit.
fn runs_a_job(world: &World, name: &str) -> bool {
    has(world, name, Running) && !has_no_jobs(world)
}

fn has_no_jobs(world: &World) -> bool {
    world.all(Kind::Job).next().is_none()
}

pub(super) fn all() -> Vec<Flow> {
    let gate_runs = || Step::Until("its check runs", |world| runs_a_job(world, "before"));
    let is_watched = || {
        Step::Until("green is watched", |world| world.selects(APP) == "green" && runs_a_job(world, "after"))
    };
    let both = [check("Before", Some("0")), check("After", Some("0"))];
    vec![
        Flow::serving("checks before and after pass", vec![ask(&both)], |world| {
            at_rest(world, Green) && has(world, "before", Passed) && has(world, "after", Passed)
        }),
        Flow::serving("a check before fails", vec![ask(&[check("Before", Some("1"))])], |world| {
            is_refused(world) && has(world, "before", Failed)
        }),
        Flow::serving("a check after fails", vec![ask(&[check("After", Some("1"))])], |world| {
            is_refused(world) && has(world, "after", Failed)
        }),
        Flow::serving(
            "cancel while a check runs",
            vec![ask(&[check("Before", None)]), gate_runs(), activate(Blue)],
            |world| at_rest(world, Blue) && has_no_jobs(world),
        ),
        Flow::serving(
            "back by hand while watched",
            vec![ask(&[check("After", None)]), is_watched(), activate(Blue)],
            |world| at_rest(world, Blue) && has_no_jobs(world),
        ),
        Flow::serving(
            "new tag while a check runs",
            vec![
                ask(&[check("Before", None)]),
                gate_runs(),
                edit(json!({"green": {"tag": "v3"}, "checks": [check("Before", Some("0"))]})),
            ],
            |world| at_rest(world, Green) && runs(world, Green, "v3"),
        ),
        Flow::serving(
            "refused, then tried again",
            vec![
                ask(&[check("Before", Some("1"))]),
                Step::Until("it is refused", is_refused),
                edit(json!({"green": {"revision": "2"}, "checks": [check("Before", Some("0"))]})),
            ],
            |world| at_rest(world, Green) && has(world, "before", Passed),
        ),
    ]
}
