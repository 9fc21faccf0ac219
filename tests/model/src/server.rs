//! What a request does when it arrives, and which promise it may break by that.

use bluegreen_operator::api::Color;
use bluegreen_operator::plan::Selection;

use crate::Guards;
use crate::driver::Broken;
use crate::facts;
use crate::world::{Ask, Deployment, FULL, Object, Objects, Request, Service, Truth, Why, World};

/// Carries a request out, if its precondition holds. Says whether it did, and what that broke.
pub(crate) fn arrive(world: &mut World, request: Request, guards: &Guards) -> (bool, Option<Broken>) {
    if !holds(world, request, guards) {
        return (false, None);
    }
    let broken = breaks(world, request.ask);
    if change(world, request.ask) {
        world.touch(request.ask.object());
    }
    (true, broken)
}

/// Can it still be carried out, now?
pub(crate) fn holds(world: &World, request: Request, guards: &Guards) -> bool {
    let objects = &world.objects;
    let exists = match request.ask {
        Ask::Store(color, number, _) => facts::content(objects, color, number).is_some(),
        other => match other.object() {
            Object::Service => objects.service.is_some(),
            Object::Deployment(color) => objects.deployments.get(color).is_some(),
            Object::App | Object::Stored | Object::Slices => true,
        },
    };
    if request.ask.creates() { !exists } else { exists && (request.valid || !guards.precondition) }
}

/// Can it ever be carried out again? What can't is forgotten.
pub(crate) fn may_hold(world: &World, request: Request, guards: &Guards) -> bool {
    holds(world, request, guards)
        || (request.ask.creates() && request.ask.object() != Object::Stored && world.mishaps > 0)
}

/// Changes the object; false if it was so already (such a write leaves the resourceVersion as it is).
fn change(world: &mut World, ask: Ask) -> bool {
    let before = world.objects;
    match ask {
        Ask::CreateService(service) => world.objects.service = Some(service),
        Ask::PutService(service, _) => world.objects.service = Some(service),
        Ask::StampService(token) => {
            if let Some(service) = &mut world.objects.service {
                service.token = token;
            }
        }
        Ask::CreateDeployment(color, revision, content, replicas, token) => {
            *world.objects.deployments.get_mut(color) = Some(Deployment {
                revision,
                content,
                replicas,
                token,
                observed: false,
                have: 0,
                rolled: false,
                pods: 0,
            });
            let truth = world.truth.get_mut(color);
            *truth = Truth { up: false, listed: false, ..*truth };
        }
        Ask::PutDeployment(color, revision, content, replicas, token) => {
            put_deployment(world, color, revision, content, replicas);
            if let Some(deployment) = world.objects.deployments.get_mut(color) {
                deployment.token = token;
            }
        }
        Ask::StampDeployment(color, token) => {
            if let Some(deployment) = world.objects.deployments.get_mut(color) {
                deployment.token = token;
            }
        }
        Ask::Store(color, number, content) => {
            let slot = world.objects.stored.get_mut(color).get_mut(usize::from(number).wrapping_sub(1));
            if let Some(slot) = slot {
                *slot = content + 1;
            }
        }
        Ask::Status(status) => world.objects.app.status = status,
    }
    before != world.objects
}

/// A new generation, if the pod template or the size changes.
pub(crate) fn put_deployment(world: &mut World, color: Color, revision: u8, content: u8, replicas: u8) {
    let Some(deployment) = world.objects.deployments.get_mut(color) else { return };
    let truth = world.truth.get_mut(color);
    if (deployment.revision, deployment.content) != (revision, content) {
        (deployment.revision, deployment.content) = (revision, content);
        (deployment.pods, deployment.rolled, deployment.observed) = (0, false, false);
        (truth.up, truth.listed) = (false, false);
    }
    if deployment.replicas != replicas {
        deployment.observed = false;
        deployment.pods = deployment.pods.min(replicas);
        // A live look counts an endpoint only if its pod exists and is not on its way out.
        let listed = &mut world.objects.slices.own.get_mut(color).1;
        *listed = (*listed).min(replicas);
        if replicas > deployment.replicas || replicas == 0 {
            (truth.up, truth.listed) = (false, false);
        }
        deployment.replicas = replicas;
    }
}

/// Which promise would this break? Looks at what is, not at what anybody has seen.
fn breaks(world: &World, ask: Ask) -> Option<Broken> {
    match ask {
        Ask::PutService(service, Why::Switch) => switch_breaks(world, &service),
        Ask::PutDeployment(color, _, content, replicas, _) => {
            edit_breaks(&world.objects, world.truth.get(color), color, content, replicas)
        }
        Ask::PutService(_, Why::Restore)
        | Ask::CreateService(_)
        | Ask::StampService(_)
        | Ask::CreateDeployment(..)
        | Ask::StampDeployment(..)
        | Ask::Store(..)
        | Ask::Status(_) => None,
    }
}

fn switch_breaks(world: &World, service: &Service) -> Option<Broken> {
    let Selection::Color(to) = service.selects else { return None };
    let objects = &world.objects;
    let truth = world.truth.get(to);
    let Some(deployment) = objects.deployments.get(to) else {
        return Some("a switch committed onto a color that has no Deployment");
    };
    if deployment.replicas < FULL {
        return Some("a switch committed onto a color that is scaled down");
    }
    if !truth.up {
        return Some("a switch committed onto a color whose current generation was never fully ready");
    }
    if facts::content(objects, to, *service.served.get(to)) != Some(deployment.content) {
        return Some(
            "a switch committed onto a Deployment that runs something else than the stored revision",
        );
    }
    if !truth.listed {
        return Some("a switch committed onto a color whose own endpoints never listed its pods");
    }
    let app = &objects.app;
    let settled = app.status.written && app.status.observed && !app.status.reconciling;
    if settled && (app.active != to || app.paused) {
        return Some("a switch committed after its cancel, or a pause, had been reported as done");
    }
    None
}

fn edit_breaks(objects: &Objects, truth: &Truth, color: Color, content: u8, replicas: u8) -> Option<Broken> {
    let deployment = (*objects.deployments.get(color))?;
    let selected = objects.service.is_some_and(|service| service.selects == Selection::Color(color));
    let changes = deployment.content != content;
    let lowers = replicas < deployment.replicas;
    if selected && lowers {
        return Some("the selected color was scaled down");
    }
    let serves = objects.service.map_or(0, |service| *service.served.get(color));
    if selected && changes && facts::content(objects, color, serves) != Some(content) {
        return Some("the selected color was edited");
    }
    if !selected && truth.exposed && (changes || lowers) {
        return Some("a color was edited or scaled down while its connections could still be open");
    }
    None
}
