//! The driver: one pass over one app. Plan on the stores to see whether there is anything to do; plan again on
//! live reads to do it; report when nothing is left to do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::runtime::controller;
use kube::{Client, ResourceExt};

use crate::api::{BlueGreenApp, BlueGreenAppStatus, Color, PerColor};
use crate::apply::{Outcome, Target, Writer};
use crate::controller::cache::Cache;
use crate::events::Publisher;
use crate::explain::explain;
use crate::fence::Token;
use crate::memory::{Memory, Refusal};
use crate::metrics::{Metrics, ReconcileResult};
use crate::observe::read;
use crate::observe::{self, Snapshot};
use crate::plan::{self, Action, Fence, Live, Observed, Plan, Stage};
use crate::status::{self, Report, Trouble};
use crate::validate;

/// Steps of one pass; an app that needs more goes to the end of the queue, so that it cannot starve others.
const ROUNDS: usize = 12;

/// Failed preconditions in one pass before others get their turn.
const CONFLICTS: usize = 3;

/// A look at the stores costs nothing, so a lost event is never lost for long.
const RESYNC: Duration = Duration::from_secs(300);

/// A status that only counts pods is written at most this often.
const PROGRESS: Duration = Duration::from_secs(1);

/// How long another installation's operator has to report a new generation.
const YIELD: Duration = Duration::from_secs(5);

/// How old an explanation of unready pods may be.
const EXPLAIN: Duration = Duration::from_secs(10);

/// What every pass needs.
pub struct Context {
    /// For reads; a write goes through `writer`.
    pub client: Client,
    /// The only writer.
    pub writer: Writer,
    /// The stores.
    pub cache: Arc<Cache>,
    /// Counters and gauges.
    pub metrics: Metrics,
    /// Publishes Events.
    pub events: Publisher,
    /// How long one live look may take.
    pub read_deadline: Duration,
    /// This leader's claim, its attempt still zero.
    pub token: Token,
    memories: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Memory>>>>,
}

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A live look failed.
    #[error("can't read the app's objects: {0}")]
    Read(#[from] kube::Error),
    /// A live look took too long.
    #[error("the API server did not answer within {0:?}")]
    ReadTimeout(Duration),
    /// Leadership is over; the process is about to end.
    #[error("not leading any more")]
    NotLeading,
}

/// One look and what follows from it.
struct Decision {
    seen: Snapshot,
    facts: Observed,
    plan: Plan,
    trouble: Trouble,
}

impl Context {
    /// A context for one term of leadership.
    pub fn new(
        client: Client,
        writer: Writer,
        cache: Arc<Cache>,
        metrics: Metrics,
        events: Publisher,
        token: Token,
    ) -> Self {
        let read_deadline = writer.deadline;
        Self { client, writer, cache, metrics, events, read_deadline, token, memories: Mutex::default() }
    }

    fn memory(&self, uid: &str) -> Arc<tokio::sync::Mutex<Memory>> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.entry(uid.to_owned()).or_default().clone()
    }

    fn forget(&self, app: &BlueGreenApp) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.remove(&app.uid().unwrap_or_default());
        self.metrics.forget_app(&app.namespace().unwrap_or_default(), &app.name_any());
    }

    fn token(&self, memory: &Memory) -> Token {
        Token { attempt: memory.attempt, ..self.token.clone() }
    }
}

/// One pass over one app.
///
/// # Errors
/// A live look that failed; the caller backs off and tries again.
#[tracing::instrument(skip_all, fields(app = %app.name_any(), namespace = %app.namespace().unwrap_or_default(), generation = app.metadata.generation))]
pub async fn reconcile(app: Arc<BlueGreenApp>, context: Arc<Context>) -> Result<controller::Action, Error> {
    let timer = context.metrics.reconcile_timer();
    let memory = context.memory(&app.uid().unwrap_or_default());
    let mut memory = memory.lock().await;
    let result = pass(&app, &context, &mut memory).await;
    timer.finish(match &result {
        Ok(_) => ReconcileResult::Success,
        Err(_) => ReconcileResult::Error,
    });
    match result {
        Ok(wait) => Ok(controller::Action::requeue(wait)),
        Err(Error::NotLeading) => Err(Error::NotLeading),
        Err(error) => {
            let wait = memory.back_off();
            tracing::warn!(%error, ?wait, "look failed");
            Ok(controller::Action::requeue(wait))
        }
    }
}

