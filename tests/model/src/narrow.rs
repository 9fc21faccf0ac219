//! A confirming read, as the operator makes it: by name, to confirm a switch that the caches ask for. Which revisions and pods
//! it reads is what the caches know, however old that is; the live slices and the other color's are as old as the caches.

use bluegreen_api::{Color, PerColor};
use bluegreen_core::pass::Basis;

use crate::driver::{self, Broken, How};
use crate::facts;
use crate::objects::{Kept, Listed, Object, Objects, REVISIONS, Slices};
use crate::world::{Cache, Clock, Controller, Mode, World};
use crate::{Bounds, Guards};

type Stored = PerColor<[Option<Kept>; REVISIONS]>;

/// Begins to read by name. `None`: not everything is as the caches say, so that everything has to be read.
pub(crate) fn begin(world: &World, k: usize, to: Color, guards: &Guards) -> Option<World> {
    let mut next = *world;
    let controller = &mut next.controllers[k];
    // The names are asked for now, whatever the watches tell meanwhile.
    let Cache { stored, slices } = controller.cache;
    let now = &world.objects;
    controller.cache = Cache { stored: stored.or(Some(now.stored)), slices: slices.or(Some(now.slices)) };
    controller.mode = Mode::Confirming(to);
    controller.view = *now;
    controller.fresh = 127;
    controller.view.jobs = None;
    read(controller, to, Object::Stored, now, guards)?;
    read(controller, to, Object::Slices, now, guards)?;
    Some(next)
}

/// Reads an object that has changed since.
pub(crate) fn refresh(world: &World, k: usize, to: Color, object: Object, guards: &Guards) -> Option<World> {
    let mut next = *world;
    let controller = &mut next.controllers[k];
    read(controller, to, object, &world.objects, guards)?;
    controller.fresh |= object.bit();
    Some(next)
}

fn read(
    controller: &mut Controller,
    to: Color,
    object: Object,
    now: &Objects,
    guards: &Guards,
) -> Option<()> {
    controller.view.read(object, now);
    let Cache { stored, slices } = controller.cache;
    match object {
        Object::Stored => controller.view.stored = revisions(&stored?, &now.stored, to, guards)?,
        Object::Slices => controller.view.slices = listed(slices?, &now.slices, to, guards),
        // They decide nothing: the status that is read does.
        Object::Jobs => controller.view.jobs = None,
        Object::App | Object::Service | Object::Deployment(_) => {}
    }
    Some(())
}

/// Of the target, the known ones have to be there, and the next one not; the other color's are as the caches say.
fn revisions(known: &Stored, now: &Stored, to: Color, guards: &Guards) -> Option<Stored> {
    let mut read = *known;
    if guards.narrow_revisions {
        let now = now.get(to);
        for (slot, now) in read.get_mut(to).iter_mut().zip(now) {
            if slot.is_some() {
                *slot = Some((*now)?);
            }
        }
        let next = facts::last(known.get(to)).map_or(0, usize::from);
        if now.get(next).is_some_and(Option::is_some) {
            return None;
        }
    }
    Some(read)
}

/// The target's own slices as they are, of which those pods count whose names the caches knew.
fn listed(known: Slices, now: &Slices, to: Color, guards: &Guards) -> Slices {
    let mut slices = known;
    if guards.narrow_slices {
        let (knew, is) = (*known.own.get(to), *now.own.get(to));
        let same = (knew.revision, knew.content) == (is.revision, is.content);
        let pods = if same { knew.pods.min(is.pods) } else { 0 };
        *slices.own.get_mut(to) = if pods > 0 { Listed { pods, ..is } } else { Listed::default() };
    }
    slices
}

/// Plans on that. What leads to anything but a step of that switch is not acted on: everything is read after all.
pub(crate) fn plan(
    world: &World,
    k: usize,
    to: Color,
    bounds: &Bounds,
    guards: &Guards,
) -> (World, Option<Broken>) {
    let (planned, clocks, broken) = match (guards.narrow_clock, guards.narrow_alone) {
        (true, true) => driver::make_plan(world, k, How::Confirm(to), bounds, guards),
        // Taken for a read of everything, but for the clocks.
        (true, false) => {
            let controller = &world.controllers[k];
            let (_, clocks) = driver::decide(&controller.view, controller, Basis::Confirmed, bounds, guards);
            let (planned, _, broken) = driver::make_plan(world, k, How::Whole, bounds, guards);
            let planned = planned.map(|mut next| {
                next.controllers[k].clocks = clocks;
                next
            });
            (planned, clocks, broken)
        }
        // Only for that switch, but its clocks start.
        (false, _) => {
            let controller = &world.controllers[k];
            let (decision, clocks) =
                driver::decide(&controller.view, controller, Basis::Proven, bounds, guards);
            if decision.plan.moves_to(&decision.facts) == Some(to) {
                driver::make_plan(world, k, How::Whole, bounds, guards)
            } else {
                (None, clocks, None)
            }
        }
    };
    let mut next = planned.unwrap_or_else(|| {
        let mut next = *world;
        next.controllers[k].clocks = clocks;
        driver::begin(&next, k, guards)
    });
    if !guards.narrow_clock {
        started_too_early(&mut next, k);
    }
    catch_up(&mut next, k);
    (next, broken)
}

