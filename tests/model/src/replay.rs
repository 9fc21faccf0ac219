//! Is what really happened something that the rules of the model allow?
//!
//! A run on a real API server is told as [`Seen`]: what a controller read and what it then asked for, what became of
//! each request, and each change of an object, with a [`Picture`] of all objects after it. The replay keeps every state
//! in which the model may be, given what was seen so far. For each thing seen it takes all steps that could be that very
//! thing, and keeps those states that look like the picture. When none is left, the model does not know the world.
//!
//! What nobody can see (pods that turn ready, a drain clock that passes or is stopped) is searched: any number of such
//! steps may happen before anything that is seen. A write that changes nothing of what the model tells apart still moves
//! a resourceVersion, so it outdates copies, and does nothing else.
//!
//! Slices know of states that the model leaves out, between none and all of the pods, or while one slice is written and the
//! other is not. They stop a drain clock of the operator, or keep a color from being ready: `slices` says so to its looks.
//!
//! | file | holds |
//! |---|---|
//! | `seen` | what happened, as the run tells it |
//! | `explain` | the steps of the model that may be just that |
//! | `slices` | what a look sees of slices that the model tells otherwise |
//! | `look` | is what a controller asked for what the model would ask for? |

mod explain;
mod look;
mod seen;
mod slices;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use crate::fingerprint::fingerprint;
use crate::objects::Object;
use crate::steps::{Next, Step, successors};
use crate::story;
use crate::world::{LATE, World};
use crate::{Bounds, Guards};
pub use look::{Look, object, words};
pub use seen::{Event, Seen, Unexplained, Writer};
use slices::Slices;

/// States that are kept at once, at the most.
const MOST: usize = 20_000;

/// The states in which the model may be.
pub struct Replay<'a> {
    bounds: Bounds,
    guards: Guards,
    /// Steps that the model is not to know, to see what is missed then.
    without: &'a dyn Fn(&Step) -> bool,
    states: Vec<World>,
    told: Vec<String>,
    /// What the slices were like when the look that is under way read them.
    read: Slices,
    /// What they have been like since it began, and are now: a cache may still say so.
    lately: Vec<Slices>,
    /// Requests may have been forgotten, since too many were on their way.
    full: bool,
    /// The most states that were possible at once.
    pub widest: usize,
    /// The most requests that might still arrive late at once. More than [`LATE`](crate::world::LATE) are forgotten.
    pub late: usize,
    /// What was explained.
    pub explained: usize,
}

impl<'a> Replay<'a> {
    /// From an app without children on; `bounds` says how the idle color is kept, and counts nothing.
    #[must_use]
    pub fn new(bounds: Bounds, guards: Guards, without: &'a dyn Fn(&Step) -> bool) -> Self {
        let bounds = Bounds { from_nothing: true, ..bounds };
        let first = World::first(&bounds);
        Self {
            bounds,
            guards,
            without,
            states: vec![first],
            told: Vec::new(),
            read: Slices::default(),
            lately: Vec::new(),
            full: false,
            widest: 1,
            late: 0,
            explained: 0,
        }
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
        let late = states.iter().map(|world| world.late.iter().flatten().count()).max();
        self.late = self.late.max(late.unwrap_or(0));
        self.full |= self.late == LATE;
        self.look_at_slices(seen);
        self.explained += 1;
        self.states = states;
        Ok(())
    }

    fn unexplained(&self, seen: &Seen, before: &[World], reasons: BTreeMap<String, usize>) -> Unexplained {
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        if self.full {
            let words =
                format!("{LATE} requests were on their way at once: the model may have forgotten others");
            reasons.insert(0, (words, 0));
        }
        Unexplained {
            before: self.told[self.told.len().saturating_sub(12)..].to_vec(),
            words: seen.words.clone(),
            reasons: reasons.into_iter().take(4).map(|(reason, _)| reason).collect(),
            state: before.first().map(story::state).unwrap_or_default(),
        }
    }

    /// Takes note of what the slices are like, for whoever looks.
    fn look_at_slices(&mut self, seen: &Seen) {
        let now = Slices { live: seen.after.live, own: seen.after.own };
        match seen.event {
            Event::Begin(_) => (self.read, self.lately) = (now, Vec::new()),
            Event::Read(_, Object::Slices) => self.read = now,
            _ => {}
        }
        if !self.lately.contains(&now) {
            self.lately.push(now);
        }
    }

    /// The states, and those to which unseen steps lead from them.
    fn with_unseen(&self) -> Vec<World> {
        let mut all = self.states.clone();
        let mut known: HashSet<u128> = all.iter().map(fingerprint).collect();
        for world in &self.states {
            let stopped = self.lately.iter().filter_map(|slices| slices.stop(world));
            all.extend(stopped.filter(|next| known.insert(fingerprint(next))));
        }
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

    /// All steps from here, with as many edits and faults as are wanted, since nothing is counted. Another edit may always
    /// follow: the model forgets a late create only when nothing that is still to come can remove what it creates.
    fn steps(&self, world: &World, budget: Budget) -> Vec<Next> {
        let Budget { edits, faults, mishaps } = budget;
        let mut out = Vec::new();
        let world = World { edits: edits + 1, faults, mishaps, ..*world };
        successors(&world, &self.bounds, &self.guards, &mut out);
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
        | Step::ReadAgain(_)
        | Step::Notice(_) => true,
        Step::Begin(_)
        | Step::Create(_)
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
        | Step::JobEnds(..)
        | Step::Edit(_)
        | Step::Mishap(_) => false,
    }
}
