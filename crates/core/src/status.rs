//! PURE: plan + observation → status, and the Events that its transitions deserve.
//!
//! Written only when it differs in meaning. Conditions follow kstatus: `Ready` is always there, `Reconciling`
//! and `Stalled` only while they are True and never both, each with the generation that it is about, so that
//! `kubectl wait` can't mistake an old True for a new one.

mod checks;
mod conditions;
mod conflicts;
mod events;
mod live;
#[cfg(test)]
mod live_tests;
mod material;
mod news;
mod reasons;
pub mod record;
mod reverted;
mod switch;
#[cfg(test)]
mod tests;
pub mod words;

use jiff::Timestamp;
use kube::ResourceExt;

pub use events::{EVENTS, Note, Verb, events};
pub use material::{Material, running_image};
pub use news::{News, news};
pub use reasons::REASONS;
pub use reverted::{Reverted, mutated as pods_mutated, once as edit_reverted};

use crate::apply::{Failure, FailureKind};
use crate::desired::names;
use crate::plan::{Intent, Observed, Plan, Stage};
use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, Color, ColorStatus, PerColor, Phase};
pub use bluegreen_api::{READY, RECONCILING, STALLED, STANDBY_READY};
use record::{Failed, Record, record_of, standing};

/// Problems that the planner does not know of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The write that does not succeed.
    pub failure: Option<Failure>,
    /// What somebody reverts each time the operator writes it.
    pub reverted: Vec<Reverted>,
    /// Why each color's pods are not ready, in words; empty when nothing is known.
    pub pods: PerColor<Option<String>>,
}

impl Problems {
    /// The writes that fail, or that somebody reverts each time; what the app waits for comes before what only concerns its
    /// idle color. `aim`: the color that should be live.
    fn failures(&self, app: &BlueGreenApp, aim: Color) -> Vec<Failure> {
        let reverted = self.reverted.iter().map(|it| Failure {
            color: it.color,
            check: None,
            leftover: false,
            kind: FailureKind::Reverted,
            words: reverted::words(&app.name_any(), it),
        });
        let mut all: Vec<Failure> = self.failure.iter().cloned().chain(reverted).collect();
        // What nothing waits for hides nothing else.
        all.sort_by_key(|failure| (failure.leftover, failure.color == Some(aim.other())));
        all
    }

    /// The gravest of them.
    fn failure(&self, app: &BlueGreenApp, aim: Color) -> Option<Failure> {
        self.failures(app, aim).into_iter().next()
    }

    /// What it is about, without its words.
    fn as_failed(&self, app: &BlueGreenApp, aim: Color) -> Option<Failed> {
        self.failure(app, aim).as_ref().map(Failed::from)
    }
}

/// What the status is made of.
pub struct Report<'a> {
    /// The app as it is now, with the status that is there.
    pub app: &'a BlueGreenApp,
    /// What its spec asks for, with the aim in place of `spec.active`.
    pub intent: &'a Intent,
    /// The decision, made for this very generation.
    pub plan: &'a Plan,
    /// What it rests on.
    pub seen: &'a Observed,
    /// What the objects show beyond that.
    pub material: Material,
    /// What went wrong.
    pub problems: &'a Problems,
    /// The time of transitions.
    pub now: Timestamp,
}

/// The part of a status that later decisions read back.
impl From<&BlueGreenAppStatus> for Record {
    fn from(status: &BlueGreenAppStatus) -> Self {
        Self {
            active: status.active,
            switch: status.switch.as_ref().map(|switch| (switch.from, switch.to)),
            settled: status.is_settled(),
            served: PerColor::from_fn(|color| status.color(color).and_then(|color| color.served_revision)),
            healthy: status.desired_healthy,
        }
    }
}

