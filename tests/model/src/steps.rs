//! Every step that is possible in a state.

use bluegreen_api::{CheckResult, Color};

use crate::checks::{self, Identity};
use crate::driver::{self, Broken, How};
use crate::environment as env;
pub use crate::environment::{Edit, Mishap, Note, change_spec, edits};
use crate::fingerprint::fingerprint;
use crate::narrow;
use crate::objects::{Object, nothing};
use crate::request::Request;
use crate::server;
use crate::world::{Cache, Controller, Mode, World};
use crate::{Bounds, Deposed, Guards};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A controller begins to read.
    Begin(usize),
    /// It creates the first objects of the app on what its watches have told, without any read.
    Create(usize),
    /// It begins to read by name what a switch to this color turns on.
    Confirm(usize, Color),
    /// A watch of it tells all that there is to tell of revisions, or of slices.
    Deliver(usize, Object),
    /// It reads an object that changed after it began.
    Refresh(usize, Object),
    /// It plans on what it has read, or on that with what it has written in its place.
    Plan(usize),
    /// It does not go on from the answers to its writes: what it had read is old, or what follows needs another read.
    ReadAgain(usize),
    /// A request is carried out, or refused, and answered.
    Write(usize, usize),
    /// A request gets no answer in time: it may commit later, or never.
    Timeout(usize, usize),
    /// A look at the caches stops a drain clock.
    CachedLook(usize),
    /// A deposed leader learns that it is one, and ends.
    Notice(usize),
    /// A leader crashes and leads again; its requests are lost, or may still commit.
    Crash(usize, bool),
    /// A controller takes the lead; the one before does not know yet.
    Takeover(usize),
    /// A request that was given up commits. One that is lost for good is one for which this never happens.
    LateCommit(usize),
    /// A color's pods turn ready.
    Ready(Color),
    /// The Deployment controller has seen the newest generation.
    TakeNote(Color, Note),
    /// The Deployment controller counts the pods, once they are available.
    Roll(Color),
    /// The Deployment controller finds less than it had counted.
    Recount(Color),
    /// A color's own EndpointSlices follow.
    ListPods(Color),
    /// The live EndpointSlices follow.
    MoveEndpoints,
    /// A drain clock of a controller reaches the drain: both of its clocks, or only `cleared`.
    DrainPassed(usize, bool),
    /// A check's Job ends.
    JobEnds(Identity, CheckResult),
    /// A color's standby timer runs out.
    StandbyTimer(Color),
    /// The user edits the spec.
    Edit(Edit),
    /// Something happens to a child.
    Mishap(Mishap),
}

/// A step and where it leads.
pub struct Next {
    /// The step.
    pub step: Step,
    /// The state after it.
    pub world: World,
    /// The promise that it broke.
    pub broken: Option<Broken>,
    /// It belongs to a run in which nothing goes wrong any more.
    pub fair: bool,
}

/// All steps from here.
pub fn successors(world: &World, bounds: &Bounds, guards: &Guards, out: &mut Vec<Next>) {
    out.clear();
    let mut push = |step, next: World, broken, fair| out.push(Next { step, world: next, broken, fair });
    for color in Color::ALL {
        if let Some(next) = env::ready(world, color) {
            push(Step::Ready(color), next, None, true);
        }
        for note in Note::ALL {
            if let Some(next) = env::take_note(world, color, note) {
                push(Step::TakeNote(color, note), next, None, true);
            }
        }
        if let Some(next) = env::roll(world, color) {
            push(Step::Roll(color), next, None, true);
        }
        if let Some(next) = env::recount(world, color) {
            push(Step::Recount(color), next, None, true);
        }
        if let Some(next) = env::list_pods(world, color) {
            push(Step::ListPods(color), next, None, true);
        }
        if let Some(next) = env::idle_for_long(world, color) {
            push(Step::StandbyTimer(color), next, None, true);
        }
    }
    for (of, result, next) in checks::ends(world) {
        push(Step::JobEnds(of, result), next, None, true);
    }
    if let Some(next) = env::move_endpoints(world) {
        push(Step::MoveEndpoints, next, None, true);
    }
    for (index, request) in world.late.iter().enumerate() {
        let Some(request) = *request else { continue };
        let mut committed = *world;
        committed.late[index] = None;
        let (done, broken) = server::arrive(&mut committed, request, guards);
        if done {
            push(Step::LateCommit(index), committed, broken, true);
        }
    }
    for k in 0..2 {
        if world.controllers[k].term > 0 {
            controller_steps(world, k, bounds, guards, &mut push);
        } else if world.takeovers > 0 {
            let mut next = *world;
            next.takeovers -= 1;
            next.epoch += 1;
            driver::start(&mut next.controllers[k], next.epoch, &world.objects, guards);
            push(Step::Takeover(k), next, None, false);
        }
    }
    if world.edits > 0 {
        for edit in env::edits(&world.objects.app, bounds.scope) {
            let mut next = *world;
            env::edit(&mut next, edit);
            push(Step::Edit(edit), next, None, false);
        }
    }
    if world.mishaps > 0 {
        for mishap in env::mishaps(world) {
            let mut next = *world;
            env::happen(&mut next, mishap);
            push(Step::Mishap(mishap), next, None, false);
        }
    }
    if bounds.narrow {
        miss(world, out);
    }
    for next in out.iter_mut() {
        tidy(&mut next.world, bounds, guards);
    }
}