/// An app that is being deleted leaves everything to the garbage collector: its children are owned.
fn is_leaving(app: &BlueGreenApp) -> bool {
    app.metadata.deletion_timestamp.is_some()
}

async fn pass(app: &Arc<BlueGreenApp>, context: &Context, memory: &mut Memory) -> Result<Duration, Error> {
    if is_leaving(app) {
        context.forget(app);
        return Ok(RESYNC);
    }
    let stores = context.cache.snapshot(app);
    let behind = memory.latest.as_ref().is_some_and(|(latest, _)| stores.versions().is_behind(latest));
    if let Some(wait) = memory.give_time(&stores.versions(), Instant::now()) {
        return Ok(wait);
    }
    let cached = decide(stores, context, memory, false);
    if let Some(wait) = yields(&cached, memory) {
        return Ok(wait);
    }
    let news = news(&cached, &report(&cached));
    let endpoints_moved = live_color(&cached.plan)
        .is_some_and(|color| memory.wants_live_look(Some(color), observe::endpoints(&cached.seen, color)));
    let must_look = behind
        || !cached.plan.actions.is_empty()
        || news == News::Claim
        || (endpoints_moved && drains(&cached));
    if must_look {
        let prove = matches!(cached.plan.stage, Stage::Switching { .. });
        return live_pass(app, context, memory, prove).await;
    }
    if news == News::Progress {
        return progress(cached, context, memory).await;
    }
    memory.failures = 0;
    publish_gauges(context, &cached.seen.app);
    Ok(wait(&cached, memory))
}

/// Another installation's operator holds the app: as long as it reports, two reports would only chase each other.
/// It gets [`YIELD`] to report a new generation; then this one says why nothing happens.
fn yields(decision: &Decision, memory: &mut Memory) -> Option<Duration> {
    let app = &decision.seen.app;
    let generation = app.metadata.generation.unwrap_or(0);
    let reported = app.status.as_ref().is_some_and(|status| status.observed_generation == generation);
    if decision.trouble.other_operator.is_none() {
        memory.yielding = None;
        return None;
    }
    if reported {
        return Some(RESYNC);
    }
    let since =
        memory.yielding.filter(|(seen, _)| *seen == generation).unwrap_or((generation, Instant::now()));
    memory.yielding = Some(since);
    YIELD.checked_sub(since.1.elapsed()).filter(|left| !left.is_zero())
}

/// Acts until the plan is empty, then reports.
async fn live_pass(
    app: &Arc<BlueGreenApp>,
    context: &Context,
    memory: &mut Memory,
    mut prove: bool,
) -> Result<Duration, Error> {
    let (namespace, name) = (app.namespace().unwrap_or_default(), app.name_any());
    let mut conflicts = 0;
    for _ in 0..ROUNDS {
        let read = read::live(&context.client, &namespace, &name, prove);
        let seen = tokio::time::timeout(context.read_deadline, read)
            .await
            .map_err(|_| Error::ReadTimeout(context.read_deadline))??;
        let Some(seen) = seen else {
            context.forget(app);
            return Ok(RESYNC);
        };
        if is_leaving(&seen.app) {
            return Ok(RESYNC);
        }
        memory.latest = Some((seen.versions(), Instant::now()));
        let mut decision = decide(seen, context, memory, true);
        if decision.plan.actions.iter().any(|action| matches!(action, Action::Switch { .. })) && !prove {
            prove = true;
            continue;
        }
        if decision.plan.actions.is_empty() {
            memory.refused = None;
            match finish(decision, context, memory).await? {
                Reported::Done(wait) => return Ok(wait),
                Reported::Stale => continue,
            }
        }
        prove = false;
        let (outcome, color) = act(&decision, context, memory).await;
        match outcome {
            Outcome::Done => {}
            Outcome::Stale | Outcome::Gone if conflicts < CONFLICTS => conflicts += 1,
            // Somebody else is at it, or an object of an earlier app is still being collected.
            Outcome::Stale | Outcome::Gone => return Ok(memory.back_off()),
            Outcome::Refused(words) => {
                let refusal = Refusal { color, words };
                decision.trouble.refused = Some(refusal.clone());
                memory.refused = Some(refusal);
                let _ = finish(decision, context, memory).await?;
                return Ok(memory.back_off());
            }
            Outcome::Unknown(words) => {
                // It may still commit: from now on nothing happens before everything is fenced anew.
                memory.attempt += 1;
                tracing::warn!(words, attempt = memory.attempt, "a write's result is unknown");
                return Ok(memory.back_off());
            }
            Outcome::Later(wait) => return Ok(wait),
            Outcome::NotLeading => return Err(Error::NotLeading),
        }
    }
    Ok(memory.back_off())
}

