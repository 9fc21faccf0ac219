//! Is the phase diagram of `docs/concepts.md` what the code does? Every step from one phase to another that a row
//! shows must be an arrow there, and every arrow must be shown by a row.

use std::collections::BTreeSet;

use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, Color};
use bluegreen_core::plan::CheckFacts;
use bluegreen_core::status::{Material, Problems, Report, status};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fixtures::World;
use crate::table::{Row, rows};

#[path = "../e2e/harness/diagram.rs"]
mod written;

use written::{Arrow, START};

/// The app that such an intent comes from.
fn app(world: &World) -> BlueGreenApp {
    let block = |color: Color| match world.intent.wanted.get(color) {
        true => json!({"tag": "v1"}),
        false => Value::Null,
    };
    let recorded = &world.seen.recorded;
    let check = |(number, check): (usize, &CheckFacts)| json!({"name": number.to_string(), "when": check.when, "http": {}});
    let checks: Vec<Value> = world.seen.checks.all.iter().enumerate().map(check).collect();
    serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1",
        "kind": "BlueGreenApp",
        "metadata": {"name": "hello", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {
            "active": world.intent.active,
            "image": "team/hello",
            "blue": block(Color::Blue),
            "green": block(Color::Green),
            "port": 8888,
            "replicas": world.intent.replicas,
            "paused": world.intent.paused,
            "activeUpdatePolicy": world.intent.policy,
            "drainSeconds": world.intent.drain.as_secs(),
            "progressDeadlineSeconds": world.intent.deadline.as_secs(),
            "checks": checks,
        },
        "status": {
            "observedGeneration": 1,
            "active": recorded.active,
            "switch": recorded.switching.then(|| json!({
                "from": world.intent.active.other(), "to": world.intent.active, "startedAt": Timestamp::UNIX_EPOCH,
            })),
        },
    }))
    .unwrap()
}

/// What is reported about it, by the code that writes it.
fn reported(world: &World) -> BlueGreenAppStatus {
    let app = app(world);
    status(&Report {
        app: &app,
        intent: &bluegreen_core::observe::intent(&app),
        plan: &world.plan(),
        seen: &world.seen,
        material: Material::default(),
        problems: &Problems::default(),
        now: Timestamp::UNIX_EPOCH,
    })
}

fn phase(world: &World) -> String {
    format!("{:?}", reported(world).phase.unwrap())
}

/// The phase after an event that is undone before anything was done about it but to report it.
fn undone(row: &Row) -> String {
    let status = reported(&row.after());
    let undone = row.phase.world.clone().unreported().with(|world| {
        (world.seen.recorded.active, world.seen.recorded.switching) =
            (status.active, status.switch.is_some());
    });
    phase(&undone)
}

/// The steps of all rows, each with a row that shows it.
fn shown() -> Vec<(Arrow, String)> {
    let mut all = Vec::new();
    for row in rows() {
        // Of a new app nothing is reported yet.
        let before = if row.phase.name == "new" { START.to_owned() } else { phase(&row.phase.world) };
        let after = phase(&row.after());
        if row.actions == "-" && before != START {
            all.push(((after.clone(), undone(&row)), format!("{}, undone", row.name())));
        }
        all.push(((before, after), row.name()));
    }
    all.retain(|((before, after), _)| before != after);
    all
}

#[test]
fn is_every_step_between_phases_in_the_diagram_and_every_arrow_a_step() {
    let (shown, arrows) = (shown(), written::arrows());
    let steps: BTreeSet<&Arrow> = shown.iter().map(|(arrow, _)| arrow).collect();
    let mut wrong: Vec<String> = Vec::new();
    for step in steps.iter().filter(|step| !arrows.contains(**step)) {
        let row = shown.iter().find(|(arrow, _)| arrow == *step).map(|(_, row)| row.as_str());
        wrong.push(format!("no arrow {} --> {}, which {} shows", step.0, step.1, row.unwrap_or_default()));
    }
    for arrow in arrows.iter().filter(|arrow| !steps.contains(arrow)) {
        wrong.push(format!("no row shows {} --> {}", arrow.0, arrow.1));
    }
    println!("{} steps between phases, {} arrows", steps.len(), arrows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
