//! What a request does when it arrives.

use bluegreen_api::Color;
use bluegreen_core::plan::Selection;

use crate::checks;
use crate::driver::Broken;
use crate::facts;
use crate::objects::{Deployment, Kept, Listed, Object, Objects};
use crate::promises;
use crate::request::{Ask, Request, Why};
use crate::world::{Controller, Truth, World};
use crate::{Bounds, Guards, Scope};

/// Carries a request out, if its precondition holds. Says whether it did, and what that broke.
pub(crate) fn arrive(world: &mut World, request: Request, guards: &Guards) -> (bool, Option<Broken>) {
    if !holds(world, request, guards) {
        return (false, None);
    }
    let broken = promises::broken_by(world, request.ask, guards);
    if change(world, request.ask) {
        world.touch(request.ask.object());
    }
    (true, broken)
}

/// Can it still be carried out, now?
pub(crate) fn holds(world: &World, request: Request, guards: &Guards) -> bool {
    let objects = &world.objects;
    let exists = match request.ask {
        Ask::Store(color, number, _) | Ask::Drop(color, number) => {
            facts::kept(objects, color, number).is_some()
        }
        Ask::RunJob(of) | Ask::DropJob(of) => objects.jobs.is_some_and(|jobs| jobs.get(of).is_some()),
        other => match other.object() {
            Object::Service => objects.service.is_some(),
            Object::Deployment(color) => objects.deployments.get(color).is_some(),
            Object::App | Object::Stored | Object::Slices | Object::Jobs => true,
        },
    };
    if request.ask.creates() { !exists } else { exists && (request.valid || !guards.precondition) }
}

/// Can it ever be carried out again? What can't is forgotten. A create can as soon as its object is gone, however long
/// that has been there.
pub(crate) fn may_hold(world: &World, request: Request, bounds: &Bounds, guards: &Guards) -> bool {
    holds(world, request, guards)
        || match request.ask {
            Ask::CreateService(_) => world.mishaps > 0,
            Ask::CreateDeployment(color, ..) => world.mishaps > 0 || may_be_removed(world, color, bounds),
            Ask::Store(color, ..) => may_be_removed(world, color, bounds),
            // It may be deleted at any time.
            Ask::RunJob(_) => true,
            Ask::PutService(..)
            | Ask::StampService(_)
            | Ask::PutDeployment(..)
            | Ask::StampDeployment(..)
            | Ask::DeleteDeployment(_)
            | Ask::Drop(..)
            | Ask::DropJob(_)
            | Ask::Status(..) => false,
        }
}

/// May an operator still delete what a color has? Its block is not in the spec, or may yet go; or somebody has read so,
/// or has asked for it.
fn may_be_removed(world: &World, color: Color, bounds: &Bounds) -> bool {
    let is_absent = |objects: &Objects| !*objects.app.present.get(color);
    let removes = |request: &Request| match request.ask {
        Ask::DeleteDeployment(of) | Ask::Drop(of, _) => of == color,
        _ => false,
    };
    let of_controller = |c: &Controller| is_absent(&c.view) || c.queue.iter().flatten().any(removes);
    (world.edits > 0 && bounds.scope == Scope::All)
        || is_absent(&world.objects)
        || world.controllers.iter().any(of_controller)
        || world.late.iter().flatten().any(removes)
}

