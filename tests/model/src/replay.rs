//! Is what really happened something that the rules of the model allow?
//!
//! A run on a real API server is told as [`Seen`]: what a controller read and what it then asked for, what became of
//! each request, and each change of an object, with a [`Picture`] of all objects after it. The replay keeps every state
//! in which the model may be, given what was seen so far. For each thing seen it takes all steps that could be that very
//! thing, and keeps those states that look like the picture. When none is left, the model does not know the world.
//!
//! What nobody can see (pods that turn ready, a drain clock that passes or is stopped) is searched: any number of such steps may happen before anything that is seen. A write that changes nothing
//! of what the model tells apart still moves a resourceVersion, so it outdates copies, and does nothing else.

mod look;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use bluegreen_operator::api::Color;

use crate::driver;
use crate::facts;
use crate::fingerprint::fingerprint;
use crate::objects::Object;
use crate::picture::Picture;
use crate::request::{Ask, Request};
use crate::server;
use crate::steps::{Next, Step, successors};
use crate::story;
use crate::world::World;
use crate::{Bounds, Guards};
pub use look::{Look, object, words};
use look::{asked_for, difference, holds, queued, same};

/// States that are kept at once, at the most.
const MOST: usize = 20_000;

/// Who wrote an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A controller that still waits for the answer.
    Operator(usize, Ask),
    /// A controller that does not wait any more.
    Late(Ask),
    /// Kubernetes' own controllers, or the operator where it changes nothing that the model knows.
    Other,
    /// The user edits the spec.
    User,
    /// Somebody edits or deletes a child.
    Stranger,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A controller begins to read.
    Begin(usize),
    /// It begins to read by name, to confirm a switch to this color.
    Confirm(usize, Color),
    /// It reads an object that has changed since.
    Read(usize, Object),
    /// It has read everything, and decides.
    Plan(usize, Look),
    /// A request was refused.
    Refused(usize, Ask),
    /// A request was accepted, and everything was so already.
    Unchanged(usize, Ask),
    /// A controller got no answer.
    Unanswered(usize, Ask),
    /// A controller got no answer to a request that is outside of the model.
    UnansweredOutside(usize),
    /// A controller crashed and leads again.
    Crash(usize),
    /// An object was changed.
    Changed(Object, Writer),
}

/// What happened, in words too, and what everything looks like after it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What happened.
    pub event: Event,
    /// The same for people.
    pub words: String,
    /// After it.
    pub after: Picture,
}

/// Something happened that no rule of the model explains.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// What had happened before, the last few.
    pub before: Vec<String>,
    /// What happened.
    pub words: String,
    /// Why each explanation fails, the most common ones.
    pub reasons: Vec<String>,
    /// A state in which the model could have been before.
    pub state: String,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for words in &self.before {
            writeln!(f, "  {words}")?;
        }
        writeln!(f, "=> {}\nNo rule of the model leads there from\n  {}", self.words, self.state)?;
        for reason in &self.reasons {
            writeln!(f, "  - {reason}")?;
        }
        Ok(())
    }
}

/// The states in which the model may be.
pub struct Replay<'a> {
    bounds: Bounds,
    guards: Guards,
    /// Steps that the model is not to know, to see what is missed then.
    without: &'a dyn Fn(&Step) -> bool,
    states: Vec<World>,
    told: Vec<String>,
    /// The most states that were possible at once.
    pub widest: usize,
    /// What was explained.
    pub explained: usize,
}

impl<'a> Replay<'a> {
    /// From an app without children on; `bounds` says how the idle color is kept, and counts nothing.
    #[must_use]
    pub fn new(bounds: Bounds, guards: Guards, without: &'a dyn Fn(&Step) -> bool) -> Self {
        let first = World::first(&Bounds { from_nothing: true, ..bounds });
        Self { bounds, guards, without, states: vec![first], told: Vec::new(), widest: 1, explained: 0 }
    }

    /// Replays everything.
    ///
    /// # Errors
    /// [`Unexplained`] at the first thing that no rule explains.
    pub fn all(mut self, run: &[Seen]) -> Result<Self, Box<Unexplained>> {
        for seen in run {
            self.see(seen)?;
        }
        Ok(self)
    }

    /// Takes every step that may be what was seen.
    ///
    /// # Errors
    /// [`Unexplained`] if there is none.
    pub fn see(&mut self, seen: &Seen) -> Result<(), Box<Unexplained>> {
        let before = self.with_unseen();
        let mut reasons = BTreeMap::<String, usize>::new();
        let mut known = HashSet::new();
        let mut states = Vec::new();
        for world in &before {
            let explanations = self.explanations(world, &seen.event);
            if let Err(reason) = &explanations {
                *reasons.entry(reason.clone()).or_default() += 1;
            }
            for next in explanations.unwrap_or_default() {
                match seen.after.agrees(&next.objects) {
                    Ok(()) if known.insert(fingerprint(&next)) => states.push(next),
                    Ok(()) => {}
                    Err(reason) => *reasons.entry(reason).or_default() += 1,
                }
            }
        }
        if states.is_empty() {
            return Err(Box::new(self.unexplained(seen, &before, reasons)));
        }
        self.told.push(seen.words.clone());
        self.widest = self.widest.max(states.len());
        self.explained += 1;
        self.states = states;
        Ok(())
    }

