//! What the operator would do with an edit, from its own planner on a simulated cluster.
//!
//! `observe`, `plan`, `apply::requests` and `status` are the operator's, unchanged. Simulated is the rest: objects take what
//! is applied to them, pods become ready, endpoints follow, time passes. The result is what happens when nothing fails, in
//! which order, and what each step waits for.

mod merge;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod words;
mod world;

use bluegreen_api::{BlueGreenApp, Color, PerColor};
use bluegreen_client::read;
use bluegreen_core::observe::Snapshot;
use bluegreen_core::status::words::waits;
use bluegreen_core::status::{READY, STALLED};
use bluegreen_core::validate;
use jiff::Timestamp;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cluster::{Cluster, within};
use crate::line::{Line, Tone, wrap};
use world::{Next, World};

/// More rounds than any edit takes; a plan that does not end would be a mistake of the planner.
const ROUNDS: usize = 200;

/// Where a plan starts.
pub enum Start {
    /// From these objects, as they were read.
    Seen(Box<Snapshot>),
    /// From this app, with everything that it asks for running.
    Settled(Box<BlueGreenApp>),
    /// From nothing.
    Nothing,
}

impl Start {
    /// Starts from this app, with everything that it asks for running.
    #[must_use]
    pub fn settled(app: BlueGreenApp) -> Self {
        Self::Settled(Box::new(app))
    }

    /// Starts from nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::Nothing
    }
}

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The operator writes something.
    Operator,
    /// The operator waits for something.
    Gate,
    /// Kubernetes' own controllers, or the pods, do something.
    Cluster,
    /// Time passes.
    Clock,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// Who does it.
    pub who: Who,
    /// What happens.
    pub what: String,
}

/// What would happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Foreseen {
    /// The app.
    pub name: String,
    /// What is live before.
    pub before: String,
    /// The steps.
    pub steps: Vec<Step>,
    /// What is live at the end.
    pub after: String,
    /// The condition at the end.
    pub end: String,
    /// It ends as the spec asks for.
    pub good: bool,
    /// The rules that the spec breaks: the API server would refuse it.
    pub problems: Vec<String>,
}

/// Reads the app and its objects from the cluster.
///
/// # Errors
/// When it can't be read.
pub async fn read(cluster: &Cluster, name: &str) -> anyhow::Result<Start> {
    let extras = read::Extras { owners: false, preview: true };
    let answer = within(read::live(&cluster.client, &cluster.namespace, name, extras)).await;
    let seen = answer.map_err(|error| error.in_words(name, &cluster.namespace))?;
    Ok(seen.map_or(Start::Nothing, |seen| Start::Seen(Box::new(seen))))
}

/// Simulates what would happen if `wanted` were applied.
///
/// # Errors
/// When the two manifests are for different apps.
pub fn foresee(start: Start, wanted: BlueGreenApp, now: Timestamp) -> Result<Foreseen, String> {
    let problems: Vec<String> =
        validate::problems(&wanted.name_any(), &wanted.spec).iter().map(ToString::to_string).collect();
    let name = wanted.name_any();
    let mut world = match start {
        Start::Seen(seen) => World::seen(*seen, now),
        Start::Settled(app) => {
            if app.name_any() != name {
                return Err(format!("the manifests are for different apps, {} and {name}", app.name_any()));
            }
            let mut world = World::empty(*app, now);
            play(&mut world);
            world
        }
        Start::Nothing => World::empty(wanted.clone(), now),
    };
    let before = world.live();
    let steps = if problems.is_empty() {
        world.edit(wanted.spec);
        play(&mut world)
    } else {
        Vec::new()
    };
    let status = world.status();
    let end = [STALLED, READY]
        .into_iter()
        .find_map(|type_| status.condition(type_))
        .filter(|_| problems.is_empty());
    let good = end.is_some_and(|end| end.type_ == READY && end.status == "True");
    let end = end.map(|end| format!("{}: {}", end.reason, end.message));
    Ok(Foreseen {
        name,
        before,
        steps,
        after: world.live(),
        end: end.unwrap_or_else(|| "The API server would refuse this manifest".to_owned()),
        good,
        problems,
    })
}

/// Lets the operator and the cluster act in turn until neither has anything to do.
fn play(world: &mut World) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut last_wait = None;
    let mut last = Vec::new();
    let mut passed = 0_u64;
    let say = |steps: &mut Vec<Step>, who: Who, what: String| steps.push(Step { who, what });
    for _ in 0..ROUNDS {
        let (facts, plan) = world.plan();
        if !plan.actions.is_empty() {
            if plan.actions == last {
                // They changed nothing: the operator would fail here again and again.
                break;
            }
            let aim = world.intent(&facts).active;
            for action in &plan.actions {
                say(&mut steps, Who::Operator, words::action(&world.seen, &facts, aim, action));
                world.act(&facts, action);
            }
            last = plan.actions;
            continue;
        }
        last.clear();
        if world.reports(&facts, &plan) {
            continue;
        }
        let wait = waits(&world.seen.app, &facts, &plan, &PerColor::default());
        if wait != last_wait {
            last_wait.clone_from(&wait);
            wait.into_iter().for_each(|what| say(&mut steps, Who::Gate, what));
        }
        match world.goes_on(&plan) {
            Some(Next::Happens(what)) => say(&mut steps, Who::Cluster, what),
            Some(Next::Passes(seconds)) => {
                // Parts of one drain, between which only the status is written, are one time.
                let after = steps.pop_if(|step| step.who == Who::Clock).map_or(0, |_| passed);
                passed = after.saturating_add(seconds);
                say(&mut steps, Who::Clock, format!("{passed} s pass"));
            }
            None => break,
        }
    }
    steps
}

/// The plan as text.
#[must_use]
pub fn lines(foreseen: &Foreseen, width: usize) -> Vec<Line> {
    let mut lines = vec![
        Line::new()
            .add(foreseen.name.clone(), Tone::Strong)
            .add(format!(": {}", foreseen.before), Tone::Plain),
    ];
    for problem in &foreseen.problems {
        lines.extend(entry("refused", Tone::Bad, problem, width));
    }
    if foreseen.steps.is_empty() && foreseen.problems.is_empty() {
        lines.push(Line::plain("  no steps"));
    }
    let mut number = 0;
    for step in &foreseen.steps {
        let (label, tone) = match step.who {
            Who::Operator => {
                number += 1;
                (format!("{number:>2} operator"), Tone::Strong)
            }
            Who::Gate => ("   status".to_owned(), Tone::Busy),
            Who::Cluster => ("   cluster".to_owned(), Tone::Dim),
            Who::Clock => ("   time".to_owned(), Tone::Dim),
        };
        lines.extend(entry(&label, tone, &step.what, width));
    }
    let tone = if foreseen.good { Tone::Good } else { Tone::Bad };
    lines.extend(entry("   result", tone, &format!("{}. {}", foreseen.after, foreseen.end), width));
    lines
}

fn entry(label: &str, tone: Tone, text: &str, width: usize) -> Vec<Line> {
    const LABEL: usize = 13;
    let parts = wrap(text, width.saturating_sub(LABEL).max(20));
    let first = parts.into_iter().enumerate().map(|(index, part)| {
        Line::new().cell(if index == 0 { label } else { "" }, LABEL, tone).add(part, Tone::Plain)
    });
    first.collect()
}

/// A color and the image that it runs.
fn runs(color: Color, image: Option<&str>) -> String {
    image.map_or_else(|| color.to_string(), |image| format!("{color} ({image})"))
}
