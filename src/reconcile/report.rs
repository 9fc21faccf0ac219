//! The end of a pass: where the app stands, written only when it differs in meaning.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{Context, Decision, Error, RESYNC};
use crate::api::{BlueGreenAppStatus, Color, PerColor};
use crate::apply::Outcome;
use crate::explain::explain;
use crate::memory::{Late, Memory};
use crate::observe::{self, read};
use crate::plan::{Missing, Stage};
use crate::status::{self, Report};

/// A status that only counts pods is written at most this often.
const PROGRESS: Duration = Duration::from_secs(1);

/// How soon a write that was refused is tried again, at the latest.
const REFUSED: Duration = Duration::from_secs(10);

/// How often somebody else's object in the place of a child is looked at.
const FOREIGN: Duration = Duration::from_secs(10);

/// How soon the owners of the pods are looked at again: no watch tells of them.
const PROOF: Duration = Duration::from_millis(500);

/// How a new status differs from the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    /// Only numbers and words of work in progress.
    Progress,
    /// It claims something: that must rest on a live look.
    Claim,
}

pub(super) fn news(decision: &Decision, new: &BlueGreenAppStatus) -> News {
    let Some(old) = &decision.seen.app.status else { return News::Claim };
    if old == new {
        return News::None;
    }
    let claims = |status: &BlueGreenAppStatus| {
        let conditions: Vec<_> =
            status.conditions.iter().map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone())).collect();
        let revisions =
            [&status.blue, &status.green].map(|c| c.as_ref().map(|c| (c.revision, c.served_revision)));
        (
            status.observed_generation,
            status.active,
            status.phase,
            status.switch.clone(),
            conditions,
            revisions,
        )
    };
    if claims(old) == claims(new) { News::Progress } else { News::Claim }
}

pub(super) fn report(decision: &Decision) -> BlueGreenAppStatus {
    let images = PerColor::from_fn(|color| {
        decision
            .seen
            .deployments
            .get(color)
            .as_ref()
            .and_then(|deployment| observe::running_image(deployment))
    });
    status::status(&Report {
        app: &decision.seen.app,
        plan: &decision.plan,
        seen: &decision.facts,
        service: observe::addresses(&decision.seen, &decision.facts),
        images,
        trouble: &decision.trouble,
        now: Timestamp::now(),
    })
}

/// What became of a report.
pub(super) enum Reported {
    /// There is nothing (more) to say; look again after this long.
    Done(Duration),
    /// The app changed since it was read: look again now.
    Stale,
}

/// Reports where the app stands after the last step.
pub(super) async fn finish(
    decision: &mut Decision,
    context: &Context,
    memory: &mut Memory,
) -> Result<Reported, Error> {
    explain_pods(decision, context, memory).await;
    let new = report(decision);
    if news(decision, &new) == News::None {
        memory.failures = 0;
        return Ok(Reported::Done(wait(decision, memory)));
    }
    write_status(decision, new, context, memory).await
}

/// As [`finish`], for a look at the stores whose news are only numbers: bounded in rate.
pub(super) async fn progress(
    decision: &mut Decision,
    context: &Context,
    memory: &mut Memory,
) -> Result<Duration, Error> {
    let since = memory.progress.map_or(PROGRESS, |last| last.elapsed());
    if since < PROGRESS {
        return Ok(PROGRESS - since);
    }
    memory.progress = Some(Instant::now());
    explain_pods(decision, context, memory).await;
    let new = report(decision);
    if news(decision, &new) == News::None {
        return Ok(wait(decision, memory).max(PROGRESS));
    }
    match write_status(decision, new, context, memory).await? {
        Reported::Done(wait) => Ok(wait),
        // The event that tells of the change is on its way.
        Reported::Stale => Ok(PROGRESS),
    }
}

