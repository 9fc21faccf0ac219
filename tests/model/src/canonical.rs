//! States that behave alike, as one.
//!
//! [`shorten`] replaces what no later step and no check can tell apart. From a state and from what it is made here the
//! same steps lead to the same states, and break the same promises: a test compares them step by step.

use std::cmp::Ordering;

use bluegreen_api::Color;

use crate::objects::{Object, Objects, Token};
use crate::steps;
use crate::world::{Clock, Controller, LATE, Mode, QUEUE, World};

/// A token that its reader takes for that of a later leader.
const NEWER: Token = Token { epoch: u8::MAX, attempt: 0 };

/// Takes out what makes no difference.
pub(crate) fn shorten(world: &mut World) {
    // The two have no names.
    if world.controllers[1].term == world.epoch {
        world.controllers.swap(0, 1);
    }
    for k in 0..2 {
        if world.controllers[k].term > 0 {
            memory(world, k);
        }
    }
    truth(world);
    tokens(world);
    steps::sort_late(world);
}

/// The same state without what makes no difference.
pub(crate) fn canonical(world: &World) -> World {
    let mut world = *world;
    shorten(&mut world);
    world
}

fn memory(world: &mut World, k: usize) {
    let objects = &world.objects;
    let controller = &mut world.controllers[k];
    // Whether the other color came back since a clock was started matters only while it counts as exposed: if it comes back
    // later, that is noted then.
    let other = controller.clocks.color.map(Color::other);
    if other.is_some_and(|color| !world.truth.get(color).exposed) {
        for clock in [&mut controller.clocks.moved, &mut controller.clocks.cleared] {
            if let Clock::Running { returned } = clock {
                *returned = false;
            }
        }
    }
    // Requests are told apart by their order, not by their place.
    let mut asked = controller.queue.into_iter().flatten();
    controller.queue = std::array::from_fn(|_| asked.next());
    // No status tells it: see `environment::ready`.
    let read = &mut controller.view.deployments;
    for deployment in [&mut read.blue, &mut read.green].into_iter().flatten() {
        deployment.pods = 0;
    }
    // Of a token that was read, only this is asked.
    let mine = Token { epoch: controller.term, attempt: controller.attempt };
    each_token(&mut controller.view, |token| {
        *token = match token.epoch.cmp(&mine.epoch) {
            Ordering::Greater => NEWER,
            Ordering::Equal | Ordering::Less if *token == mine => mine,
            Ordering::Equal | Ordering::Less => Token::default(),
        };
    });
    // No write has a precondition on the list of revisions: reading the same again changes nothing.
    let read = (&controller.view.stored, controller.view.stored_long_ago);
    if controller.mode == Mode::Looking && read == (&objects.stored, objects.stored_long_ago) {
        controller.fresh |= Object::Stored.bit();
    }
}

/// More pods than a switch ever asks for prove nothing more. It will not ask for more than now, unless sizes are edited.
fn truth(world: &mut World) {
    if world.sized {
        carries(world);
    }
    world.carried = world.carried.min(world.least).max(1);
    let enough = if world.sized { world.largest() } else { world.carried };
    for truth in [&mut world.truth.blue, &mut world.truth.green] {
        truth.up = truth.up.min(enough);
        truth.listed = truth.listed.min(enough);
    }
}

/// What carries the traffic now. What carried it before counts for as long as something is under way that may have been
/// decided then.
fn carries(world: &mut World) {
    let live = world.committed.and_then(|color| *world.objects.deployments.get(color));
    let now = live.map_or(0, |deployment| deployment.have);
    let at_rest =
        world.controllers.iter().all(|c| c.mode == Mode::Idle) && world.late.iter().all(Option::is_none);
    (world.carried, world.least) =
        if at_rest { (now, world.objects.app.replicas) } else { (world.carried.min(now), world.least) };
}

