//! Look, plan, write: as `reconcile`, `memory` and `apply` do it.

use bluegreen_operator::api::{Color, PerColor};
use bluegreen_operator::plan::{self, Action, Fence, Observed, Plan, Selection, Stage};

use crate::facts;
use crate::liveness;
use crate::objects::{Kept, Object, Objects, REVISIONS, Service, Status, Token, nothing, rendering};
use crate::report::{left, report};
use crate::request::{Ask, Request, Why};
use crate::world::{Cache, Clock, Clocks, Controller, Mode, World};
use crate::{Bounds, Guards};

/// A promise that was broken, in words.
pub type Broken = &'static str;

/// What a look leads to.
pub(crate) struct Decision {
    pub clocks: Clocks,
    pub facts: Observed,
    pub plan: Plan,
    pub status: Status,
    /// The color that the report says was left.
    pub left: Option<Color>,
}

/// As `reconcile::decide`: takes note of the endpoints, then plans.
pub(crate) fn decide(
    seen: &Objects,
    controller: &Controller,
    live_read: bool,
    bounds: &Bounds,
    guards: &Guards,
) -> Decision {
    let selected = facts::selected(seen, facts::token(controller), guards);
    let clocks = look(controller.clocks, selected, seen, live_read);
    let facts = facts::observe(seen, controller, &clocks, guards);
    let plan = plan::plan(&facts::intent(&seen.app, bounds.idle), &facts);
    let status = report(seen, &facts, &plan);
    let left = left(seen, &plan, &status);
    Decision { clocks, facts, plan, status, left }
}

/// As `Memory::look`: only a live read starts a clock, any look stops it.
fn look(clocks: Clocks, color: Option<Color>, seen: &Objects, live_read: bool) -> Clocks {
    let Some(color) = color else { return Clocks::default() };
    let clocks = if clocks.color == Some(color) { clocks } else { Clocks::default() };
    let (moved, cleared) = endpoints(seen, color);
    let step = |clock: Clock, holds: bool| match (clock, holds) {
        (_, false) => Clock::Stopped,
        (Clock::Stopped, true) if live_read => Clock::Running { returned: false },
        (clock, true) => clock,
    };
    let (moved, cleared) = (step(clocks.moved, moved), step(clocks.cleared, cleared));
    let stands = moved == Clock::Stopped && cleared == Clock::Stopped;
    Clocks { color: (!stands).then_some(color), moved, cleared }
}

/// As `observe::endpoints`.
fn endpoints(seen: &Objects, color: Color) -> (bool, bool) {
    match seen.slices.live {
        Some((of, ready)) if of == color => (ready > 0, true),
        Some(_) => (false, false),
        None => (false, true),
    }
}

/// Would the driver look at all, if its caches were up to date? As `reconcile::pass`.
pub(crate) fn has_reason(world: &World, k: usize, bounds: &Bounds, guards: &Guards) -> bool {
    let controller = &world.controllers[k];
    let cached = decide(&world.objects, controller, false, bounds, guards);
    let news = cached.status != world.objects.app.status;
    let wants_look = facts::selected(&world.objects, facts::token(controller), guards).is_some_and(|color| {
        let (moved, cleared) = endpoints(&world.objects, color);
        let stopped = |clock: Clock| clock == Clock::Stopped;
        (moved && stopped(cached.clocks.moved)) || (cleared && stopped(cached.clocks.cleared))
    });
    !cached.plan.actions.is_empty() || news || (wants_look && cached.facts.recorded.switching)
}

/// A cached look that stops a clock.
pub(crate) fn cached_look(world: &World, k: usize, bounds: &Bounds, guards: &Guards) -> Option<World> {
    let controller = &world.controllers[k];
    let clocks = decide(&world.objects, controller, false, bounds, guards).clocks;
    (clocks != controller.clocks).then(|| {
        let mut next = *world;
        next.controllers[k].clocks = clocks;
        next
    })
}

/// Begins to read. Each object is read at some moment from now until the plan is made: this copy is the oldest
/// that it can be, and [`refresh`] may replace what changes meanwhile.
pub(crate) fn begin(world: &World, k: usize, guards: &Guards) -> World {
    let mut next = *world;
    let controller = &mut next.controllers[k];
    controller.mode = Mode::Looking;
    if guards.live_look {
        controller.view = world.objects;
        controller.fresh = 63;
    }
    next
}

/// Reads an object that has changed since.
pub(crate) fn refresh(world: &World, k: usize, object: Object) -> World {
    let mut next = *world;
    next.controllers[k].view.read(object, &world.objects);
    next.controllers[k].fresh |= object.bit();
    next
}

