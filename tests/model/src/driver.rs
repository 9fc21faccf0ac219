//! Drives the operator's own pass through the model's states: read, plan, write.
//!
//! A state of the model keeps of a pass only what its future turns on: the mode, the requests that are lined up, the clocks
//! and the attempt. Each step makes the operator's memory from that, gives the pass its event, and keeps of the command
//! what there is to keep. What a pass counts beyond (reads, conflicts, failures) only ends it early, and a pass may end
//! early in the model at any time.
//!
//! `asks` tells the operator's writes as the model's requests, and `decisions` says what a decision must never be.

mod asks;
mod decisions;

use std::time::Duration;

use bluegreen_api::Color;
use bluegreen_core::apply::Outcome;
use bluegreen_core::pass::{self, Answer, Basis, Command, Now, Pass, Reading, Reporting};

use crate::checks;
use crate::facts;
use crate::objects::{App, Object, Objects, Status, nothing};
use crate::observer::{Abstract, NOW, Told, clocks, memory};
use crate::request::{Ask, Request};
use crate::world::{Clocks, Controller, Mode, QUEUE, World};
use crate::{Bounds, Guards};
use asks::asks;
use decisions::{broken_by, done_too_early, sleeps_through};

/// A promise that was broken, in words.
pub type Broken = &'static str;

pub(crate) type Decision<'a> = pass::Decision<Abstract<'a>>;

/// What a controller reads, as far as the pass cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Everything.
    Whole,
    /// By name, what a switch to this color turns on.
    Confirm(Color),
    /// Nothing anew: the answers to its own writes tell.
    Answered,
    /// As that, after writes that took long: it reports first.
    Late,
}

/// Facts and plan of what was read, and the clocks after it.
pub(crate) fn decide<'a>(
    seen: &Objects,
    controller: &Controller,
    basis: Basis,
    bounds: &'a Bounds,
    guards: &'a Guards,
) -> (Decision<'a>, Clocks) {
    let observer = Abstract::new(controller, bounds, guards);
    let mut memory = memory(controller);
    let decision = pass::decide(&observer, &mut memory.drain, memory.attempt, *seen, basis, NOW);
    (decision, clocks(&memory.drain, controller.clocks))
}

/// A pass that begins with caches that are up to date: does it do anything, and what are the clocks then?
pub(crate) fn wake(world: &World, k: usize, bounds: &Bounds, guards: &Guards) -> (bool, Clocks) {
    let controller = &world.controllers[k];
    let observer = Abstract::new(controller, bounds, guards);
    let mut memory = memory(controller);
    let command = Pass::new(&observer, &mut memory).woke(world.objects, NOW);
    (!matches!(command, Command::Wait(_)), clocks(&memory.drain, controller.clocks))
}