/// A clock that runs although the other color is in the live slices, of which the caches did not know.
fn started_too_early(world: &mut World, k: usize) {
    let clocks = &mut world.controllers[k].clocks;
    let is_other = world.objects.slices.live.is_some_and(|(color, _)| Some(color) != clocks.color);
    for clock in [&mut clocks.moved, &mut clocks.cleared] {
        if let Clock::Running { returned } = clock {
            *returned |= is_other;
        }
    }
}

/// Caches that are as new as they can be are not told apart.
fn catch_up(world: &mut World, k: usize) {
    let Cache { stored, slices } = &mut world.controllers[k].cache;
    *stored = stored.filter(|stored| *stored != world.objects.stored);
    *slices = slices.filter(|slices| *slices != world.objects.slices);
}

/// The watches tell the rest of it.
pub(crate) fn delivered(world: &World, k: usize) -> impl Iterator<Item = (Object, World)> + use<> {
    let world = *world;
    let Cache { stored, slices } = world.controllers[k].cache;
    let with = move |object, cache| {
        let mut next = world;
        next.controllers[k].cache = cache;
        (object, next)
    };
    let revisions = stored.map(|_| with(Object::Stored, Cache { stored: None, slices }));
    let endpoints = slices.map(|_| with(Object::Slices, Cache { stored, slices: None }));
    revisions.into_iter().chain(endpoints)
}

/// The same step, of which the watches of a controller have not told yet.
pub(crate) fn untold(before: &World, after: &World, k: usize) -> Option<World> {
    let mut next = *after;
    let controller = &mut next.controllers[k];
    if controller.term == 0 || controller.term != before.controllers[k].term {
        return None;
    }
    let (was, is, cache) = (&before.objects, &after.objects, &mut controller.cache);
    if was.stored != is.stored && cache.stored.is_none() {
        cache.stored = Some(was.stored);
    }
    if was.slices != is.slices && cache.slices.is_none() {
        cache.slices = Some(was.slices);
    }
    (next != *after).then_some(next)
}

#[cfg(test)]
mod tests {
    use bluegreen_core::plan::Selection;

    use super::*;
    use crate::Idle;
    use crate::request::{Ask, Why};
    use crate::server;

    const BOUNDS: Bounds = Bounds {
        edits: 0,
        scope: crate::Scope::All,
        mishaps: 0,
        faults: 0,
        takeovers: 0,
        idle: Idle::Warm,
        prompted: false,
        narrow: true,
        deposed: crate::Deposed::Sends,
        checks: crate::Gates::None,
        from_nothing: false,
    };

    /// Green is asked for, ready, and recorded as the next to serve.
    fn about_to_switch() -> World {
        let mut world = World::first(&BOUNDS);
        world.objects.app.active = Color::Green;
        world.objects.app.status.settled = false;
        world.objects.app.status.switch = Some((Some(Color::Blue), Color::Green));
        world
    }

    fn confirmed(world: &World, guards: &Guards) -> Option<World> {
        let looking = begin(world, 0, Color::Green, guards)?;
        let (next, broken) = plan(&looking, 0, Color::Green, &BOUNDS, guards);
        assert_eq!(broken, None);
        (next.controllers[0].mode != Mode::Looking).then_some(next)
    }

    fn switched(mut world: World, guards: &Guards) -> (World, Option<Broken>) {
        let request = world.controllers[0].queue[0].take().unwrap();
        assert!(matches!(request.ask, Ask::PutService(_, Why::Switch)), "{request:?}");
        let (done, broken) = server::arrive(&mut world, request, guards);
        assert!(done);
        (world, broken)
    }

    #[test]
    fn a_ready_target_is_switched_to() {
        let next = confirmed(&about_to_switch(), &Guards::ALL).expect("it is all there");
        let (world, broken) = switched(next, &Guards::ALL);
        assert_eq!(broken, None);
        assert_eq!(world.objects.service.map(|s| s.selects), Some(Selection::Color(Color::Green)));
    }

    /// Too many edits for an exploration: green was taken out of the spec and came back with another tag and then the first
    /// one again, while a request to create its Deployment was late.
    #[test]
    fn a_revision_that_was_made_anew_is_read() {
        let mut world = about_to_switch();
        world.controllers[0].cache.stored = Some(world.objects.stored);
        world.objects.stored.green[0] = Some(Kept { content: 2, spec: 2 });
        assert!(confirmed(&world, &Guards::ALL).is_none());

        let without = Guards { narrow_revisions: false, ..Guards::ALL };
        let (_, broken) = switched(confirmed(&world, &without).expect("the caches say so"), &without);
        assert!(broken.is_some_and(|words| words.contains("something else than the stored revision")));
    }

    #[test]
    fn a_revision_that_is_gone_or_newer_is_noticed() {
        let mut world = about_to_switch();
        world.controllers[0].cache.stored = Some(world.objects.stored);
        world.objects.stored.green[1] = Some(Kept { content: 2, spec: 2 });
        assert!(begin(&world, 0, Color::Green, &Guards::ALL).is_none(), "the next number is taken");
        world.objects.stored.green = [None; REVISIONS];
        assert!(begin(&world, 0, Color::Green, &Guards::ALL).is_none(), "the known one is gone");
    }

    #[test]
    fn slices_that_the_caches_have_not_heard_of_count_for_nothing() {
        let mut world = about_to_switch();
        let mut known = world.objects.slices;
        known.own.green = Listed::default();
        world.controllers[0].cache.slices = Some(known);
        assert!(confirmed(&world, &Guards::ALL).is_none());
    }
}