/// Writes the status; once it is written, the decision's app carries it.
async fn write_status(
    decision: &mut Decision,
    new: BlueGreenAppStatus,
    context: &Context,
    memory: &mut Memory,
) -> Result<Reported, Error> {
    let old = decision.seen.app.status.clone().unwrap_or_default();
    let mut app = decision.seen.app.as_ref().clone();
    app.status = Some(new.clone());
    let (outcome, version) = context.writer.status(&app).await;
    let wait = match outcome {
        Outcome::Done => {
            memory.failures = 0;
            let versions = decision.seen.versions().with_app(version.as_deref());
            memory.latest = Some((versions, Instant::now()));
            for note in status::events(&old, &new) {
                tracing::info!(reason = note.reason, note = note.note, "transition");
                context.events.publish(&app, note);
            }
            record_switch(context, &old, &new);
            app.metadata.resource_version = version;
            decision.seen.app = Arc::new(app);
            wait(decision, memory)
        }
        Outcome::Stale => return Ok(Reported::Stale),
        Outcome::Gone => RESYNC,
        Outcome::Refused(words) | Outcome::Unknown(words) => {
            tracing::warn!(words, "the status was not written");
            memory.back_off()
        }
        Outcome::Later(wait) => wait,
        Outcome::NotLeading => return Err(Error::NotLeading),
    };
    Ok(Reported::Done(wait))
}

/// Asks the pods of a color that is late why, now and then.
async fn explain_pods(decision: &mut Decision, context: &Context, memory: &mut Memory) {
    for color in Color::ALL {
        let deployment = decision.facts.colors.get(color).deployment.ours();
        let is_late =
            deployment.is_some_and(|d| d.available.min(d.updated) < d.replicas || d.deadline_exceeded);
        let slot = memory.late.get_mut(color);
        if !is_late {
            *slot = None;
            continue;
        }
        let late = slot.get_or_insert_with(|| Late::begin(Instant::now()));
        let passed_deadline = late.words.is_none() && deployment.is_some_and(|d| d.deadline_exceeded);
        if (passed_deadline || late.ask_in(Instant::now()).is_zero())
            && let Some(pods) = read_pods(decision, context, color).await
        {
            let words = explain(decision.seen.deployments.get(color).as_deref(), &pods);
            late.words = Some((words, Instant::now()));
        }
        *decision.trouble.pods.get_mut(color) = late.why();
    }
}

async fn read_pods(decision: &Decision, context: &Context, color: Color) -> Option<Vec<Pod>> {
    let app = &decision.seen.app;
    let (namespace, name) = (app.namespace().unwrap_or_default(), app.name_any());
    let read = read::pods(&context.client, &namespace, &name, color);
    match tokio::time::timeout(context.read_deadline, read).await {
        Ok(Ok(pods)) => return Some(pods),
        Ok(Err(error)) => tracing::debug!(%error, "can't read the pods to explain them"),
        Err(_) => tracing::debug!("reading the pods took too long"),
    }
    None
}

/// When to look again without an event.
pub(super) fn wait(decision: &Decision, memory: &Memory) -> Duration {
    let now = Instant::now();
    let words =
        [&memory.late.blue, &memory.late.green].into_iter().flatten().map(|late| late.ask_in(now)).min();
    let refused = memory.refused.as_ref().map(|_| REFUSED);
    // Nobody tells when it goes: what is somebody else's does not carry our label, and is not watched.
    let foreign = decision.trouble.conflicts.first().map(|_| FOREIGN);
    let proof = match decision.plan.stage {
        Stage::Preparing { missing: Missing::ReplicaSet | Missing::Endpoints { .. }, .. } => Some(PROOF),
        _ => None,
    };
    [decision.plan.wake, words, refused, foreign, proof, Some(RESYNC)]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(RESYNC)
}

fn record_switch(context: &Context, old: &BlueGreenAppStatus, new: &BlueGreenAppStatus) {
    use crate::metrics::SwitchResult;
    let name = |color: Option<Color>| color.map_or("none", Color::as_str);
    let took = |switch: &crate::api::SwitchStatus| {
        Duration::try_from(Timestamp::now().duration_since(switch.started_at.0)).unwrap_or_default()
    };
    if let Some(to) = new.active
        && old.active != Some(to)
    {
        let took = old.switch.as_ref().or(new.switch.as_ref()).map(took).unwrap_or_default();
        context.metrics.record_switch(name(old.active), to.as_str(), SwitchResult::Succeeded, took);
    } else if let Some(switch) = &old.switch
        && old.active != Some(switch.to)
        && new.switch.as_ref().is_none_or(|now| now.to != switch.to)
    {
        context.metrics.record_switch(
            name(switch.from),
            switch.to.as_str(),
            SwitchResult::Canceled,
            took(switch),
        );
    }
}