/// The status that follows from a report: its [`record`](record::record), with words and times.
pub fn status(report: &Report) -> BlueGreenAppStatus {
    let Report { app, intent, plan, seen, material, problems, now: _ } = report;
    let old = app.status.clone().unwrap_or_default();
    let generation = app.metadata.generation.unwrap_or(0);
    let before = Record::from(&old);
    let standing = standing(&before, intent, seen, plan, problems.as_failed(app, intent.active));
    let record = record_of(&before, intent, seen, plan, standing);
    let told = checks::told(report, &old, record.switch);
    let color = |color: Color| {
        let numbers = (*record.served.get(color), *told.unproven.get(color));
        color_status(app, seen, plan, material, numbers, color)
    };
    let (blue, green) = (color(Color::Blue), color(Color::Green));
    let switch = record.switch.map(|switch| switch::switch(report, &old, switch));
    let live = record.active.and_then(|color| match color {
        Color::Blue => blue.as_ref(),
        Color::Green => green.as_ref(),
    });
    let replicas = live.map_or(0, |color| color.replicas);
    let history = switch::history(report, &old, record.active, live, switch.as_ref());
    let selector = record.active.map_or_else(String::new, |color| {
        format!("{}={},{}={color}", names::APP, app.name_any(), names::COLOR)
    });
    let conditions = conditions::conditions(report, &old, &before, standing);
    let is_stalled = conditions.iter().any(|condition| condition.type_ == STALLED);
    BlueGreenAppStatus {
        observed_generation: generation,
        active: record.active,
        blue,
        green,
        selector,
        replicas,
        desired_healthy: record.healthy,
        phase: Some(phase(plan.stage, is_stalled, switch.as_ref().map(|switch| switch.to), app.spec.active)),
        switch,
        checks: told.checks,
        rejected: told.rejected,
        // A lost Service asks for its addresses again.
        service: material.service.clone().or(old.service),
        history,
        conditions,
    }
}

fn color_status(
    app: &BlueGreenApp,
    seen: &Observed,
    plan: &Plan,
    material: &Material,
    (served_revision, unproven_revision): (Option<i64>, Option<i64>),
    color: Color,
) -> Option<ColorStatus> {
    let facts = seen.colors.get(color);
    let held = (plan.held == Some(color)).then(|| app.spec.image_of(color)).flatten();
    let Some(deployment) = facts.deployment.ours() else {
        // What served last is remembered even without pods, or a lost Service would forget it.
        return served_revision.filter(|_| app.spec.color(color).is_some()).map(|number| ColorStatus {
            served_revision: Some(number),
            unproven_revision,
            held,
            ..ColorStatus::default()
        });
    };
    Some(ColorStatus {
        image: material.images.get(color).clone().unwrap_or_default(),
        revision: deployment.revision,
        served_revision,
        unproven_revision,
        replicas: deployment.total,
        ready_replicas: deployment.ready,
        endpoints: facts.endpoints,
        held,
        restarted_at: material.restarted.get(color).clone(),
    })
}

/// `switch`: where the switch that goes on leads.
fn phase(stage: Stage, is_stalled: bool, switch: Option<Color>, active: Color) -> Phase {
    // A check has failed, which stalls the app, and traffic goes back to the color before.
    if switch == Some(active.other()) && matches!(stage, Stage::Switching { .. }) {
        return Phase::Switching;
    }
    if is_stalled && stage != Stage::Paused {
        return Phase::Stalled;
    }
    match stage {
        Stage::Yielding | Stage::Invalid => Phase::Stalled,
        Stage::Paused | Stage::Pausing => Phase::Paused,
        Stage::Preparing { .. } | Stage::Unready { .. } => Phase::Preparing,
        Stage::Checking { .. } | Stage::Watching { .. } => Phase::Checking,
        Stage::Switching { .. } => Phase::Switching,
        Stage::Draining { .. } => Phase::Draining,
        // One that was canceled, and may still take effect.
        Stage::Serving if switch.is_some() => Phase::Switching,
        Stage::Serving => Phase::Stable,
    }
}
