//! Which steps of the model may be what was seen.

use bluegreen_api::Color;

use super::look::{asked_for, difference, holds, queued, same};
use super::{Budget, Event, Look, Replay, Writer};
use crate::driver::{self, How};
use crate::facts;
use crate::objects::Object;
use crate::request::{Ask, Request};
use crate::server;
use crate::steps::Step;
use crate::story;
use crate::world::{Mode, World};

impl Replay<'_> {
    /// The states to which this may have led from here.
    pub(super) fn explanations(&self, world: &World, event: &Event) -> Result<Vec<World>, String> {
        let none = Budget::default();
        match event {
            // The deletion of an obsolete revision is not in the queue.
            Event::Refused(k, ask @ Ask::Drop(..)) if queued(&world.controllers[*k], ask).is_err() => {
                Ok(vec![*world])
            }
            Event::Unanswered(k, ask @ Ask::Drop(..)) if queued(&world.controllers[*k], ask).is_err() => {
                Ok(vec![unknown_outside(world, *k, None)])
            }
            Event::Begin(k) => self.one(world, none, |step| step == Step::Begin(*k)),
            Event::Create(k, look) => {
                fitting(self.one(world, none, |step| step == Step::Create(*k))?, *k, look)
            }
            Event::Confirm(k, to) => self.one(world, none, |step| step == Step::Confirm(*k, *to)),
            Event::Read(k, object) if world.controllers[*k].fresh & object.bit() != 0 => Ok(vec![*world]),
            Event::Read(k, object) => self.one(world, none, |step| step == Step::Refresh(*k, *object)),
            Event::Plan(k, look) => self.planned(world, *k, look),
            Event::Refused(k, ask) => self.answered(world, *k, ask, false),
            Event::Unchanged(k, ask) => self.answered(world, *k, ask, true),
            Event::Unanswered(k, ask) => {
                let index = queued(&world.controllers[*k], ask)?;
                let fault = Budget { faults: 1, ..none };
                self.one(world, fault, |step| step == Step::Timeout(*k, index))
            }
            Event::UnansweredOutside(k, removed) => Ok(vec![unknown_outside(world, *k, *removed)]),
            Event::Crash(k) => {
                let fault = Budget { faults: 1, ..none };
                self.one(world, fault, |step| matches!(step, Step::Crash(who, _) if who == *k))
            }
            Event::Changed(object, writer) => self.changed(world, *object, writer),
        }
    }

    fn changed(&self, world: &World, object: Object, writer: &Writer) -> Result<Vec<World>, String> {
        match writer {
            // One that nothing needs is outside of the model.
            Writer::Operator(k, ask @ Ask::Drop(color, number))
                if queued(&world.controllers[*k], ask).is_err() && is_obsolete(world, *color, *number) =>
            {
                Ok(vec![without_revision(world, *color, *number)])
            }
            Writer::Late(Ask::Drop(color, number)) if is_obsolete(world, *color, *number) => {
                Ok(vec![without_revision(world, *color, *number)])
            }
            Writer::Operator(k, ask) => {
                let index = queued(&world.controllers[*k], ask)?;
                self.one(world, Budget::default(), |step| step == Step::Write(*k, index))
            }
            Writer::Late(ask) => {
                let is_this =
                    |request: &Option<Request>| request.is_some_and(|request| same(request.ask, *ask));
                let index = world.late.iter().position(is_this).ok_or("no such request can still arrive")?;
                self.one(world, Budget::default(), |step| step == Step::LateCommit(index))
            }
            Writer::Other => Ok(self.by_kubernetes(world, object)),
            Writer::User => {
                let edit = Budget { edits: 1, ..Budget::default() };
                self.one(world, edit, |step| matches!(step, Step::Edit(_)))
            }
            Writer::Stranger => {
                let mishap = Budget { mishaps: 1, ..Budget::default() };
                self.one(world, mishap, |step| matches!(step, Step::Mishap(_)))
            }
        }
    }

    /// One write of Kubernetes may be several steps of the model, or none.
    fn by_kubernetes(&self, world: &World, object: Object) -> Vec<World> {
        let mut touched = *world;
        touched.touch(object);
        let mut all = vec![touched];
        let mut last = vec![*world];
        for _ in 0..3 {
            let nexts = last.iter().flat_map(|world| self.steps(world, Budget::default()));
            last = nexts.filter(|next| writes(next.step, object)).map(|next| next.world).collect();
            all.extend(&last);
        }
        all
    }

    fn answered(&self, world: &World, k: usize, ask: &Ask, accepted: bool) -> Result<Vec<World>, String> {
        let controller = &world.controllers[k];
        let index = queued(controller, ask)?;
        let request = controller.queue[index].ok_or("not asked for")?;
        if server::holds(world, request, &self.guards) != accepted {
            let would = if accepted { "refuse" } else { "accept" };
            return Err(format!("the model's server would {would} to {}", story::request(request)));
        }
        let mut next = self.one(world, Budget::default(), |step| step == Step::Write(k, index))?;
        next.retain(|next| next.objects == world.objects);
        Ok(next)
    }

    fn planned(&self, world: &World, k: usize, look: &Look) -> Result<Vec<World>, String> {
        let mut planned = Vec::new();
        let is_answered = world.controllers[k].mode == Mode::Answered;
        let how = if is_answered { How::Answered } else { How::Whole };
        for world in self.read.as_read(world, k, &self.guards) {
            planned.extend(self.one(&world, Budget::default(), |step| step == Step::Plan(k))?);
            planned.extend(driver::reports_instead(&world, k, how, &self.bounds, &self.guards));
        }
        fitting(planned, k, look)
    }
}