/// Begins to read. Each object is read at some moment from now until the plan is made: this copy is the oldest
/// that it can be, and [`refresh`] may replace what changes meanwhile.
pub(crate) fn begin(world: &World, k: usize, guards: &Guards) -> World {
    let mut next = *world;
    let controller = &mut next.controllers[k];
    controller.mode = Mode::Looking;
    if guards.live_look {
        controller.view = world.objects;
        controller.fresh = 127;
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

/// Gives the pass what was read.
fn told<'a>(pass: &mut Pass<'_, Abstract<'a>>, seen: Objects, how: How) -> Command<Abstract<'a>> {
    let reading = match how {
        How::Whole => Reading::whole(),
        How::Confirm(to) => Reading::confirming(seen, to),
        How::Answered => return pass.goes_on(seen, false, NOW),
        How::Late => return pass.goes_on(seen, true, NOW),
    };
    pass.read(reading, Answer::Found { snapshot: seen, began: NOW.uptime }, NOW)
}

/// Gives the pass what was read, and lines up the requests of its command. `None`: it wants to read everything instead.
pub(crate) fn make_plan(
    world: &World,
    k: usize,
    how: How,
    bounds: &Bounds,
    guards: &Guards,
) -> (Option<World>, Clocks, Option<Broken>) {
    let mut next = *world;
    let controller = world.controllers[k];
    let seen = controller.view;
    let observer = Abstract::new(&controller, bounds, guards);
    let mut memory = memory(&controller);
    let command = told(&mut Pass::new(&observer, &mut memory), seen, how);
    let clocks = clocks(&memory.drain, controller.clocks);
    let check = |decision: &Decision| {
        broken_by(decision, &seen, world)
            .or_else(|| done_too_early(decision, &seen, bounds, guards))
            .or_else(|| sleeps_through(decision, &seen, &controller, clocks, bounds, guards))
    };
    let mut queue = [None; QUEUE];
    // A report alone ends the pass.
    let mut all_told = false;
    let broken = match command {
        Command::Send(sending) => {
            all_told = line_up(&mut queue, sending.decision(), world, &controller);
            check(sending.decision())
        }
        Command::Report(reporting) => {
            let broken = check(reporting.decision());
            // A deposed leader reports nothing: `Tenure::may_write` is asked before every write. (For all its other writes
            // the model lets it be frozen right between the question and the write.)
            if guards.tenure && controller.term < world.epoch {
                broken
            } else {
                let valid = controller.fresh & Object::App.bit() != 0;
                let Told(status, left) = reporting.status;
                let broken = broken.or_else(|| checks::broken_by_report(&seen, &status, guards));
                queue[0] = Some(Request { ask: Ask::Status(status, left), valid });
                let mut recorded = seen;
                recorded.app.status = status;
                let then =
                    follow(&mut Pass::new(&observer, &mut memory), reporting, (&recorded, world), |then| {
                        all_told = line_up(&mut queue[1..], then, world, &controller);
                    });
                broken.or(then)
            }
        }
        Command::Wait(_) => {
            let mut memory = crate::observer::memory(&controller);
            let basis = match how {
                How::Answered | How::Late => Basis::Answered,
                How::Whole | How::Confirm(_) => Basis::Proven,
            };
            check(&pass::decide(&observer, &mut memory.drain, memory.attempt, seen, basis, NOW))
        }
        Command::Read(_) => return (None, clocks, None),
        Command::Explain(_) | Command::Forget | Command::Stop => {
            Some("the pass does what the model does not know")
        }
    };
    let controller = &mut next.controllers[k];
    controller.clocks = clocks;
    controller.queue = queue;
    controller.mode = Mode::Acting { unknown: false, told: guards.live_look && all_told };
    settle(controller, guards);
    (Some(next), clocks, broken)
}

/// Passes that create the first objects of an app on what the watch caches hold: no child of it, however many there are, and the app as it
/// is, or as it was before its first report.
pub(crate) fn create_from_caches(
    world: &World,
    k: usize,
    bounds: &Bounds,
    guards: &Guards,
) -> Vec<(World, Option<Broken>, bool)> {
    let controller = world.controllers[k];
    let mut seen = [nothing(), nothing()];
    seen[0].app = world.objects.app;
    seen[1].app = App { status: Status::default(), ..world.objects.app };
    let mut passes = Vec::new();
    for seen in seen {
        let observer = Abstract::new(&controller, bounds, guards);
        let mut memory = memory(&controller);
        let command = Pass::new(&observer, &mut memory).woke(seen, NOW);
        let Command::Send(sending) = command else { continue };
        let mut next = *world;
        let after = &mut next.controllers[k];
        let is_same = |object: &Object| {
            let mut read = seen;
            read.read(*object, &world.objects);
            read == seen
        };
        after.view = seen;
        after.fresh = Object::ALL.into_iter().filter(is_same).map(Object::bit).sum();
        after.clocks = clocks(&memory.drain, controller.clocks);
        let controller = *after;
        let mut queue = [None; QUEUE];
        let told = line_up(&mut queue, sending.decision(), world, &controller);
        let after = &mut next.controllers[k];
        (after.queue, after.mode) = (queue, Mode::Acting { unknown: false, told });
        settle(after, guards);
        if passes.iter().all(|(known, _, _)| *known != next) {
            passes.push((next, broken_by(sending.decision(), &seen, world), seen == world.objects));
        }
    }
    passes
}

/// The pass does not go on with what it had read.
pub(crate) fn reads_again(world: &World, k: usize, guards: &Guards) -> World {
    let mut next = *world;
    let controller = &mut next.controllers[k];
    controller.mode = Mode::Idle;
    forget_view(controller, guards);
    next
}

/// The same read where nothing is sent that it leads to, because that fails, or something before it did: the pass only
/// reports where it stands.
pub(crate) fn reports_instead(
    world: &World,
    k: usize,
    how: How,
    bounds: &Bounds,
    guards: &Guards,
) -> Vec<World> {
    let controller = world.controllers[k];
    if guards.tenure && controller.term < world.epoch {
        return Vec::new();
    }
    let long_after = Now { uptime: NOW.uptime + Duration::from_secs(60), ..NOW };
    let refused = Outcome::Refused(String::new());
    let failed = Outcome::Failed(String::new());
    let mut worlds = Vec::new();
    for (outcome, now) in [(&refused, NOW), (&failed, NOW), (&failed, long_after)] {
        let observer = Abstract::new(&controller, bounds, guards);
        let mut memory = memory(&controller);
        let mut pass = Pass::new(&observer, &mut memory);
        let Command::Send(sending) = told(&mut pass, controller.view, how) else { return worlds };
        let outcomes = vec![outcome.clone(); sending.actions().len()];
        let valid = controller.fresh & Object::App.bit() != 0;
        let report = match pass.sent(sending, &outcomes, None, now) {
            Command::Report(reporting) => {
                let Told(status, left) = reporting.status;
                Some(Request { ask: Ask::Status(status, left), valid })
            }
            // The status says all of it already.
            _ => None,
        };
        let mut next = *world;
        let after = &mut next.controllers[k];
        after.clocks = clocks(&memory.drain, controller.clocks);
        after.queue = [None; QUEUE];
        after.queue[0] = report;
        after.mode = Mode::Acting { unknown: false, told: false };
        settle(after, guards);
        if !worlds.contains(&next) {
            worlds.push(next);
        }
    }
    worlds
}

/// What the pass sends once its report is known to be written: the switch that the report announces, or what it had put off for the
/// report.
fn follow<'a>(
    pass: &mut Pass<'_, Abstract<'a>>,
    reporting: Reporting<Abstract<'a>>,
    (recorded, world): (&Objects, &World),
    mut line_up: impl FnMut(&Decision),
) -> Option<Broken> {
    match pass.reported(reporting, Outcome::Done, None, NOW) {
        Command::Send(sending) => {
            line_up(sending.decision());
            broken_by(sending.decision(), recorded, world)
        }
        _ => None,
    }
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

/// Lines up the requests of a plan. Returns true if their answers will hold all that is written.
///
/// # Panics
/// When there are more than the queue holds: then the model would not explore what the operator does.
fn line_up(
    queue: &mut [Option<Request>],
    decision: &Decision,
    world: &World,
    controller: &Controller,
) -> bool {
    let seen = &decision.snapshot;
    let actions = decision.plan.actions.iter();
    let asks = actions.flat_map(|action| asks(action, &decision.facts, seen, facts::token(controller)));
    let asks: Vec<Ask> = asks.collect();
    assert!(asks.len() <= queue.len(), "no room for {asks:?}");
    for (slot, ask) in queue.iter_mut().zip(asks) {
        let valid = match ask {
            Ask::Drop(color, number) => {
                facts::kept(seen, color, number) == facts::kept(&world.objects, color, number)
            }
            _ => ask.creates() || controller.fresh & ask.object().bit() != 0,
        };
        *slot = Some(Request { ask, valid });
    }
    decision.plan.actions.iter().all(pass::is_told_by_its_answer)
}

/// An empty queue ends the pass.
fn settle(controller: &mut Controller, guards: &Guards) {
    let holds = matches!(controller.mode, Mode::Acting { told: true, .. });
    if controller.queue.iter().any(Option::is_some) {
        if !holds {
            forget_view(controller, guards);
        }
        return;
    }
    if let Mode::Acting { unknown: true, .. } = controller.mode
        && guards.attempt
    {
        forget_tokens(controller);
    }
    controller.mode = Mode::Idle;
    forget_view(controller, guards);
}

/// A write of unknown result, as the operator takes note of it.
fn forget_tokens(controller: &mut Controller) {
    let mut memory = memory(controller);
    memory.result_is_unknown();
    controller.attempt = u8::try_from(memory.attempt).unwrap_or(u8::MAX);
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
    controller.queue = [None; QUEUE];
    controller.mode = Mode::Idle;
}

/// A request was carried out and answered, and the answer holds the object as it is.
pub(crate) fn done(world: &mut World, k: usize, index: usize, ask: Ask, guards: &Guards) {
    let now = world.objects;
    let controller = &mut world.controllers[k];
    controller.queue[index] = None;
    if !matches!(controller.mode, Mode::Acting { told: true, .. }) {
        return settle(controller, guards);
    }
    let view = &mut controller.view;
    match ask {
        // Of the other revisions, the answer tells nothing.
        Ask::Store(color, number, _) | Ask::Drop(color, number) => {
            let slot = usize::from(number).wrapping_sub(1);
            let stored = now.stored.get(color).get(slot).copied().flatten();
            if let Some(seen) = view.stored.get_mut(color).get_mut(slot) {
                *seen = stored;
            }
            *view.stored_long_ago.get_mut(color) = *now.stored_long_ago.get(color);
        }
        _ => {
            view.read(ask.object(), &now);
            controller.fresh |= ask.object().bit();
        }
    }
    if controller.queue.iter().all(Option::is_none) {
        controller.mode = Mode::Answered;
    }
}

/// A request was answered, and the controller looks again.
fn answered(controller: &mut Controller, index: usize, guards: &Guards) {
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

/// Nothing in the queue waits for an answer.
pub(crate) fn has_sent_all(controller: &Controller) -> bool {
    (0..controller.queue.len()).all(|index| controller.queue[index].is_none() || is_sent(controller, index))
}

/// A request was refused: what was to follow it is not sent.
pub(crate) fn refused(controller: &mut Controller, index: usize, request: Request, guards: &Guards) {
    abandon(controller, index, request.ask);
    forget_told(controller);
    answered(controller, index, guards);
}

/// Not every answer tells what was written.
fn forget_told(controller: &mut Controller) {
    if let Mode::Acting { told, .. } = &mut controller.mode {
        *told = false;
    }
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
    let is_of_job = matches!(request.ask, Ask::RunJob(_) | Ask::DropJob(_));
    controller.queue[index] = None;
    forget_told(controller);
    if let Mode::Acting { unknown, .. } = &mut controller.mode {
        // An unknown report bumps nothing: it can't touch a pod. Nor does the Job of a check, on which no traffic depends.
        *unknown |= !is_status && !is_of_job;
    }
    settle(controller, guards);
}

/// As [`unanswered`], for a request that the model does not know: the deletion of the own Service of a color that is
/// removed, or another. The first comes before the color's revisions, which are then not deleted.
pub(crate) fn unknown_outside(controller: &mut Controller, removed: Option<Color>) {
    match &mut controller.mode {
        Mode::Acting { unknown, told } => {
            (*unknown, *told) = (true, false);
            let follows = |ask: Ask| matches!(ask, Ask::Drop(color, _) if Some(color) == removed);
            for slot in &mut controller.queue {
                *slot = slot.filter(|request| !follows(request.ask));
            }
            settle(controller, &Guards::ALL);
        }
        Mode::Idle | Mode::Looking | Mode::Confirming(_) | Mode::Answered => forget_tokens(controller),
    }
}

/// A process begins: it remembers nothing.
pub(crate) fn start(controller: &mut Controller, term: u8, now: &Objects, guards: &Guards) {
    *controller = Controller { term, ..Controller::absent() };
    if term > 0 && !guards.live_look {
        (controller.view, controller.fresh) = (*now, 127);
    }
}
