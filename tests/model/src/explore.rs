//! Breadth first over every state, so that the first counterexample is a shortest one.

use std::thread;

use crate::driver::Broken;
use crate::fingerprint::fingerprint;
use crate::liveness;
use crate::steps::{Next, Step, successors};
use crate::world::World;
use crate::{Bounds, Guards};

/// States that are expanded between two merges.
const BATCH: usize = 16_384;

/// A path from the first state, and what is wrong at its end.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The promise that was broken.
    pub broken: Broken,
    /// Each step and the state that it led to.
    pub path: Vec<(Step, World)>,
    /// Where it began.
    pub first: World,
}

/// What an exploration found.
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: u64,
    /// Steps of the longest shortest path.
    pub depth: usize,
    /// Every state was expanded.
    pub exhausted: bool,
    /// A promise was broken, or a state leads nowhere.
    pub counterexample: Option<Counterexample>,
    /// States in which nothing is left to do; all of them are what the spec asks for.
    pub ends: usize,
    /// Whether every run in which nothing goes wrong any more comes to an end; not asked when a promise was broken.
    pub settles: Option<bool>,
}

/// Explores everything, or until a promise is broken, or `most` states.
///
/// `progress` is told (states, depth, states left) now and then.
#[must_use]
pub fn explore(
    bounds: &Bounds,
    guards: &Guards,
    most: usize,
    mut progress: impl FnMut(usize, usize, usize),
) -> Explored {
    let first = World::first(bounds);
    let mut found = Found::new(fingerprint(&first));
    let mut layer = vec![first];
    let (mut start, mut depth, mut steps, mut ends) = (0_usize, 0, 0, 0);
    let mut broken = None;
    'layers: while !layer.is_empty() && found.len() < most {
        let mut next_layer = Vec::new();
        for (batch, worlds) in layer.chunks(BATCH).enumerate() {
            for (offset, expanded) in expand(worlds, &found, bounds, guards).into_iter().enumerate() {
                let id = start + batch * BATCH + offset;
                steps += expanded.steps;
                for edge in expanded.edges {
                    let (to, is_new) = match edge.to {
                        To::Known(to) => (to, false),
                        To::New(print, _) => found.insert(print, id),
                    };
                    if let (true, To::New(_, world)) = (is_new, edge.to) {
                        next_layer.push(*world);
                    }
                    if edge.fair && to != id {
                        found.graph.push(to);
                    }
                }
                found.graph.end_row();
                if expanded.is_end {
                    ends += 1;
                }
                if let Some(what) = expanded.broken {
                    broken = Some((id, what));
                    break 'layers;
                }
            }
            progress(found.len(), depth, layer.len().saturating_sub((batch + 1) * BATCH) + next_layer.len());
        }
        start += layer.len();
        layer = next_layer;
        depth += 1;
    }
    let exhausted = layer.is_empty();
    let counterexample = broken.map(|(id, what)| found.story(id, what, first, bounds, guards));
    let settles = (exhausted && counterexample.is_none()).then(|| found.graph.is_acyclic());
    Explored {
        states: found.len(),
        steps,
        depth: depth.saturating_sub(1),
        exhausted,
        counterexample,
        ends,
        settles,
    }
}

/// One state's edges.
struct Expanded {
    edges: Vec<Edge>,
    broken: Option<Broken>,
    steps: u64,
    is_end: bool,
}

struct Edge {
    to: To,
    fair: bool,
}

enum To {
    Known(usize),
    New(u128, Box<World>),
}

fn expand(worlds: &[World], found: &Found, bounds: &Bounds, guards: &Guards) -> Vec<Expanded> {
    let half = worlds.len().div_ceil(2);
    let (left, right) = worlds.split_at(half.min(worlds.len()));
    let run = |worlds: &[World]| {
        let mut nexts = Vec::new();
        worlds.iter().map(|world| expand_one(world, found, bounds, guards, &mut nexts)).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| run(right));
        let mut all = run(left);
        match other.join() {
            Ok(rest) => all.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        all
    })
}

fn expand_one(
    world: &World,
    found: &Found,
    bounds: &Bounds,
    guards: &Guards,
    nexts: &mut Vec<Next>,
) -> Expanded {
    successors(world, bounds, guards, nexts);
    let broken = nexts.iter().find_map(|next| next.broken);
    let mut edges = Vec::with_capacity(nexts.len());
    for next in nexts.iter() {
        let print = fingerprint(&next.world);
        let to = found.get(print).map_or_else(|| To::New(print, Box::new(next.world)), To::Known);
        edges.push(Edge { to, fair: next.fair });
    }
    // What is late may also be lost: then this is the end, too.
    let moves = |next: &Next| next.fair && !matches!(next.step, Step::LateCommit(_));
    let is_end = !nexts.iter().any(|next| moves(next) && next.world != *world);
    let broken = broken.or_else(|| if is_end { liveness::wrong_end(world, bounds) } else { None });
    Expanded { edges, broken, steps: nexts.len() as u64, is_end }
}

/// Every state that was found, by fingerprint; its number is its place in `prints`.
struct Found {
    prints: Vec<u128>,
    parents: Vec<u32>,
    /// Open addressing; numbers plus one, zero for an empty slot.
    slots: Vec<u32>,
    graph: liveness::Graph,
}

impl Found {
    fn new(first: u128) -> Self {
        let mut found = Self {
            prints: Vec::new(),
            parents: Vec::new(),
            slots: vec![0; 1 << 16],
            graph: liveness::Graph::default(),
        };
        found.insert(first, 0);
        found
    }

    fn len(&self) -> usize {
        self.prints.len()
    }

    fn slot(&self, print: u128) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = usize::try_from(print & u128::from(u64::MAX)).unwrap_or(0) & mask;
        while self.slots[slot] != 0 && self.prints[self.slots[slot] as usize - 1] != print {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn get(&self, print: u128) -> Option<usize> {
        (self.slots[self.slot(print)] as usize).checked_sub(1)
    }

    fn insert(&mut self, print: u128, parent: usize) -> (usize, bool) {
        let slot = self.slot(print);
        if let Some(id) = (self.slots[slot] as usize).checked_sub(1) {
            return (id, false);
        }
        let id = self.prints.len();
        self.prints.push(print);
        self.parents.push(number(parent));
        self.slots[slot] = number(id + 1);
        if self.prints.len() * 10 > self.slots.len() * 7 {
            self.grow();
        }
        (id, true)
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for id in 0..self.prints.len() {
            let slot = self.slot(self.prints[id]);
            self.slots[slot] = number(id + 1);
        }
    }

    /// Walks the way again, since only fingerprints were kept.
    fn story(
        &self,
        id: usize,
        broken: Broken,
        first: World,
        bounds: &Bounds,
        guards: &Guards,
    ) -> Counterexample {
        let mut ids = vec![id];
        while let Some(&last) = ids.last()
            && last != 0
        {
            ids.push(self.parents[last] as usize);
        }
        let (mut world, mut path, mut nexts) = (first, Vec::new(), Vec::new());
        for &id in ids.iter().rev().skip(1) {
            successors(&world, bounds, guards, &mut nexts);
            if let Some(next) = nexts.iter().find(|next| fingerprint(&next.world) == self.prints[id]) {
                path.push((next.step, next.world));
                world = next.world;
            }
        }
        successors(&world, bounds, guards, &mut nexts);
        path.extend(nexts.iter().find(|next| next.broken.is_some()).map(|next| (next.step, next.world)));
        Counterexample { broken, path, first }
    }
}

/// State numbers fit into 32 bits: four billion states would not fit into memory.
fn number(id: usize) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}
