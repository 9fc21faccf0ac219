//! Flows: what people do to an app, as data. Each ends in one state, whatever befalls the operator on the way.

#[path = "flow/checks.rs"]
mod checks;

use std::time::Duration;

use bluegreen_api::Color::{self, Blue, Green};
use bluegreen_api::Phase;
use serde_json::{Value, json};

use crate::e2e::harness::{App, Kind, World, app, pods};

/// The app of every flow.
pub const APP: &str = "hello";

type Holds = fn(&World) -> bool;

/// One thing that a person does, or waits for.
#[derive(Clone)]
pub enum Step {
    /// Creates the app.
    Apply(App),
    /// Changes its spec by a merge patch.
    Edit(Value),
    /// Edits a child by hand.
    Patch(Kind, &'static str, Value),
    /// Deletes a child.
    Delete(Kind, &'static str),
    /// Makes a color's pods unready, or ready again.
    Pods(Color, &'static str),
    /// Waits.
    Until(&'static str, Holds),
    /// Nothing that serves, or is to serve, is changed for so long.
    Still(Duration),
    /// SIGSTOP: from here on the operator sees nothing.
    Freeze,
    /// SIGCONT.
    Thaw,
}

/// What is done, and what must come of it.
#[derive(Clone)]
pub struct Flow {
    pub name: &'static str,
    /// Before: no fault strikes yet.
    pub before: Vec<Step>,
    /// Faults strike at each write from the first of these steps on.
    pub edit: Vec<Step>,
    pub done: Holds,
    /// Facts about the end that may differ from run to run even without a fault, since they tell of the way there.
    pub varies: &'static [&'static str],
}

impl Flow {
    /// Blue serves and green is warm, then this is done.
    fn serving(name: &'static str, edit: Vec<Step>, done: Holds) -> Self {
        Self::of(name, app(APP), edit, done)
    }

    /// This app serves and its other color waits, then this is done.
    fn of(name: &'static str, app: App, edit: Vec<Step>, done: Holds) -> Self {
        let before = vec![Step::Apply(app), Step::Until("blue serves", |world| at_rest(world, Blue))];
        Self { name, before, edit, done, varies: &[] }
    }

    /// What was done on the way is a matter of timing.
    fn varies(self, varies: &'static [&'static str]) -> Self {
        Self { varies, ..self }
    }
}

/// The color serves, the other one waits or sleeps, nothing is left to do.
pub fn at_rest(world: &World, color: Color) -> bool {
    let standby = |status, reason| world.condition(APP, "StandbyReady", status, reason);
    let waits = match world.size(APP, color.other()) {
        None => standby("False", "Absent"),
        Some(0) => standby("False", "ScaledDown"),
        Some(_) => standby("True", "Warm") || standby("True", "Reduced"),
    };
    world.serves(APP, color) && waits && Color::ALL.into_iter().all(|color| rests(world, color))
}

fn rests(world: &World, color: Color) -> bool {
    let pods = match world.size(APP, color) {
        // Counts of nothing are left out; of a Deployment that is gone, the pods go when Kubernetes has the time.
        None | Some(0) => world.pods(APP, color).is_empty(),
        Some(_) => world.rolled_out(APP, color),
    };
    // What nothing needs is deleted last, when all else may be done already.
    pods && revisions(world, color) <= 1
}

fn runs(world: &World, color: Color, tag: &str) -> bool {
    world.image(APP, color).as_deref() == Some(&*format!("team/hello:{tag}"))
}

/// How many revisions of a color are stored.
fn revisions(world: &World, color: Color) -> usize {
    let of_color = format!("{APP}-{color}-");
    world.all(Kind::Revision).filter(|(name, _)| name.starts_with(&of_color)).count()
}

fn switching(world: &World) -> bool {
    world.status(APP).is_some_and(|status| status.switch.is_some())
}

fn paused(world: &World) -> bool {
    world.status(APP).is_some_and(|status| {
        status.phase == Some(Phase::Paused)
            && status.condition("Ready").is_some_and(|ready| ready.reason == "Paused")
    })
}

fn green_is_ready(world: &World) -> bool {
    world.rolled_out(APP, Green) && world.endpoints("hello-green").iter().filter(|e| e.ready).count() == 2
}

fn edit(spec: Value) -> Step {
    Step::Edit(spec)
}

fn activate(color: Color) -> Step {
    Step::Edit(json!({ "active": color }))
}

/// Pods that never become ready, from the next rendering on.
fn never() -> Value {
    pods(json!({"ready": "never"}))["template"].clone()
}

/// Takes [`never`] back.
fn healthy() -> Value {
    pods(json!({"ready": null}))["template"].clone()
}

/// Which way was taken, and what served on it, when an edit and its contrary follow upon each other.
const THE_WAY: &[&str] = &[
    "history",
    "selections",
    "annotation served-blue",
    "annotation served-green",
    "green revision",
    "blue pods made",
    "green pods made",
    "Revisions made",
    "children",
];

/// All of them.
pub fn all() -> Vec<Flow> {
    let mut flows = switches();
    flows.extend(changes_of_mind());
    flows.extend(upkeep());
    flows.extend(healing());
    flows.extend(unobserved());
    flows.extend(checks::all());
    flows
}

fn switches() -> Vec<Flow> {
    let asleep = app(APP).with(json!({"standby": {"replicas": 0}}));
    let to_green = [activate(Green), Step::Until("green serves", |world| at_rest(world, Green))];
    let mut back = Flow::of("rollback to a color at 0", asleep, vec![activate(Blue)], |world| {
        at_rest(world, Blue) && world.size(APP, Green) == Some(0)
    });
    back.before.extend(to_green);
    let recorded =
        Step::Until("green serves, blue drains", |world| world.ready(APP) && world.selects(APP) == "green");
    vec![
        Flow {
            before: Vec::new(),
            ..Flow::serving("first activation", vec![Step::Apply(app(APP))], |world| at_rest(world, Blue))
        },
        Flow::serving("warm switch", vec![activate(Green)], |world| at_rest(world, Green)),
        Flow::serving(
            "new tag and active",
            vec![edit(json!({"active": "green", "green": {"tag": "v3"}}))],
            |world| at_rest(world, Green) && runs(world, Green, "v3"),
        ),
        Flow::of(
            "rollback during the drain",
            app(APP).drain(3),
            vec![activate(Green), recorded, activate(Blue)],
            |world| at_rest(world, Blue),
        ),
        back,
    ]
}

fn changes_of_mind() -> Vec<Flow> {
    let rolls = || edit(json!({"active": "green", "green": {"tag": "v3"}, "template": never()}));
    let under_way = || Step::Until("the switch is under way", switching);
    vec![
        Flow::serving(
            "cancel while the target rolls",
            vec![
                rolls(),
                under_way(),
                activate(Blue),
                Step::Until("that was canceled", |world| world.ready(APP) && !switching(world)),
                edit(json!({ "template": healthy() })),
            ],
            |world| at_rest(world, Blue) && runs(world, Green, "v3"),
        )
        .varies(&[
            "green revision",
            "green pods made",
            "Revisions made",
            "Revisions deleted",
            "children",
        ]),
        Flow::serving(
            "cancel at once, with a new tag",
            vec![activate(Green), edit(json!({"active": "blue", "green": {"tag": "v3"}}))],
            |world| at_rest(world, Blue) && runs(world, Green, "v3"),
        )
        .varies(THE_WAY),
        Flow::serving(
            "pause while the target rolls",
            vec![
                rolls(),
                under_way(),
                edit(json!({"paused": true})),
                Step::Until("it is paused", |world| {
                    world.status(APP).is_some_and(|status| status.phase == Some(Phase::Paused))
                        && world.stalled(APP, "Paused")
                }),
                Step::Still(Duration::from_secs(1)),
                edit(json!({"paused": false, "template": healthy()})),
            ],
            |world| at_rest(world, Green) && runs(world, Green, "v3"),
        )
        .varies(&[
            "green revision",
            "green pods made",
            // A switch is reported before its revision is stored, if that is not answered.
            "Revisions made",
            "Revisions deleted",
            "children",
            "annotation served-green",
        ]),
        Flow::serving(
            "pause at once",
            vec![
                activate(Green),
                edit(json!({"paused": true})),
                Step::Until("it is paused", |world| paused(world) || world.stalled(APP, "Paused")),
                // Longer than a write may be under way here.
                Step::Still(Duration::from_secs(3)),
                edit(json!({"paused": false})),
            ],
            |world| at_rest(world, Green),
        ),
    ]
}

fn upkeep() -> Vec<Flow> {
    let sleepy = app(APP).with(json!({"standby": {"scaleDownAfterSeconds": 2}}));
    let rolling = app(APP).with(json!({"activeUpdatePolicy": "RollingUpdate"}));
    vec![
        Flow::serving("removal of the idle block", vec![edit(json!({"green": null}))], |world| {
            at_rest(world, Blue)
                && world.deployment(APP, Green).is_none()
                && !world.children(APP).iter().any(|child| child.contains("green"))
        }),
        Flow::of("standby wakes and sleeps", sleepy, vec![edit(json!({"green": {"tag": "v3"}}))], |world| {
            at_rest(world, Blue) && runs(world, Green, "v3") && world.size(APP, Green) == Some(0)
        })
        // Its timer runs from the edit: on a busy machine it may be over before there is a pod.
        .varies(&["green pods made"]),
        Flow::of("live color rolls in place", rolling, vec![edit(json!({"blue": {"tag": "v3"}}))], |world| {
            at_rest(world, Blue) && runs(world, Blue, "v3")
        }),
        Flow::serving("more replicas", vec![edit(json!({"replicas": 3}))], |world| {
            at_rest(world, Blue) && Color::ALL.iter().all(|&color| world.size(APP, color) == Some(3))
        }),
    ]
}

fn healing() -> Vec<Flow> {
    let selector = json!({"spec": {"selector": {"bluegreen.dev/color": "green"}}});
    let whole = |world: &World| at_rest(world, Blue) && world.children(APP).len() == 7;
    vec![
        Flow::serving("selector edited", vec![Step::Patch(Kind::Service, APP, selector)], whole),
        Flow::serving("Service deleted", vec![Step::Delete(Kind::Service, APP)], whole),
        Flow::serving("live Deployment deleted", vec![Step::Delete(Kind::Deployment, "hello-blue")], whole)
            // Whether the pods of the deleted one are gone before those of the new one come is not up to us.
            .varies(&["blue pods made"]),
        Flow::serving("idle Deployment deleted", vec![Step::Delete(Kind::Deployment, "hello-green")], whole)
            .varies(&["green pods made"]),
    ]
}

/// There and back while nobody looks.
fn unobserved() -> Vec<Flow> {
    let unseen = |name, steps: Vec<Step>, done: Holds| {
        let steps = [Step::Freeze].into_iter().chain(steps).chain([Step::Thaw]).collect();
        Flow::serving(name, steps, done)
    };
    vec![
        unseen("active there and back unseen", vec![activate(Green), activate(Blue)], |world| {
            at_rest(world, Blue)
        }),
        unseen(
            "active there, back and there unseen",
            vec![activate(Green), activate(Blue), activate(Green)],
            |w| at_rest(w, Green),
        ),
        unseen(
            "tag there and back unseen",
            vec![edit(json!({"green": {"tag": "v3"}})), edit(json!({"green": {"tag": "v2"}}))],
            |world| at_rest(world, Blue) && runs(world, Green, "v2"),
        ),
        unseen(
            "target unready and back unseen",
            vec![
                Step::Pods(Green, "never"),
                Step::Until("green is unready", |world| !green_is_ready(world)),
                activate(Green),
                Step::Pods(Green, "true"),
                Step::Until("green is ready", green_is_ready),
            ],
            |world| at_rest(world, Green),
        ),
        Flow::serving(
            "target unready unseen, ready later",
            vec![
                Step::Freeze,
                activate(Green),
                Step::Pods(Green, "never"),
                Step::Until("green is unready", |world| !green_is_ready(world)),
                Step::Thaw,
                Step::Until("it waits", |world| world.condition(APP, "Ready", "False", "WaitingForTarget")),
                Step::Pods(Green, "true"),
            ],
            |world| at_rest(world, Green),
        ),
    ]
}