/// Changes the object; false if it was so already (such a write leaves the resourceVersion as it is).
fn change(world: &mut World, ask: Ask) -> bool {
    let before = world.objects;
    let timed = world.timed;
    match ask {
        Ask::CreateService(service) => world.objects.service = Some(service),
        Ask::PutService(service, why) => {
            let from = world.committed;
            world.objects.service = Some(service);
            world.committed = service.committed;
            if let (Selection::Color(to), Why::Switch) = (service.selects, why) {
                checks::switched(world, to, *service.served.get(to), from);
            }
        }
        Ask::StampService(token) => {
            if let Some(service) = &mut world.objects.service {
                service.token = token;
            }
        }
        Ask::CreateDeployment(color, revision, Kept { content, spec }, replicas, token) => {
            *world.objects.deployments.get_mut(color) = Some(Deployment {
                revision,
                content,
                spec,
                replicas,
                token,
                observed: false,
                have: 0,
                current: false,
                rolled: false,
                pods: 0,
            });
            let truth = world.truth.get_mut(color);
            *truth = Truth { up: 0, listed: 0, ..*truth };
        }
        Ask::DeleteDeployment(color) => delete_deployment(world, color),
        Ask::PutDeployment(color, revision, Kept { content, spec }, replicas, token) => {
            put_deployment(world, color, revision, content, replicas);
            if let Some(deployment) = world.objects.deployments.get_mut(color) {
                (deployment.token, deployment.spec) = (token, spec);
            }
        }
        Ask::StampDeployment(color, token) => {
            if let Some(deployment) = world.objects.deployments.get_mut(color) {
                deployment.token = token;
            }
        }
        Ask::Store(color, number, kept) => {
            // The standby timer counts from the last one.
            if facts::last(world.objects.stored.get(color)) < Some(number) {
                *world.objects.stored_long_ago.get_mut(color) = !timed;
            }
            if let Some(slot) = slot(world, color, number) {
                *slot = Some(kept);
            }
        }
        Ask::Drop(color, number) => forget(world, color, number),
        Ask::RunJob(of) => {
            if let Some(jobs) = &mut world.objects.jobs {
                jobs.add(of);
            }
        }
        Ask::DropJob(of) => checks::deleted(world, of),
        Ask::Status(status, left) => {
            world.objects.app.status = status;
            checks::reported(world);
            if let Some(color) = left {
                *world.objects.app.left_long_ago.get_mut(color) = !timed;
            }
        }
    }
    before != world.objects
}

/// The revision is gone.
pub(crate) fn forget(world: &mut World, color: Color, number: u8) {
    if let Some(slot) = slot(world, color, number) {
        *slot = None;
    }
    world.forget_revision(color, number);
}

fn slot(world: &mut World, color: Color, number: u8) -> Option<&mut Option<Kept>> {
    world.objects.stored.get_mut(color).get_mut(usize::from(number).wrapping_sub(1))
}

/// The Deployment is gone, and what its pods prove.
pub(crate) fn delete_deployment(world: &mut World, color: Color) {
    *world.objects.deployments.get_mut(color) = None;
    // A live look counts an endpoint only if its pod belongs to the Deployment that is there.
    *world.objects.slices.own.get_mut(color) = Listed::default();
    let truth = world.truth.get_mut(color);
    (truth.up, truth.listed) = (0, 0);
}

/// A new generation, if the pod template or the size changes.
pub(crate) fn put_deployment(world: &mut World, color: Color, revision: u8, content: u8, replicas: u8) {
    let Some(deployment) = world.objects.deployments.get_mut(color) else { return };
    let truth = world.truth.get_mut(color);
    let is_new = (deployment.revision, deployment.content) != (revision, content);
    if is_new {
        (deployment.revision, deployment.content) = (revision, content);
        (deployment.pods, deployment.current, deployment.observed) = (0, false, false);
        truth.up = 0;
    }
    if deployment.replicas != replicas {
        deployment.observed = false;
        deployment.pods = deployment.pods.min(replicas);
        // A live look counts an endpoint only if its pod exists and is not on its way out.
        let listed = world.objects.slices.own.get_mut(color);
        listed.pods = listed.pods.min(replicas);
        truth.up = truth.up.min(replicas);
        deployment.replicas = replicas;
    }
    // Pods that never went away are still listed when their template comes back.
    let own = *world.objects.slices.own.get(color);
    let listed = if own == (Listed { revision, content, ..own }) { own.pods } else { 0 };
    truth.listed = listed.max(if is_new { 0 } else { truth.listed.min(replicas) });
}