    fn unexplained(&self, seen: &Seen, before: &[World], reasons: BTreeMap<String, usize>) -> Unexplained {
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Unexplained {
            before: self.told[self.told.len().saturating_sub(12)..].to_vec(),
            words: seen.words.clone(),
            reasons: reasons.into_iter().take(4).map(|(reason, _)| reason).collect(),
            state: before.first().map(story::state).unwrap_or_default(),
        }
    }

    /// The states, and those to which unseen steps lead from them.
    fn with_unseen(&self) -> Vec<World> {
        let mut all = self.states.clone();
        let mut known: HashSet<u128> = all.iter().map(fingerprint).collect();
        let mut at = 0;
        while at < all.len() && all.len() < MOST {
            for next in self.steps(&all[at], Budget::default()) {
                if is_unseen(next.step) && next.broken.is_none() && known.insert(fingerprint(&next.world)) {
                    all.push(next.world);
                }
            }
            at += 1;
        }
        all
    }

    /// All steps from here, with as many edits and faults as are wanted, since nothing is counted.
    fn steps(&self, world: &World, budget: Budget) -> Vec<Next> {
        let Budget { edits, faults, mishaps } = budget;
        let mut out = Vec::new();
        successors(&World { edits, faults, mishaps, ..*world }, &self.bounds, &self.guards, &mut out);
        out.retain(|next| !(self.without)(&next.step));
        for next in &mut out {
            (next.world.edits, next.world.faults, next.world.mishaps) = (0, 0, 0);
        }
        out
    }

    fn one(
        &self,
        world: &World,
        budget: Budget,
        wanted: impl Fn(Step) -> bool,
    ) -> Result<Vec<World>, String> {
        let found: Vec<Next> =
            self.steps(world, budget).into_iter().filter(|next| wanted(next.step)).collect();
        match found.iter().find_map(|next| next.broken) {
            Some(broken) => Err(format!("it breaks a promise: {broken}")),
            None if found.is_empty() => Err("no such step is possible".to_owned()),
            None => Ok(found.into_iter().map(|next| next.world).collect()),
        }
    }

    /// The states to which this may have led from here.
    fn explanations(&self, world: &World, event: &Event) -> Result<Vec<World>, String> {
        let none = Budget::default();
        match event {
            // The deletion of an obsolete revision is not in the queue.
            Event::Refused(k, ask @ Ask::Drop(..)) if queued(&world.controllers[*k], ask).is_err() => {
                Ok(vec![*world])
            }
            Event::Unanswered(k, ask @ Ask::Drop(..)) if queued(&world.controllers[*k], ask).is_err() => {
                Ok(vec![unknown_outside(world, *k)])
            }
            Event::Begin(k) => self.one(world, none, |step| step == Step::Begin(*k)),
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
            Event::UnansweredOutside(k) => Ok(vec![unknown_outside(world, *k)]),
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
        let planned = self.one(world, Budget::default(), |step| step == Step::Plan(k))?;
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
}

/// How much of what does not come by itself may happen in one step.
#[derive(Clone, Copy, Default)]
struct Budget {
    edits: u8,
    faults: u8,
    mishaps: u8,
}

/// Steps that leave no trace.
fn is_unseen(step: Step) -> bool {
    match step {
        Step::Ready(_)
        | Step::CachedLook(_)
        | Step::DrainPassed(..)
        | Step::StandbyTimer(_)
        | Step::Deliver(..)
        | Step::Notice(_) => true,
        Step::Begin(_)
        | Step::Confirm(..)
        | Step::Refresh(..)
        | Step::Plan(_)
        | Step::Write(..)
        | Step::Timeout(..)
        | Step::Crash(..)
        | Step::Takeover(_)
        | Step::LateCommit(_)
        | Step::TakeNote(..)
        | Step::Roll(_)
        | Step::Recount(_)
        | Step::ListPods(_)
        | Step::MoveEndpoints
        | Step::Edit(_)
        | Step::Mishap(_) => false,
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
fn unknown_outside(world: &World, k: usize) -> World {
    let mut next = *world;
    driver::unknown_outside(&mut next.controllers[k]);
    next
}

/// The model keeps obsolete revisions; the operator may delete them, and no others.
fn is_obsolete(world: &World, color: Color, number: u8) -> bool {
    let objects = &world.objects;
    let running = objects.deployments.get(color).map(|deployment| deployment.revision);
    let needed = [facts::newest(objects.stored.get(color)), facts::current(objects, color), running];
    facts::kept(objects, color, number).is_some() && !needed.contains(&Some(number))
}

fn without_revision(world: &World, color: Color, number: u8) -> World {
    let mut next = *world;
    server::forget(&mut next, color, number);
    next.touch(Object::Stored);
    next
}
