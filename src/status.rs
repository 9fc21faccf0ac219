//! PURE: plan + observation → status, and the Events that its transitions deserve.
//!
//! Written only when it differs in meaning. Conditions follow kstatus: `Ready` is always there, `Reconciling`
//! and `Stalled` only while they are True and never both, each with the generation that it is about, so that
//! `kubectl wait` can't mistake an old True for a new one.

mod conditions;
mod events;
mod live;
#[cfg(test)]
mod live_tests;
mod switch;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use kube::ResourceExt;

pub use conditions::{READY, REASONS, RECONCILING, STALLED, STANDBY_READY};
pub use events::{EVENTS, Note, events};

use crate::api::{BlueGreenApp, BlueGreenAppStatus, Color, ColorStatus, Phase, ServiceStatus};
use crate::desired::names;
use crate::memory::Refusal;
use crate::plan::{Observed, Plan, Stage};

/// What no planner can know: why the world did not follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// The API server refused a write.
    pub refused: Option<Refusal>,
    /// Objects that somebody else owns where a child should be.
    pub conflicts: Vec<String>,
    /// Objects of an earlier app of this name that are still being collected.
    pub collecting: Vec<String>,
    /// Rules of the spec that are broken.
    pub invalid: Vec<String>,
    /// Another installation's operator holds the objects.
    pub other_operator: Option<String>,
    /// Why each color's pods are not ready, in words; empty when nothing is known.
    pub pods: crate::api::PerColor<Option<String>>,
}

/// What the status is made of.
pub struct Report<'a> {
    /// The app as it is now, with the status that is there.
    pub app: &'a BlueGreenApp,
    /// The decision, made for this very generation.
    pub plan: &'a Plan,
    /// What it rests on.
    pub seen: &'a Observed,
    /// The live Service's addresses.
    pub service: Option<ServiceStatus>,
    /// The images that the Deployments run.
    pub images: crate::api::PerColor<Option<String>>,
    /// What stands in the way.
    pub trouble: &'a Trouble,
    /// The time of transitions.
    pub now: Timestamp,
}

/// The status that follows from a report.
pub fn status(report: &Report) -> BlueGreenAppStatus {
    let Report { app, plan, seen, service, images, trouble: _, now: _ } = report;
    let old = app.status.clone().unwrap_or_default();
    let generation = app.metadata.generation.unwrap_or(0);
    let active = plan.live.color().or(old.active);
    let color = |color: Color| color_status(app, seen, plan, images.get(color).clone(), &old, color);
    let (blue, green) = (color(Color::Blue), color(Color::Green));
    let switch = switch::switch(report, &old);
    let live = active.and_then(|color| match color {
        Color::Blue => blue.as_ref(),
        Color::Green => green.as_ref(),
    });
    let replicas = live.map_or(0, |color| color.replicas);
    let history = switch::history(report, &old, active, live, switch.as_ref());
    let phase = Some(phase(report));
    let selector = active.map_or_else(String::new, |color| {
        format!("{}={},{}={color}", names::APP, app.name_any(), names::COLOR)
    });
    let conditions = conditions::conditions(report, &old, generation);
    BlueGreenAppStatus {
        observed_generation: generation,
        active,
        blue,
        green,
        selector,
        replicas,
        desired_healthy: live::desired_healthy(report),
        phase,
        switch,
        // A lost Service asks for its addresses again.
        service: service.clone().or(old.service),
        history,
        conditions,
    }
}

fn color_status(
    app: &BlueGreenApp,
    seen: &Observed,
    plan: &Plan,
    image: Option<String>,
    old: &BlueGreenAppStatus,
    color: Color,
) -> Option<ColorStatus> {
    let facts = seen.colors.get(color);
    let held = (plan.held == Some(color)).then(|| app.spec.image_of(color)).flatten();
    let recorded = old.color(color).and_then(|color| color.served_revision);
    let served_revision = seen.service.ours().and_then(|s| *s.served.get(color)).or(recorded);
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

fn phase(report: &Report) -> Phase {
    if conditions::stalled(report).is_some() && !matches!(report.plan.stage, Stage::Paused) {
        return Phase::Stalled;
    }
    match report.plan.stage {
        Stage::Yielding => Phase::Stalled,
        Stage::Paused | Stage::Pausing => Phase::Paused,
        Stage::Preparing { .. } | Stage::Unready { .. } => Phase::Preparing,
        Stage::Switching { .. } => Phase::Switching,
        Stage::Draining { .. } => Phase::Draining,
        Stage::Serving => Phase::Stable,
    }
}