/// Each step again, as one of which a controller's watches have not told yet.
fn miss(world: &World, out: &mut Vec<Next>) {
    for k in 0..2 {
        for index in 0..out.len() {
            let Next { step, world: after, broken, fair } = &out[index];
            if let Some(untold) = narrow::untold(world, after, k) {
                let next = Next { step: *step, world: untold, broken: *broken, fair: *fair };
                out.push(next);
            }
        }
    }
}

fn controller_steps(
    world: &World,
    k: usize,
    bounds: &Bounds,
    guards: &Guards,
    push: &mut impl FnMut(Step, World, Option<Broken>, bool),
) {
    let controller = &world.controllers[k];
    let leads = controller.term == world.epoch;
    for moved in [true, false] {
        if let Some(next) = env::drain_passed(world, k, moved) {
            push(Step::DrainPassed(k, moved), next, None, true);
        }
    }
    let reads = controller.mode == Mode::Looking || !guards.live_look;
    for object in Object::ALL.into_iter().filter(|object| reads && controller.fresh & object.bit() == 0) {
        push(Step::Refresh(k, object), driver::refresh(world, k, object), None, true);
    }
    match controller.mode {
        Mode::Idle => {
            let (acts, clocks) = driver::wake(world, k, bounds, guards);
            // A cached read stops a clock.
            if clocks != controller.clocks {
                let mut next = *world;
                next.controllers[k].clocks = clocks;
                push(Step::CachedLook(k), next, None, leads);
            }
            // A stale cache may cause a look at any time; a fresh one must, when there is reason to.
            let reason = (leads || bounds.prompted) && acts;
            if reason || !bounds.prompted {
                push(Step::Begin(k), driver::begin(world, k, guards), None, reason && leads);
            }
            if bounds.from_nothing {
                for (next, broken, is_so) in driver::create_from_caches(world, k, bounds, guards) {
                    // Watches that lag for ever are nothing that goes well.
                    push(Step::Create(k), next, broken, is_so && leads);
                }
            }
            if bounds.narrow {
                // Watches that lag for ever are nothing that goes well.
                let fair = reason && leads && controller.cache == Cache::default();
                for to in Color::ALL {
                    if let Some(next) = narrow::begin(world, k, to, guards) {
                        push(Step::Confirm(k, to), next, None, fair);
                    }
                }
                for (object, next) in narrow::delivered(world, k) {
                    push(Step::Deliver(k, object), next, None, true);
                }
            }
            if !leads {
                let mut next = *world;
                driver::start(&mut next.controllers[k], 0, &world.objects, guards);
                push(Step::Notice(k), next, None, true);
            }
        }
        Mode::Looking => {
            let (next, _, broken) = driver::make_plan(world, k, How::Whole, bounds, guards);
            // A proven read of everything is enough for whatever it leads to.
            let next = next.unwrap_or(*world);
            planned((world, next, broken), k, How::Whole, (bounds, guards), push);
        }
        Mode::Confirming(to) => {
            for object in Object::ALL.into_iter().filter(|object| controller.fresh & object.bit() == 0) {
                if let Some(next) = narrow::refresh(world, k, to, object, guards) {
                    push(Step::Refresh(k, object), next, None, true);
                }
            }
            let (next, broken) = narrow::plan(world, k, to, bounds, guards);
            if let Some(next) = driver::report_only(&next, k) {
                push(Step::Plan(k), next, None, true);
            }
            push(Step::Plan(k), next, broken, true);
        }
        Mode::Answered => {
            for how in [How::Answered, How::Late] {
                if let (Some(next), _, broken) = driver::make_plan(world, k, how, bounds, guards) {
                    planned((world, next, broken), k, how, (bounds, guards), push);
                }
            }
            push(Step::ReadAgain(k), driver::reads_again(world, k, guards), None, true);
        }
        Mode::Acting { .. } => {
            for (index, request) in sent(controller) {
                let mut next = *world;
                // Not in the queue any more when it arrives, so that its own change does not outdate it.
                next.controllers[k].queue[index] = None;
                let (done, broken) = server::arrive(&mut next, request, guards);
                match done {
                    true => driver::done(&mut next, k, index, request.ask, guards),
                    false => driver::refused(&mut next.controllers[k], index, request, guards),
                }
                push(Step::Write(k, index), next, broken, true);
                if world.faults > 0 {
                    let mut next = *world;
                    next.faults -= 1;
                    driver::unanswered(&mut next.controllers[k], index, request, guards);
                    leave(&mut next, request);
                    push(Step::Timeout(k, index), next, None, false);
                }
            }
        }
    }
    if world.faults > 0 && leads {
        for survive in [false, true] {
            let mut next = *world;
            next.faults -= 1;
            next.epoch += 1;
            if survive && matches!(controller.mode, Mode::Acting { .. }) {
                for (_, request) in sent(controller) {
                    leave(&mut next, request);
                }
            } else if survive {
                continue;
            }
            driver::start(&mut next.controllers[k], next.epoch, &world.objects, guards);
            push(Step::Crash(k, survive), next, None, false);
        }
    }
}

