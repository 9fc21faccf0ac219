//! Samples of the states that the model reaches, for tests that compare or try something in each.

use std::collections::HashSet;

use crate::fingerprint::fingerprint;
use crate::steps::successors;
use crate::world::{Controller, Mode, World};
use crate::{Bounds, Guards};

/// Shows the controllers that have read something and have not planned yet, in a sample of each layer of the exploration, so
/// that the walk gets far. It begins at both starts, and ends each walk once it has shown `enough`. Returns how many it has shown.
pub(crate) fn looks(
    bounds: &Bounds,
    per_layer: usize,
    enough: usize,
    mut look: impl FnMut(&Controller),
) -> usize {
    let (mut seen, mut shown) = (HashSet::new(), 0);
    for from_nothing in [false, true] {
        let mut layer = vec![World::first(&Bounds { from_nothing, ..*bounds })];
        while !layer.is_empty() && shown < enough * (1 + usize::from(from_nothing)) {
            let (mut next, mut nexts) = (Vec::new(), Vec::new());
            for world in &layer {
                for controller in world.controllers.iter().filter(|c| c.mode == Mode::Looking) {
                    look(controller);
                    shown += 1;
                }
                successors(world, bounds, &Guards::ALL, &mut nexts);
                let new = nexts.drain(..).map(|next| next.world);
                next.extend(new.filter(|world| seen.insert(fingerprint(world))));
            }
            let every = next.len().div_ceil(per_layer).max(1);
            layer = next.into_iter().step_by(every).collect();
        }
    }
    shown
}
