//! PURE: plan + observation → status, and the Events that its transitions deserve.
//!
//! Written only when it differs in meaning. Conditions follow kstatus: `Ready` is always there, `Reconciling`
//! and `Stalled` only while they are True and never both, each with the generation that it is about, so that
//! `kubectl wait` can't mistake an old True for a new one.

mod conditions;
mod events;
mod material;
mod news;
pub mod record;
#[cfg(test)]
mod tests;
pub mod words;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

pub use conditions::REASONS;
pub use events::{EVENTS, Note, Verb, events};
pub use material::{Material, running_image};
pub use news::{News, news};

use crate::api::{
    BlueGreenApp, BlueGreenAppStatus, Color, ColorStatus, HistoryEntry, PerColor, Phase, SwitchStatus,
};
pub use crate::api::{READY, RECONCILING, STALLED, STANDBY_READY};
use crate::apply::Refusal;
use crate::desired::names;
use crate::observe;
use crate::plan::{Live, Observed, Plan, Stage};
use record::{Record, Refused, record};

/// How many switches the history keeps.
const HISTORY: usize = 10;

/// Problems that the planner does not know of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The write that the API server refused last.
    pub refused: Option<Refusal>,
    /// Why each color's pods are not ready, in words; empty when nothing is known.
    pub pods: PerColor<Option<String>>,
}

impl Problems {
    /// What the refused write was about.
    fn as_refused(&self) -> Refused {
        match &self.refused {
            None => Refused::Nothing,
            Some(Refusal { color: Some(color), .. }) => Refused::Color(*color),
            Some(Refusal { color: None, .. }) => Refused::Service,
        }
    }
}

/// What the status is made of.
pub struct Report<'a> {
    /// The app as it is now, with the status that is there.
    pub app: &'a BlueGreenApp,
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
            reconciling: status.condition(RECONCILING).is_some(),
            served: PerColor::from_fn(|color| status.color(color).and_then(|color| color.served_revision)),
        }
    }
}

/// The status that follows from a report: its [`record`], with words and times.
pub fn status(report: &Report) -> BlueGreenAppStatus {
    let Report { app, plan, seen, material, problems, now } = report;
    let old = app.status.clone().unwrap_or_default();
    let generation = app.metadata.generation.unwrap_or(0);
    let intent = observe::intent(app);
    let record = record(&Record::from(&old), &intent, seen, plan, problems.as_refused());
    let color = |color: Color| {
        color_status(app, seen, plan, material.images.get(color).clone(), *record.served.get(color), color)
    };
    let (blue, green) = (color(Color::Blue), color(Color::Green));
    let switch = record.switch.map(|(from, to)| {
        let kept = old.switch.as_ref().filter(|switch| (switch.from, switch.to) == (from, to));
        kept.cloned().unwrap_or(SwitchStatus { from, to, started_at: Time(*now) })
    });
    let live = record.active.and_then(|color| match color {
        Color::Blue => blue.as_ref(),
        Color::Green => green.as_ref(),
    });
    let replicas = live.map_or(0, |color| color.replicas);
    let history = history(report, &old, record.active, live, generation);
    let selector = record.active.map_or_else(String::new, |color| {
        format!("{}={},{}={color}", names::APP, app.name_any(), names::COLOR)
    });
    let conditions = conditions::conditions(report, &intent, &old, generation);
    let is_stalled = conditions.iter().any(|condition| condition.type_ == STALLED);
    BlueGreenAppStatus {
        observed_generation: generation,
        active: record.active,
        blue,
        green,
        selector,
        replicas,
        phase: Some(phase(plan.stage, is_stalled)),
        switch,
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
    image: Option<String>,
    served_revision: Option<i64>,
    color: Color,
) -> Option<ColorStatus> {
    let facts = seen.colors.get(color);
    let held = (plan.held == Some(color)).then(|| app.spec.image_of(color)).flatten();
    let Some(deployment) = facts.deployment.ours() else {
        // What served last is remembered even without pods, or a lost Service would forget it.
        return served_revision.filter(|_| app.spec.color(color).is_some()).map(|number| ColorStatus {
            served_revision: Some(number),
            held,
            ..ColorStatus::default()
        });
    };
    Some(ColorStatus {
        image: image.unwrap_or_default(),
        revision: deployment.revision,
        served_revision,
        replicas: deployment.total,
        ready_replicas: deployment.ready,
        endpoints: facts.endpoints,
        held,
    })
}

fn history(
    report: &Report,
    old: &BlueGreenAppStatus,
    active: Option<Color>,
    live: Option<&ColorStatus>,
    generation: i64,
) -> Vec<HistoryEntry> {
    let mut history = old.history.clone();
    let Live::Selected(to) = report.plan.live else { return history };
    if old.active == active {
        return history;
    }
    let started_at =
        old.switch.as_ref().filter(|s| s.to == to).map_or(Time(report.now), |s| s.started_at.clone());
    let entry = HistoryEntry {
        from: old.active,
        to,
        image: live.map(|color| color.image.clone()).unwrap_or_default(),
        revision: live.map_or(0, |color| color.revision),
        started_at,
        finished_at: Time(report.now),
        generation,
    };
    history.insert(0, entry);
    history.truncate(HISTORY);
    history
}

fn phase(stage: Stage, is_stalled: bool) -> Phase {
    if is_stalled && stage != Stage::Paused {
        return Phase::Stalled;
    }
    match stage {
        Stage::Yielding | Stage::Invalid => Phase::Stalled,
        Stage::Paused | Stage::Pausing => Phase::Paused,
        Stage::Preparing { .. } | Stage::Unready { .. } => Phase::Preparing,
        Stage::Switching { .. } => Phase::Switching,
        Stage::Draining { .. } => Phase::Draining,
        Stage::Serving => Phase::Stable,
    }
}