/// Carries out the plan's actions, which do not depend on each other, at the same time. The gravest outcome
/// counts, with the color that it is about.
async fn act(decision: &Decision, context: &Context, memory: &Memory) -> (Outcome, Option<Color>) {
    let token = context.token(memory);
    let target = Target { seen: &decision.seen, facts: &decision.facts, token: &token };
    let outcomes = decision.plan.actions.iter().map(|action| act_once(&target, context, action));
    let outcomes = futures::future::join_all(outcomes).await;
    let gravest =
        outcomes.into_iter().zip(&decision.plan.actions).max_by_key(|(outcome, _)| outcome.gravity());
    gravest.map_or((Outcome::Done, None), |(outcome, action)| (outcome, action.color()))
}

async fn act_once(target: &Target<'_>, context: &Context, action: &Action) -> Outcome {
    let outcome = context.writer.apply(target, action).await;
    tracing::info!(?action, ?outcome, "acted");
    if let (Outcome::Done, Action::Restore { to } | Action::CreateService { selects: Some(to) }) =
        (&outcome, action)
    {
        context.events.selector_restored(&target.seen.app, *to);
    }
    outcome
}

/// Facts, problems and plan of one look.
fn decide(seen: Snapshot, context: &Context, memory: &mut Memory, live_read: bool) -> Decision {
    let token = context.token(memory);
    let now = (Instant::now(), Timestamp::now());
    let recorded = observe::selected(&seen, &token);
    if let Some(color) = recorded {
        memory.look(Some(color), observe::endpoints(&seen, color), live_read, now.0);
    } else {
        memory.look(None, observe::Endpoints { moved: false, cleared: false }, live_read, now.0);
    }
    let facts = observe::observe(&seen, &token, memory.held(recorded, now.0), now.1);
    let invalid = validate::problems(&seen.app.name_any(), &seen.app.spec);
    let mut plan = plan::plan(&observe::intent(&seen.app), &facts);
    if !invalid.is_empty() {
        // A spec that breaks the rules asks for nothing: what serves stays as it is.
        plan.actions.clear();
    }
    let trouble = Trouble {
        refused: memory.refused.clone(),
        conflicts: observe::conflicts(&seen, &facts),
        collecting: observe::collecting(&seen, &facts),
        invalid: invalid.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect(),
        other_operator: other_operator(&facts),
        pods: PerColor::from_fn(|color| memory.pods.get(color).as_ref().map(|(words, _)| words.clone())),
    };
    Decision { seen, facts, plan, trouble }
}

fn other_operator(facts: &Observed) -> Option<String> {
    match facts.service.ours().map(|service| &service.fence) {
        Some(Fence::Foreign(operator)) => Some(operator.clone()),
        Some(Fence::Mine | Fence::Stale | Fence::Newer) | None => None,
    }
}

/// How a new status differs from the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    /// Only numbers and words of work in progress.
    Progress,
    /// It claims something: that must rest on a live look.
    Claim,
}