/// Of tokens only two things are ever asked: are two of them equal, and is one of a later term than a controller's. So those of
/// controllers and of requests get the numbers 2, 4, 6 … in their order, and what stands on an object and is none of them gets
/// the number between.
fn tokens(world: &mut World) {
    let mut known = [Token::default(); 2 + 2 * QUEUE + LATE];
    let mut count = 0;
    let mut add = |token: Token| {
        let place = known[..count].partition_point(|known| *known < token);
        if place == count || known[place] != token {
            known.copy_within(place..count, place + 1);
            known[place] = token;
            count += 1;
        }
    };
    for Controller { term, attempt, queue, .. } in &world.controllers {
        if *term > 0 {
            add(Token { epoch: *term, attempt: *attempt });
        }
        queue.iter().flatten().filter_map(|request| request.ask.token()).for_each(&mut add);
    }
    world.late.iter().flatten().filter_map(|request| request.ask.token()).for_each(&mut add);
    let known = &known[..count];
    let number = |token: &mut Token| {
        let below = known.partition_point(|known| *known < *token);
        let between = known.get(below) != Some(token);
        let number = u8::try_from(2 * below + if between { 1 } else { 2 }).unwrap_or(u8::MAX);
        // A controller remembers that there was an unknown result in its term.
        let attempt = if between { 0 } else { token.attempt.min(1) };
        *token = Token { epoch: number, attempt };
    };
    each_token(&mut world.objects, number);
    let mut leads = 0;
    for controller in &mut world.controllers {
        let before = Token { epoch: controller.term, attempt: controller.attempt };
        if controller.term > 0 {
            let mut mine = before;
            number(&mut mine);
            each_token(&mut controller.view, |token| {
                if *token == before {
                    *token = mine;
                }
            });
            (controller.term, controller.attempt) = (mine.epoch, mine.attempt);
            leads = leads.max(mine.epoch);
        }
        for request in controller.queue.iter_mut().flatten() {
            if let Some(token) = request.ask.token_mut() {
                number(token);
            }
        }
    }
    for request in world.late.iter_mut().flatten() {
        if let Some(token) = request.ask.token_mut() {
            number(token);
        }
    }
    world.epoch = leads;
}

fn each_token(objects: &mut Objects, mut change: impl FnMut(&mut Token)) {
    if let Some(service) = &mut objects.service {
        change(&mut service.token);
    }
    for deployment in [&mut objects.deployments.blue, &mut objects.deployments.green].into_iter().flatten() {
        change(&mut deployment.token);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;
    use crate::driver::Broken;
    use crate::fingerprint::fingerprint;
    use crate::steps::{Next, Step, successors};
    use crate::{Bounds, Deposed, Guards, Idle, Scope};

    fn nexts(world: &World, bounds: &Bounds, guards: &Guards) -> Vec<Next> {
        let mut nexts = Vec::new();
        successors(world, bounds, guards, &mut nexts);
        nexts
    }

    /// Where the steps from a state lead, what they break, and whether they belong to a run without faults. To read again
    /// what has not changed leads nowhere.
    fn leads_to(world: &World, bounds: &Bounds, guards: &Guards) -> BTreeSet<(u128, Option<Broken>, bool)> {
        let own = fingerprint(&canonical(world));
        let all = nexts(world, bounds, guards).into_iter().filter_map(|next| {
            let to = fingerprint(&canonical(&next.world));
            let reads_the_same = to == own && matches!(next.step, Step::Refresh(..));
            (!reads_the_same).then_some((to, next.broken, next.fair && next.world != *world))
        });
        all.collect()
    }

    /// Compares a sample of each layer of an exploration with what is made of it; how many, and how many of them differ.
    fn compare(bounds: &Bounds, guards: &Guards) -> (usize, usize) {
        let (mut seen, mut layer) = (HashSet::new(), vec![World::first(bounds)]);
        let (mut compared, mut differ) = (0, 0);
        while !layer.is_empty() {
            let mut next = Vec::new();
            for world in &layer {
                let short = canonical(world);
                assert_eq!(short, canonical(&short));
                let (of_it, of_short) = (leads_to(world, bounds, guards), leads_to(&short, bounds, guards));
                assert_eq!(of_it, of_short, "{bounds:?} {guards:?}\n{world:#?}\n{short:#?}");
                compared += 1;
                differ += usize::from(short != *world);
                let worlds = nexts(world, bounds, guards).into_iter().map(|next| next.world);
                next.extend(worlds.filter(|world| seen.insert(fingerprint(world))));
            }
            let every = next.len().div_ceil(30).max(1);
            layer = next.into_iter().step_by(every).collect();
        }
        (compared, differ)
    }

    #[test]
    fn a_state_and_its_short_form_take_the_same_steps() {
        let two = Bounds { edits: 2, scope: Scope::All, faults: 2, takeovers: 1, ..Bounds::default() };
        let mut all: Vec<_> =
            Guards::each_removed().into_iter().map(|(_, guards, bounds)| (guards, bounds)).collect();
        for deposed in [Deposed::Sends, Deposed::Finishes, Deposed::GoesOn] {
            for idle in [Idle::Warm, Idle::Reduced, Idle::Timed] {
                let bounds = Bounds { deposed, idle, ..two };
                all.push((Guards::ALL, bounds));
                all.push((Guards::ALL, Bounds { narrow: true, mishaps: 1, from_nothing: true, ..bounds }));
            }
        }
        let counts = all.iter().map(|(guards, bounds)| compare(bounds, guards));
        let (compared, differ) = counts.fold((0, 0), |(a, b), (of, differ)| (a + of, b + differ));
        println!("{compared} states compared, {differ} of them made shorter");
        assert!(differ > compared / 2);
    }
}
