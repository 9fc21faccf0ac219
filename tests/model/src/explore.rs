//! Breadth first over every state, so that the first counterexample is a shortest one.

use std::array;
use std::thread;

use crate::canonical::{canonical, shorten};
use crate::driver::Broken;
use crate::found::{SHARDS, Shard, shard};
use crate::liveness;
use crate::steps::{Next, Step, successors};
use crate::world::World;
use crate::{Bounds, Guards};

/// States of each shard that are expanded between two merges.
const BATCH: usize = 8192;

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
    let mut exploration = Exploration::new(&first, bounds, guards);
    let (mut depth, mut broken) = (0, None);
    let mut layer: [Vec<World>; SHARDS] = Default::default();
    'layers: while exploration.left() > 0 && exploration.states() < most {
        layer.iter_mut().for_each(Vec::clear);
        std::mem::swap(&mut layer, &mut exploration.layer);
        for batch in 0..layer.iter().map(|layer| layer.len().div_ceil(BATCH)).max().unwrap_or(0) {
            broken =
                exploration.step(layer.each_ref().map(|layer| layer.chunks(BATCH).nth(batch).unwrap_or(&[])));
            if broken.is_some() {
                break 'layers;
            }
            let to_go =
                layer.iter().map(|layer| layer.len().saturating_sub((batch + 1) * BATCH)).sum::<usize>();
            progress(exploration.states(), depth, to_go + exploration.left());
        }
        depth += 1;
    }
    let exhausted = broken.is_none() && exploration.left() == 0;
    let counterexample =
        broken.map(|(id, broken)| Counterexample { broken, path: exploration.path(id, first), first });
    Explored {
        states: exploration.states(),
        steps: exploration.steps,
        depth: depth.saturating_sub(1),
        exhausted,
        counterexample,
        ends: exploration.ends,
        settles: exhausted.then(|| liveness::is_acyclic(&exploration.shards)),
    }
}

struct Exploration<'a> {
    bounds: &'a Bounds,
    guards: &'a Guards,
    shards: [Shard; SHARDS],
    /// The states of the next layer, and how many were expanded of each shard; they come in the order of their numbers.
    layer: [Vec<World>; SHARDS],
    expanded: [usize; SHARDS],
    /// The buffers of the threads: new ones would be new pages each time.
    parts: [Part; SHARDS],
    steps: u64,
    ends: usize,
}

/// What one thread found.
#[derive(Default)]
struct Part {
    /// States that were not known, of each shard.
    new: [Vec<New>; SHARDS],
    /// Steps of a run without faults, and how many there are up to each state.
    fair: Vec<To>,
    rows: Vec<usize>,
    steps: u64,
    ends: usize,
    /// The first promise that was broken, and the state.
    broken: Option<(u32, Broken)>,
    /// Of the steps from one state.
    prints: Vec<u128>,
}

impl Part {
    fn clear(&mut self) {
        let Self { new, fair, rows, steps, ends, broken, prints } = self;
        new.iter_mut().for_each(Vec::clear);
        fair.clear();
        rows.clear();
        prints.clear();
        (*steps, *ends, *broken) = (0, 0, None);
    }
}

struct New {
    print: u128,
    parent: u32,
    world: World,
}

enum To {
    Known(u32),
    /// The shard, and the place among the new states.
    New(usize, usize),
}

impl<'a> Exploration<'a> {
    fn new(first: &World, bounds: &'a Bounds, guards: &'a Guards) -> Self {
        let mut exploration = Self {
            bounds,
            guards,
            shards: array::from_fn(Shard::new),
            layer: array::from_fn(|_| Vec::new()),
            expanded: [0; SHARDS],
            parts: array::from_fn(|_| Part::default()),
            steps: 0,
            ends: 0,
        };
        let first = canonical(first);
        let print = first.print(guards);
        exploration.shards[shard(print)].insert(print, u32::MAX);
        exploration.layer[shard(print)].push(first);
        exploration
    }