/// Those in which the model asks for what was asked for.
fn fitting(planned: Vec<World>, k: usize, look: &Look) -> Result<Vec<World>, String> {
    let (mut fits, mut differs) = (Vec::new(), None);
    for mut next in planned {
        let queue: Vec<Ask> = next.controllers[k].queue.iter().flatten().map(|r| r.ask).collect();
        if !asked_for(&queue, look) {
            differs = Some(difference(&queue, look));
            continue;
        }
        if !queue.iter().any(|ask| holds(&look.asks, ask)) {
            // Nothing was sent of what would be sent after one more look.
            driver::sent_nothing(&mut next.controllers[k]);
        }
        fits.push(next);
    }
    match differs {
        Some(differs) if fits.is_empty() => Err(differs),
        Some(_) | None => Ok(fits),
    }
}

/// Steps of Kubernetes' own controllers that write this object.
fn writes(step: Step, object: Object) -> bool {
    match (object, step) {
        (Object::Deployment(color), Step::TakeNote(of, _) | Step::Roll(of) | Step::Recount(of)) => {
            color == of
        }
        (Object::Slices, Step::ListPods(_) | Step::MoveEndpoints) => true,
        _ => false,
    }
}

/// From now on it knows that something that it sent may still commit.
fn unknown_outside(world: &World, k: usize, removed: Option<Color>) -> World {
    let mut next = *world;
    driver::unknown_outside(&mut next.controllers[k], removed);
    next
}

/// The model keeps obsolete revisions; the operator may delete them, and no others.
fn is_obsolete(world: &World, color: Color, number: u8) -> bool {
    let objects = &world.objects;
    let running = objects.deployments.get(color).map(|deployment| deployment.revision);
    let last = facts::last(objects.stored.get(color));
    let needed = [last, facts::newest(objects, color), facts::current(objects, color), running];
    facts::kept(objects, color, number).is_some() && !needed.contains(&Some(number))
}

fn without_revision(world: &World, color: Color, number: u8) -> World {
    let mut next = *world;
    server::forget(&mut next, color, number);
    next.touch(Object::Stored);
    next
}