/// What may follow once a controller has planned: all of it, its report alone, or a report in its place.
fn planned(
    (world, next, broken): (&World, World, Option<Broken>),
    k: usize,
    how: How,
    (bounds, guards): (&Bounds, &Guards),
    push: &mut impl FnMut(Step, World, Option<Broken>, bool),
) {
    if let Some(next) = driver::report_only(&next, k) {
        push(Step::Plan(k), next, None, true);
    }
    push(Step::Plan(k), next, broken, true);
    // After a write of unknown result the pass reads once more, and reports alone.
    let is_free = world.controllers[k].attempt > 0;
    if is_free || world.faults > 0 {
        for mut next in driver::reports_instead(world, k, how, bounds, guards) {
            next.faults -= u8::from(!is_free);
            push(Step::Plan(k), next, None, false);
        }
    }
}

/// What is on its way.
fn sent(controller: &Controller) -> impl Iterator<Item = (usize, Request)> + use<> {
    let controller = *controller;
    (0..controller.queue.len())
        .filter(move |&index| driver::is_sent(&controller, index))
        .filter_map(move |index| Some((index, controller.queue[index]?)))
}

/// Its sender has given up on it; the network has not.
fn leave(world: &mut World, request: Request) {
    if let Some(slot) = world.late.iter_mut().find(|slot| slot.is_none()) {
        *slot = Some(request);
    }
}

/// Forgets what can't matter any more, so that states that behave alike are alike.
fn tidy(world: &mut World, bounds: &Bounds, guards: &Guards) {
    // Exact only where tokens never go back: deletions could take one away, and the removal of a guard may make a
    // deposed leader act.
    if world.mishaps == 0 && *guards == Guards::ALL {
        for k in 0..2 {
            bury(world, k);
        }
    }
    for k in 0..2 {
        let Controller { term, mode, .. } = world.controllers[k];
        if term == 0 || term == world.epoch {
            continue;
        }
        match (bounds.deposed, mode) {
            (Deposed::Sends, _) => retire(world, k),
            (Deposed::Finishes, Mode::Idle) => {
                driver::start(&mut world.controllers[k], 0, &nothing(), &Guards::ALL);
            }
            // What it has sent is as good as late, or lost, which costs no fault then. What follows an answer is still to be
            // sent.
            (Deposed::Finishes, Mode::Acting { .. }) if driver::has_sent_all(&world.controllers[k]) => {
                retire(world, k);
            }
            (Deposed::Finishes | Deposed::GoesOn, _) => {}
        }
    }
    if world.late.iter().any(Option::is_some) {
        let holds = |&request: &Request| server::may_hold(world, request, bounds, guards);
        world.late = world.late.map(|late| late.filter(holds));
        sort_late(world);
    }
}

/// The order of late requests is nobody's business.
pub(crate) fn sort_late(world: &mut World) {
    if world.late.iter().flatten().count() > 1 {
        world.late.sort_by_cached_key(|request| request.as_ref().map(fingerprint));
    } else {
        world.late.sort_unstable_by_key(Option::is_some);
    }
}

/// A deposed leader that must see a newer token in whatever it reads from now on will do nothing but finish what
/// it sends: what it sends is as good as late, and it is as good as gone.
fn bury(world: &mut World, k: usize) {
    let controller = world.controllers[k];
    if controller.term == 0 || controller.term == world.epoch {
        return;
    }
    let read = if controller.mode.holds_view() { &controller.view } else { &world.objects };
    // A Deployment may be removed with its token, the Service stays.
    if read.service.is_some_and(|service| service.token.epoch > controller.term) {
        retire(world, k);
    }
}

/// What it sends is late, and it is gone.
fn retire(world: &mut World, k: usize) {
    let sent: Vec<Request> = sent(&world.controllers[k]).map(|(_, request)| request).collect();
    if sent.len() > world.late.iter().filter(|slot| slot.is_none()).count() {
        return;
    }
    for request in sent {
        leave(world, request);
    }
    driver::start(&mut world.controllers[k], 0, &nothing(), &Guards::ALL);
}
