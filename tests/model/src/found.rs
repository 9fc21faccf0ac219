//! Every state that was found, by fingerprint. The states are dealt out to shards by it, so that each thread can add to its
//! own.

use crate::liveness::Graph;

/// As many as threads.
pub(crate) const SHARDS: usize = 2;

/// The shard of a state.
pub(crate) fn shard(print: u128) -> usize {
    (print >> 64) as usize % SHARDS
}

/// The states of one shard in the order in which they were found.
pub(crate) struct Shard {
    number: usize,
    prints: Vec<u128>,
    parents: Vec<u32>,
    /// Open addressing: a tag of the fingerprint, and the place of the state plus one; zero for an empty slot.
    slots: Vec<u64>,
    pub(crate) graph: Graph,
}

impl Shard {
    pub(crate) fn new(number: usize) -> Self {
        let slots = vec![0; 1 << 16];
        Self { number, prints: Vec::new(), parents: Vec::new(), slots, graph: Graph::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.prints.len()
    }

    /// The number of the state at this place; numbers fit into 32 bits, since four billion states would not fit into memory.
    pub(crate) fn id(&self, place: usize) -> u32 {
        u32::try_from(place * SHARDS + self.number).unwrap_or(u32::MAX)
    }

    /// Fingerprint and parent of the state with this number.
    pub(crate) fn of(&self, id: u32) -> (u128, u32) {
        let place = id as usize / SHARDS;
        (self.prints[place], self.parents[place])
    }

    pub(crate) fn get(&self, print: u128) -> Option<u32> {
        let place = (self.slots[self.slot(print)] as u32 as usize).checked_sub(1)?;
        Some(self.id(place))
    }

    /// Its number, and whether it is new.
    pub(crate) fn insert(&mut self, print: u128, parent: u32) -> (u32, bool) {
        let slot = self.slot(print);
        if let Some(place) = (self.slots[slot] as u32 as usize).checked_sub(1) {
            return (self.id(place), false);
        }
        let place = self.prints.len();
        self.prints.push(print);
        self.parents.push(parent);
        self.slots[slot] = tag(print) | (place as u64 + 1);
        if self.prints.len() * 10 > self.slots.len() * 7 {
            self.grow();
        }
        (self.id(place), true)
    }

    /// Where it is, or would be.
    fn slot(&self, print: u128) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = print as usize & mask;
        loop {
            let found = self.slots[slot];
            let is_it = || found & TAG == tag(print) && self.prints[found as u32 as usize - 1] == print;
            if found == 0 || is_it() {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for place in 0..self.prints.len() {
            let print = self.prints[place];
            let slot = self.slot(print);
            self.slots[slot] = tag(print) | (place as u64 + 1);
        }
    }
}

const TAG: u64 = !(u32::MAX as u64);

/// Bits of the fingerprint that tell most of those apart that share a slot.
fn tag(print: u128) -> u64 {
    (print >> 64) as u64 & TAG
}