fn news(decision: &Decision, new: &BlueGreenAppStatus) -> News {
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

fn report(decision: &Decision) -> BlueGreenAppStatus {
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
enum Reported {
    /// There is nothing (more) to say; look again after this long.
    Done(Duration),
    /// The app changed since it was read: look again now.
    Stale,
}

/// Reports where the app stands after the last step.
async fn finish(mut decision: Decision, context: &Context, memory: &mut Memory) -> Result<Reported, Error> {
    explain_pods(&mut decision, context, memory).await;
    let new = report(&decision);
    if news(&decision, &new) == News::None {
        memory.failures = 0;
        publish_gauges(context, &decision.seen.app);
        return Ok(Reported::Done(wait(&decision, memory)));
    }
    write_status(decision, new, context, memory).await
}

/// As [`finish`], for a look at the stores whose news are only numbers: bounded in rate.
async fn progress(mut decision: Decision, context: &Context, memory: &mut Memory) -> Result<Duration, Error> {
    let since = memory.progress.map_or(PROGRESS, |last| last.elapsed());
    if since < PROGRESS {
        return Ok(PROGRESS - since);
    }
    memory.progress = Some(Instant::now());
    explain_pods(&mut decision, context, memory).await;
    let new = report(&decision);
    match write_status(decision, new, context, memory).await? {
        Reported::Done(wait) => Ok(wait),
        // The event that tells of the change is on its way.
        Reported::Stale => Ok(PROGRESS),
    }
}

async fn write_status(
    decision: Decision,
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
            publish_gauges(context, &app);
            wait(&decision, memory)
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

/// Reads the pods of a color that is late, at most every ten seconds.
async fn explain_pods(decision: &mut Decision, context: &Context, memory: &mut Memory) {
    let (namespace, name) = (decision.seen.app.namespace().unwrap_or_default(), decision.seen.app.name_any());
    for color in Color::ALL {
        let deployment = decision.facts.colors.get(color).deployment.ours();
        let late = deployment.is_some_and(|d| d.available < d.replicas || d.deadline_exceeded);
        let slot = memory.pods.get_mut(color);
        if !late {
            *slot = None;
        } else if slot.as_ref().is_none_or(|(_, at)| at.elapsed() >= EXPLAIN) {
            let read = read::pods(&context.client, &namespace, &name, color);
            match tokio::time::timeout(context.read_deadline, read).await {
                Ok(Ok(pods)) => {
                    let deployment = decision.seen.deployments.get(color).as_deref();
                    *slot = explain(deployment, &pods).map(|words| (words, Instant::now()));
                }
                Ok(Err(error)) => tracing::debug!(%error, "can't read the pods to explain them"),
                Err(_) => tracing::debug!("reading the pods took too long"),
            }
        }
        *decision.trouble.pods.get_mut(color) = slot.as_ref().map(|(words, _)| words.clone());
    }
}

fn live_color(plan: &Plan) -> Option<Color> {
    match plan.live {
        Live::Selected(color) => Some(color),
        Live::Lost(_) | Live::Never => None,
    }
}

/// A switch or the drain after it is under way, so that the endpoints' clock matters.
fn drains(decision: &Decision) -> bool {
    decision.facts.recorded.switching
}

/// When to look again without an event.
fn wait(decision: &Decision, memory: &Memory) -> Duration {
    let late = decision.trouble.pods.blue.is_some() || decision.trouble.pods.green.is_some();
    let words = late.then_some(EXPLAIN * 3);
    let refused = memory.refused.as_ref().map(|_| EXPLAIN);
    [decision.plan.wake, words, refused, Some(RESYNC)].into_iter().flatten().min().unwrap_or(RESYNC)
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
    } else if let (Some(switch), None) = (&old.switch, &new.switch)
        && old.active != Some(switch.to)
    {
        context.metrics.record_switch(
            name(switch.from),
            switch.to.as_str(),
            SwitchResult::Canceled,
            took(switch),
        );
    }
}

fn publish_gauges(context: &Context, app: &BlueGreenApp) {
    let Some(status) = &app.status else { return };
    let conditions: Vec<(&str, &str)> =
        status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    let active = status.active.map_or("none", Color::as_str);
    let namespace = app.namespace().unwrap_or_default();
    context.metrics.set_app(&namespace, &app.name_any(), active, app.spec.active.as_str(), &conditions);
}