    fn states(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    fn left(&self) -> usize {
        self.layer.iter().map(Vec::len).sum()
    }

    /// Expands states of each shard, on a thread each. Says what that breaks.
    fn step(&mut self, worlds: [&[World]; SHARDS]) -> Option<(u32, Broken)> {
        let mut parts = std::mem::take(&mut self.parts);
        let this = &*self;
        thread::scope(|scope| {
            for (of, part) in parts.iter_mut().enumerate() {
                scope.spawn(move || this.expand(of, worlds[of], part));
            }
        });
        let mut ids: [[Vec<u32>; SHARDS]; SHARDS] = Default::default();
        thread::scope(|scope| {
            let shards = self.shards.iter_mut().zip(&mut self.layer).zip(&mut ids).enumerate();
            for (of, ((shard, layer), ids)) in shards {
                let parts = &parts;
                scope.spawn(move || *ids = array::from_fn(|by| merge(&parts[by].new[of], shard, layer)));
            }
        });
        for (of, part) in parts.iter().enumerate() {
            let mut start = 0;
            for &end in &part.rows {
                for to in &part.fair[start..end] {
                    self.shards[of].graph.push(match *to {
                        To::Known(id) => id,
                        To::New(shard, place) => ids[shard][of][place],
                    });
                }
                self.shards[of].graph.end_row();
                start = end;
            }
            self.expanded[of] += worlds[of].len();
            self.steps += part.steps;
            self.ends += part.ends;
        }
        let broken = parts.iter().find_map(|part| part.broken);
        self.parts = parts;
        broken
    }

    fn expand(&self, of: usize, worlds: &[World], part: &mut Part) {
        part.clear();
        let mut nexts = Vec::new();
        for (index, world) in worlds.iter().enumerate() {
            let id = self.shards[of].id(self.expanded[of] + index);
            self.expand_one(id, world, part, &mut nexts);
            part.rows.push(part.fair.len());
        }
    }

    fn expand_one(&self, id: u32, world: &World, part: &mut Part, nexts: &mut Vec<Next>) {
        let (bounds, guards) = (self.bounds, self.guards);
        successors(world, bounds, guards, nexts);
        let mut is_end = true;
        part.prints.clear();
        for next in nexts.iter_mut() {
            // To do nothing is no step of a run.
            next.fair &= next.world != *world;
            // What is late may also be lost: then this is the end, too.
            is_end &= !next.fair || matches!(next.step, Step::LateCommit(_));
            shorten(&mut next.world);
            part.prints.push(next.world.print(guards));
        }
        // Each look into the table waits for memory. One after the other they wait together.
        for (next, &print) in nexts.iter().zip(&part.prints) {
            let shard = shard(print);
            let to = self.shards[shard].get(print).map_or_else(
                || {
                    part.new[shard].push(New { print, parent: id, world: next.world });
                    To::New(shard, part.new[shard].len() - 1)
                },
                To::Known,
            );
            if next.fair {
                part.fair.push(to);
            }
        }
        let broken = nexts.iter().find_map(|next| next.broken);
        let broken = broken.or_else(|| if is_end { liveness::wrong_end(world, bounds) } else { None });
        part.broken = part.broken.or(broken.map(|broken| (id, broken)));
        part.steps += nexts.len() as u64;
        part.ends += usize::from(is_end);
    }

    /// Walks the way again, since only fingerprints were kept.
    fn path(&self, id: u32, first: World) -> Vec<(Step, World)> {
        let mut prints = Vec::new();
        let mut at = id;
        while at != u32::MAX {
            let (print, parent) = self.shards[at as usize % SHARDS].of(at);
            prints.push(print);
            at = parent;
        }
        let (mut world, mut path, mut nexts) = (first, Vec::new(), Vec::new());
        for &print in prints.iter().rev().skip(1) {
            successors(&world, self.bounds, self.guards, &mut nexts);
            if let Some(next) = nexts.iter().find(|next| canonical(&next.world).print(self.guards) == print) {
                path.push((next.step, next.world));
                world = next.world;
            }
        }
        successors(&world, self.bounds, self.guards, &mut nexts);
        path.extend(nexts.iter().find(|next| next.broken.is_some()).map(|next| (next.step, next.world)));
        path
    }
}

/// The numbers of states that were new to a thread; the first way to each of them is kept.
fn merge(new: &[New], shard: &mut Shard, layer: &mut Vec<World>) -> Vec<u32> {
    let ids = new.iter().map(|New { print, parent, world }| {
        let (id, is_new) = shard.insert(*print, *parent);
        if is_new {
            layer.push(*world);
        }
        id
    });
    ids.collect()
}
