//! The driver: one pass over one app. Plan on the stores to see whether there is anything to do; plan again on
//! live reads to do it (`look` says how much is read); report when nothing is left to do.

mod look;
mod report;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::runtime::controller;
use kube::{Client, ResourceExt};

use crate::api::{BlueGreenApp, Color, PerColor};
use crate::apply::{Outcome, Target, Writer};
use crate::events::Publisher;
use crate::fence::Token;
use crate::memory::{Late, Memory, Refusal};
use crate::metrics::{Metrics, ReconcileResult};
use crate::observe::stores::Cache;
use crate::observe::{self, Snapshot};
use crate::plan::{self, Action, Fence, Live, Observed, Plan};
use crate::status::Trouble;
use crate::validate;
use look::{How, Look, is_switching, look};
use report::{News, Reported, finish, news, progress, report, wait};

/// Steps of one pass; an app that needs more goes to the end of the queue, so that it cannot starve others.
const ROUNDS: usize = 12;

/// Failed preconditions in one pass before others get their turn.
const CONFLICTS: usize = 3;

/// How often the same steps are taken in one pass before somebody else is taken to undo them.
const CONTEST: usize = 4;

/// A look at the stores costs nothing, so a lost event is never lost for long.
const RESYNC: Duration = Duration::from_secs(300);

/// How old a look may be when a switch is committed on it: the record in the status may be written in between.
const FRESH: Duration = Duration::from_millis(250);

/// How long another installation's operator has to report a new generation.
const YIELD: Duration = Duration::from_secs(5);

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

    /// Drops what is remembered of an app that is deleted. The watch of the apps calls this, too.
    pub fn forget(&self, app: &BlueGreenApp) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.remove(&app.uid().unwrap_or_default());
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
    let mut cached = decide(stores, context, memory, false);
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
        let how = if behind { How::Whole { prove: is_switching(&cached) } } else { How::after(cached) };
        return live_pass(app, context, memory, how).await;
    }
    if news == News::Progress || memory.explanation_is_due(Instant::now()) {
        return progress(&mut cached, context, memory).await;
    }
    memory.failures = 0;
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
    mut how: How,
) -> Result<Duration, Error> {
    let mut conflicts = 0;
    let mut last: Option<(Vec<Action>, usize)> = None;
    for _ in 0..ROUNDS {
        let Some(look) = look(app, how, context, memory).await? else { return Ok(RESYNC) };
        let Look { mut decision, proven, live_read, start } = look;
        if decision.plan.actions.iter().any(|action| matches!(action, Action::Switch { .. })) && !proven {
            how = How::after(decision);
            continue;
        }
        if decision.plan.actions.is_empty() {
            memory.refused = None;
            let announces = decision.plan.announces(&decision.facts);
            match finish(&mut decision, context, memory).await? {
                Reported::Done(_) if announces => {}
                Reported::Done(wait) => return Ok(wait),
                Reported::Stale => {
                    how = How::Whole { prove: proven };
                    continue;
                }
            }
            // The announcement is all that the switch still waited for. Nobody has edited the app since it was read, or the
            // report would have failed: the look is as good as before, if it is not old.
            decision = decide(decision.seen, context, memory, live_read);
            if !proven || start.elapsed() > FRESH || decision.plan.actions.is_empty() {
                how = How::after(decision);
                continue;
            }
        }
        how = How::Whole { prove: false };
        let times =
            last.take().filter(|(actions, _)| *actions == decision.plan.actions).map_or(1, |(_, n)| n + 1);
        if times > CONTEST {
            // The write is accepted and its effect is gone again: somebody takes the field back each time.
            context.events.contested(&decision.seen.app, &decision.plan.actions);
            return tell_and_back_off(&mut decision, context, memory).await;
        }
        last = Some((decision.plan.actions.clone(), times));
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
                return tell_and_back_off(&mut decision, context, memory).await;
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

/// Says how the app is, though what it needs could not be done: who waits for it must not wait for ever.
async fn tell_and_back_off(
    decision: &mut Decision,
    context: &Context,
    memory: &mut Memory,
) -> Result<Duration, Error> {
    // A report that is written, or is not needed, is no success of the writes.
    let failures = memory.failures;
    let _ = finish(decision, context, memory).await?;
    memory.failures = failures;
    Ok(memory.back_off())
}

/// Carries out the plan's actions, which do not depend on each other, at the same time. The gravest outcome
/// counts, with the color that it is about: one that the app waits for before one that only concerns its standby.
async fn act(decision: &Decision, context: &Context, memory: &Memory) -> (Outcome, Option<Color>) {
    let token = context.token(memory);
    let target = Target { seen: &decision.seen, facts: &decision.facts, token: &token };
    let outcomes = decision.plan.actions.iter().map(|action| act_once(&target, context, action));
    let outcomes = futures::future::join_all(outcomes).await;
    let idle = decision.seen.app.spec.active.other();
    let gravest = outcomes
        .into_iter()
        .zip(&decision.plan.actions)
        .max_by_key(|(outcome, action)| (outcome.gravity(), action.color() != Some(idle)));
    gravest.map_or((Outcome::Done, None), |(outcome, action)| (outcome, action.color()))
}

async fn act_once(target: &Target<'_>, context: &Context, action: &Action) -> Outcome {
    let outcome = context.writer.apply(target, action).await;
    tracing::info!(?action, ?outcome, "acted");
    if let (Outcome::Done, Action::Restore { to }) = (&outcome, action) {
        context.events.selector_restored(&target.seen.app, *to);
    }
    outcome
}

/// Facts, problems and plan of one look.
fn decide(seen: Snapshot, context: &Context, memory: &mut Memory, live_read: bool) -> Decision {
    let token = context.token(memory);
    let now = (Instant::now(), Timestamp::now());
    let facts = observe::observe(&seen, &token, now.1, |selected| {
        let nothing = observe::Endpoints { moved: false, cleared: false };
        let endpoints = selected.map_or(nothing, |color| observe::endpoints(&seen, color));
        memory.look(selected, endpoints, live_read, now.0);
        memory.held(selected, now.0)
    });
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
        invalid: invalid.iter().map(ToString::to_string).collect(),
        other_operator: other_operator(&facts),
        pods: PerColor::from_fn(|color| memory.late.get(color).as_ref().and_then(Late::why)),
    };
    Decision { seen, facts, plan, trouble }
}

fn other_operator(facts: &Observed) -> Option<String> {
    match facts.service.ours().map(|service| &service.fence) {
        Some(Fence::Foreign(operator)) => Some(operator.clone()),
        Some(Fence::Mine | Fence::Stale | Fence::Newer) | None => None,
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