/// Plans on what was read, and lines up the requests.
pub(crate) fn make_plan(
    world: &World,
    k: usize,
    live_read: bool,
    bounds: &Bounds,
    guards: &Guards,
) -> (World, Option<Broken>) {
    let mut next = *world;
    let controller = world.controllers[k];
    let seen = &controller.view;
    let decision = decide(seen, &controller, live_read, bounds, guards);
    let broken = broken_by(&decision, seen)
        .or_else(|| done_too_early(&decision, seen, bounds, guards))
        .or_else(|| sleeps_through(&decision, seen, &controller, bounds, guards));
    let mut broken = broken;
    let mut queue = [None; 4];
    line_up(&mut queue, &decision.plan, world, &controller);
    // A deposed leader reports nothing: `Tenure::may_write` is asked before every write. (For all its other writes
    // the model lets it be frozen right between the question and the write.)
    let deposed = guards.tenure && controller.term < world.epoch;
    if decision.plan.actions.is_empty() && decision.status != seen.app.status && !deposed {
        let valid = controller.fresh & Object::App.bit() != 0;
        queue[0] = Some(Request { ask: Ask::Status(decision.status, decision.left), valid });
        if decision.plan.announces(&decision.facts) {
            // What waited for this record follows on the same look, as in `reconcile::live_pass`.
            let mut recorded = *seen;
            recorded.app.status = decision.status;
            let then = decide(&recorded, &controller, live_read, bounds, guards);
            broken = broken.or_else(|| broken_by(&then, &recorded));
            line_up(&mut queue[1..], &then.plan, world, &controller);
        }
    }
    let controller = &mut next.controllers[k];
    controller.clocks = decision.clocks;
    controller.queue = queue;
    controller.mode = Mode::Acting { unknown: false };
    settle(controller, guards);
    (next, broken)
}

/// The same plan where what follows the report is left to another look: this one is not proven, or too old by then.
pub(crate) fn report_only(planned: &World, k: usize) -> Option<World> {
    let [report, rest @ ..] = &planned.controllers[k].queue;
    let reports = matches!(report, Some(Request { ask: Ask::Status(..), .. }));
    (reports && rest.iter().any(Option::is_some)).then(|| {
        let mut next = *planned;
        next.controllers[k].queue[1..].fill(None);
        next
    })
}

/// Lines up the requests of a plan.
fn line_up(queue: &mut [Option<Request>], plan: &Plan, world: &World, controller: &Controller) {
    let seen = &controller.view;
    let asks = plan.actions.iter().flat_map(|action| asks(action, seen, facts::token(controller)));
    for (slot, ask) in queue.iter_mut().zip(asks) {
        let valid = match ask {
            Ask::Drop(color, number) => {
                facts::kept(seen, color, number) == facts::kept(&world.objects, color, number)
            }
            _ => ask.creates() || controller.fresh & ask.object().bit() != 0,
        };
        *slot = Some(Request { ask, valid });
    }
}

/// An empty queue ends the pass.
fn settle(controller: &mut Controller, guards: &Guards) {
    if controller.queue.iter().any(Option::is_some) {
        forget_view(controller, guards);
        return;
    }
    if let Mode::Acting { unknown: true } = controller.mode {
        controller.attempt += u8::from(guards.attempt);
    }
    controller.mode = Mode::Idle;
    forget_view(controller, guards);
}

/// What was read is not used again: states that differ in nothing else are the same. Caches stay.
fn forget_view(controller: &mut Controller, guards: &Guards) {
    if guards.live_look {
        controller.view = nothing();
        controller.fresh = 0;
    }
}

/// Nothing of what was lined up was sent.
pub(crate) fn sent_nothing(controller: &mut Controller) {
    controller.queue = [None; 4];
    controller.mode = Mode::Idle;
}

/// A request was answered: carried out, or refused by its precondition. The controller looks again after either.
pub(crate) fn answered(controller: &mut Controller, index: usize, guards: &Guards) {
    controller.queue[index] = None;
    settle(controller, guards);
}

/// Has this request been sent? All are sent at once, except that a color's revisions are deleted one after the other,
/// after its Deployment, and that what follows a report waits for its answer.
pub(crate) fn is_sent(controller: &Controller, index: usize) -> bool {
    let Some(Request { ask, .. }) = controller.queue[index] else { return false };
    let before = &controller.queue[..index];
    match ask {
        Ask::Drop(..) => before.iter().all(Option::is_none),
        _ => !before.iter().flatten().any(|request| matches!(request.ask, Ask::Status(..))),
    }
}

/// A request was refused: what was to follow it is not sent.
pub(crate) fn refused(controller: &mut Controller, index: usize, request: Request, guards: &Guards) {
    abandon(controller, index, request.ask);
    answered(controller, index, guards);
}

