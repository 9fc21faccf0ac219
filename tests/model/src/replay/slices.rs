//! What a look sees of slices that the model tells otherwise.
//!
//! The model's pods come and go all at once, and a color's own slices and the live ones never contradict each other. Real
//! ones do for a moment: a pod that is taken away leaves one slice before the other. A look at such a moment finds
//! endpoints that have not moved, or too few, and by that stops a drain clock or takes a color for unready.

use bluegreen_api::{Color, PerColor};
use bluegreen_core::plan::Live;

use crate::Guards;
use crate::facts;
use crate::objects::FULL;
use crate::picture::{Behind, listed};
use crate::world::{Clock, Clocks, Mode, World};

/// What somebody sees of the slices who watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slices {
    /// What stands behind the live Service.
    pub live: Behind,
    /// Ready pods of each Deployment's template behind the color's own Service.
    pub own: PerColor<u8>,
}

/// The same read, with the counts that a Deployment may have in the middle of a roll-out: the model's pods come all at once.
/// `status.desiredHealthy` remembers the most that were available of the live color, and a target is large enough with as many
/// pods as the live color has.
/// `own`: what the slices show of each color, without which no other count of the target is worth a try.
fn rolling(world: &World, k: usize, own: &PerColor<u8>, guards: &Guards) -> Vec<World> {
    let controller = &world.controllers[k];
    let live = facts::routing(&controller.view, facts::token(controller), guards).live();
    let mut seen = vec![*world];
    for color in Color::ALL {
        let Some(deployment) = *controller.view.deployments.get(color) else { continue };
        if deployment.observed && deployment.current && deployment.have == deployment.replicas {
            continue;
        }
        let listed = *own.get(color);
        if live != Live::Selected(color) && (listed == 0 || listed >= deployment.replicas) {
            continue;
        }
        let with = |world: &World, count| {
            let mut world = *world;
            if let Some(deployment) = world.controllers[k].view.deployments.get_mut(color) {
                deployment.have = count;
            }
            world
        };
        let between = (1..=deployment.replicas).filter(|&count| count != deployment.have);
        let more: Vec<World> =
            between.flat_map(|count| seen.iter().map(move |world| with(world, count))).collect();
        seen.extend(more);
    }
    seen.split_off(1)
}

impl Slices {
    /// What this controller has read, if its slices were these: in the model's terms, with real counts where they are
    /// in between.
    pub(super) fn as_read(&self, world: &World, k: usize, guards: &Guards) -> Vec<World> {
        let mut world = *world;
        let controller = &mut world.controllers[k];
        if self.live == Behind::Both
            && let Live::Selected(color) =
                facts::routing(&controller.view, facts::token(controller), guards).live()
        {
            // Not all of the color that is selected: `cleared` holds for no color. Both together are enough.
            controller.view.slices.live = Some((color.other(), FULL));
        }
        let mut counted = world;
        let view = &mut counted.controllers[k].view;
        if let (Some((color, ready)), Behind::Pods(of, seen)) = (&mut view.slices.live, self.live)
            && *color == of
        {
            *ready = seen;
        }
        for color in Color::ALL {
            let (all, seen) = (listed(view, color), *self.own.get(color));
            if seen > 0 && seen < all {
                view.slices.own.get_mut(color).pods = seen;
            }
        }
        let mut seen = if counted == world { vec![world] } else { vec![world, counted] };
        for index in 0..seen.len() {
            let counts = rolling(&seen[index], k, &self.own, guards);
            seen.extend(counts);
        }
        seen
    }

    /// The state after a look at caches that hold these slices, if that stops a clock.
    pub(super) fn stop(&self, world: &World) -> Option<World> {
        let mut next = *world;
        for controller in next.controllers.iter_mut().filter(|controller| controller.mode == Mode::Idle) {
            match self.live {
                Behind::Both => controller.clocks = Clocks::default(),
                Behind::Pods(color, 0) if controller.clocks.color == Some(color) => {
                    controller.clocks.moved = Clock::Stopped;
                }
                Behind::Pods(..) | Behind::Nothing => {}
            }
            if controller.clocks.cleared == Clock::Stopped && controller.clocks.moved == Clock::Stopped {
                controller.clocks.color = None;
            }
        }
        (next != *world).then_some(next)
    }
}
