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
//! Pods that only one of a color's two Services lists, because one slice is written before the other, are not in the model,
//! where both are one step. The operator takes such endpoints for ones that have not moved: the replay tells its look so,
//! and lets a look at the caches stop the drain clocks by it.
//!
//! | file | holds |
//! |---|---|
//! | `seen` | what happened, as the run tells it |
//! | `explain` | the steps of the model that may be just that |
//! | `look` | is what a controller asked for what the model would ask for? |

mod explain;
mod look;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use crate::fingerprint::fingerprint;
use crate::objects::Object;
use crate::picture::Behind;
use crate::steps::{Next, Step, successors};
use crate::story;
use crate::world::{LATE, World};
use crate::{Bounds, Guards};
pub use look::{Look, object, words};
pub use seen::{Event, Seen, Unexplained, Writer};

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
    /// The live slices, as they are now, hold pods of both colors, or pods that no color's own slices list.
    mixed: bool,
    /// So they were since the last live look began: a cache may still say so.
    mixed_lately: bool,
    /// So they were when the look that is under way read them.
    mixed_view: bool,
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
        let first = World::first(&Bounds { from_nothing: true, ..bounds });
        Self {
            bounds,
            guards,
            without,
            states: vec![first],
            told: Vec::new(),
            mixed: false,
            mixed_lately: false,
            mixed_view: false,
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

    /// Takes note of whether the live slices are mixed, for whoever looks.
    fn look_at_slices(&mut self, seen: &Seen) {
        self.mixed = seen.after.live == Behind::Both;
        self.mixed_lately |= self.mixed;
        match seen.event {
            Event::Begin(_) => (self.mixed_view, self.mixed_lately) = (self.mixed, self.mixed),
            Event::Read(_, Object::Slices) => self.mixed_view = self.mixed,
            _ => {}
        }
    }

    /// The states, and those to which unseen steps lead from them.
    fn with_unseen(&self) -> Vec<World> {
        let mut all = self.states.clone();
        let mut known: HashSet<u128> = all.iter().map(fingerprint).collect();
        if self.mixed_lately {
            for world in &self.states {
                let next = explain::stopped(world);
                if known.insert(fingerprint(&next)) {
                    all.push(next);
                }
            }
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
        | Step::Notice(_) => true,
        Step::Begin(_)
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