fn abandon(controller: &mut Controller, index: usize, ask: Ask) {
    if let Ask::Status(..) = ask {
        controller.queue[index + 1..].fill(None);
    }
    for later in &mut controller.queue[index + 1..] {
        if matches!(later, Some(Request { ask: Ask::Drop(..), .. })) {
            *later = None;
        }
    }
}

/// A request got no answer in time.
pub(crate) fn unanswered(controller: &mut Controller, index: usize, request: Request, guards: &Guards) {
    abandon(controller, index, request.ask);
    let is_status = matches!(request.ask, Ask::Status(..));
    controller.queue[index] = None;
    if let Mode::Acting { unknown } = &mut controller.mode {
        // An unknown report bumps nothing: it can't touch a pod.
        *unknown |= !is_status;
    }
    settle(controller, guards);
}

/// As [`unanswered`], for a request that the model does not know: the deletion of the own Service of a color that is
/// removed, or another. The first comes before the color's revisions, which are then not deleted.
pub(crate) fn unknown_outside(controller: &mut Controller, removed: Option<Color>) {
    match &mut controller.mode {
        Mode::Acting { unknown } => {
            *unknown = true;
            let follows = |ask: Ask| matches!(ask, Ask::Drop(color, _) if Some(color) == removed);
            for slot in &mut controller.queue {
                *slot = slot.filter(|request| !follows(request.ask));
            }
            settle(controller, &Guards::ALL);
        }
        Mode::Idle | Mode::Looking | Mode::Confirming(_) => controller.attempt += 1,
    }
}

/// A process begins: it remembers nothing.
pub(crate) fn start(controller: &mut Controller, term: u8, now: &Objects, guards: &Guards) {
    *controller = Controller {
        term,
        attempt: 0,
        clocks: Clocks::default(),
        mode: Mode::Idle,
        view: if guards.live_look { nothing() } else { *now },
        fresh: if guards.live_look || term == 0 { 0 } else { 63 },
        cache: Cache::default(),
        queue: [None; 4],
    };
    if term == 0 {
        controller.view = nothing();
    }
}

/// The requests of an action, as `apply` builds them from what was read.
fn asks(action: &Action, seen: &Objects, token: Token) -> Vec<Ask> {
    let small = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
    let size = |replicas: i32| u8::try_from(replicas).unwrap_or(u8::MAX);
    let current = |color: Color| {
        let facts = facts::current(seen, color);
        facts.and_then(|number| Some((number, facts::kept(seen, color, number)?)))
    };
    let service = |change: &dyn Fn(&mut Service)| {
        seen.service.map(|mut service| {
            if service.selects == Selection::Edited {
                service.selects = Selection::Nothing;
            }
            service.token = token;
            service.served = PerColor::from_fn(|color| facts::served(seen, color));
            change(&mut service);
            service
        })
    };
    match *action {
        Action::CreateService => vec![Ask::CreateService(Service {
            selects: Selection::Nothing,
            committed: None,
            served: seen.app.status.served,
            token,
        })],
        Action::Restore { to } => service(&|s| {
            s.selects = Selection::Color(to);
            s.committed = Some(to);
        })
        .map(|s| Ask::PutService(s, Why::Restore))
        .into_iter()
        .collect(),
        Action::Switch { to, .. } => service(&|s| {
            s.selects = Selection::Color(to);
            s.committed = Some(to);
            *s.served.get_mut(to) = current(to).map_or(0, |(number, _)| number);
        })
        .map(|s| Ask::PutService(s, Why::Switch))
        .into_iter()
        .collect(),
        Action::StoreRevision { color, number } => {
            let content = rendering(&seen.app, color);
            vec![Ask::Store(color, small(number), Kept { content, spec: content })]
        }
        Action::RecoverRevision { color, number } => {
            let running = seen.deployments.get(color).map(|d| Kept { content: d.content, spec: d.spec });
            running.map(|kept| Ask::Store(color, small(number), kept)).into_iter().collect()
        }
        Action::CreateDeployment { color, replicas } => current(color)
            .map(|(number, kept)| Ask::CreateDeployment(color, number, kept, size(replicas), token))
            .into_iter()
            .collect(),
        Action::EditDeployment { color, replicas } => current(color)
            .map(|(number, kept)| Ask::PutDeployment(color, number, kept, size(replicas), token))
            .into_iter()
            .collect(),
        Action::Fence { service, ref colors } => service
            .then_some(Ask::StampService(token))
            .into_iter()
            .chain(colors.iter().map(|&color| Ask::StampDeployment(color, token)))
            .collect(),
        Action::Promote { color, number } => service(&|s| *s.served.get_mut(color) = small(number))
            .map(|s| Ask::PutService(s, Why::Promote))
            .into_iter()
            .collect(),
        Action::RemoveColor(color) => {
            let numbers =
                (1_u8..).take(REVISIONS).filter(|&number| facts::kept(seen, color, number).is_some());
            let deployment = seen.deployments.get(color).map(|_| Ask::DeleteDeployment(color));
            deployment.into_iter().chain(numbers.map(|number| Ask::Drop(color, number))).collect()
        }
        // Outside of the bounds of this model: no such spec, and nothing obsolete is shown to the planner.
        Action::UpdateService | Action::ApplyColorService(_) | Action::DropRevision { .. } => Vec::new(),
    }
}

/// What a decision must never be.
fn broken_by(decision: &Decision, seen: &Objects) -> Option<Broken> {
    let fenced = |facts: &Observed| {
        let service = facts.service.ours().is_some_and(|s| s.fence == Fence::Mine);
        service
            && Color::ALL
                .iter()
                .all(|&c| facts.colors.get(c).deployment.ours().is_none_or(|d| d.fence == Fence::Mine))
    };
    let live = decision.plan.live.color();
    for action in &decision.plan.actions {
        match *action {
            Action::Switch { .. }
            | Action::EditDeployment { .. }
            | Action::Promote { .. }
            | Action::RemoveColor(_)
                if !fenced(&decision.facts) =>
            {
                return Some("a guarded action was planned without the token on every object");
            }
            Action::Promote { color, number }
                if !seen.app.rolling && number > i64::from(facts::served(seen, color)) =>
            {
                return Some("an update in place was planned under the policy Freeze");
            }
            Action::RemoveColor(color) if *seen.app.present.get(color) => {
                return Some("a color was to be removed whose block is in the spec");
            }
            Action::EditDeployment { color, replicas }
                if live == Some(color) && replicas != i32::from(seen.app.replicas) =>
            {
                return Some("the live color was to be given a size that the spec does not ask for");
            }
            Action::Switch { to, .. } => {
                let runs = facts::current(seen, to).and_then(|number| facts::content(seen, to, number));
                if runs.map(|content| content / 2) != Some(*seen.app.tags.get(to)) {
                    return Some("a switch was planned to something else than the color's block asks for");
                }
                let ready = |color: Color| seen.deployments.get(color).map_or(0, |d| d.have);
                // Nobody promises more pods than the spec asks for, and one pod is more than none.
                let carry = live.map_or(seen.app.replicas, ready).min(seen.app.replicas).max(1);
                if ready(to) < carry {
                    return Some("a switch was planned to fewer pods than carry the traffic now");
                }
            }
            _ => {}
        }
    }
    None
}

/// To do nothing and to say that all is done is only right when all is done.
fn done_too_early(decision: &Decision, seen: &Objects, bounds: &Bounds, guards: &Guards) -> Option<Broken> {
    let done = decision.plan.actions.is_empty() && decision.plan.stage == Stage::Serving;
    // Without a guard the same lie that the planner was told would show here first, and not what it leads to.
    (done && *guards == Guards::ALL).then(|| liveness::unconverged(seen, bounds.idle)).flatten()
}

/// When nothing is done but time alone would change that, the plan must say when to look again.
fn sleeps_through(
    decision: &Decision,
    seen: &Objects,
    controller: &Controller,
    bounds: &Bounds,
    guards: &Guards,
) -> Option<Broken> {
    let runs = |clock: Clock| matches!(clock, Clock::Running { .. });
    let clocks = decision.clocks;
    if !decision.plan.actions.is_empty() || decision.plan.wake.is_some() {
        return None;
    }
    let later = |clocks: &Clocks, seen: &Objects| {
        let facts = facts::observe(seen, controller, clocks, guards);
        let plan = plan::plan(&facts::intent(&seen.app, bounds.idle), &facts);
        plan.actions != decision.plan.actions || plan.stage != decision.plan.stage
    };
    let pass = |clock: Clock| if runs(clock) { Clock::Passed } else { clock };
    let drained = Clocks { color: clocks.color, moved: pass(clocks.moved), cleared: pass(clocks.cleared) };
    if drained != clocks && later(&drained, seen) {
        return Some("nothing wakes the controller up when the drain is over");
    }
    let mut rested = *seen;
    rested.app.left_long_ago = PerColor { blue: true, green: true };
    rested.stored_long_ago = rested.app.left_long_ago;
    (rested != *seen && later(&clocks, &rested))
        .then_some("nothing wakes the controller up when the standby timer runs out")
}
