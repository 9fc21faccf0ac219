//! Kubernetes' own controllers, the user, and time.

use bluegreen_operator::api::Color;
use bluegreen_operator::plan::Selection;

use crate::world::{Clock, FOREIGN, Mode, Object, World};

/// What the user does to the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edit {
    /// `spec.active` to the other color.
    Active,
    /// A color's tag.
    Tag(Color, u8),
    /// Both in one commit: the other color's tag, and `spec.active` to it.
    Both(u8),
    /// A field that both colors share.
    Shared,
    /// `spec.paused`.
    Pause,
}

/// What happens to the children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// Somebody deletes the live Service.
    ServiceDeleted,
    /// Somebody deletes a Deployment.
    DeploymentDeleted(Color),
    /// Somebody makes the live Service select something else.
    SelectorEdited,
    /// Somebody sets another image on a Deployment.
    ImageEdited(Color),
    /// A color's pods fail.
    Unready(Color),
}

/// Every edit that is possible now. Of the tags never used before, one stands for all.
pub(crate) fn edits(world: &World) -> Vec<Edit> {
    let app = &world.objects.app;
    let tags = |color: Color| {
        let now = *app.tags.get(color);
        // Back to the one before, or on to a new one.
        [now.checked_sub(1), Some(now + 1)].into_iter().flatten()
    };
    let mut all = vec![Edit::Active, Edit::Shared, Edit::Pause];
    for color in Color::ALL {
        all.extend(tags(color).map(|tag| Edit::Tag(color, tag)));
    }
    all.extend(tags(app.active.other()).map(Edit::Both));
    all
}

pub(crate) fn edit(world: &mut World, edit: Edit) {
    let app = &mut world.objects.app;
    match edit {
        Edit::Active => app.active = app.active.other(),
        Edit::Tag(color, tag) => *app.tags.get_mut(color) = tag,
        Edit::Both(tag) => {
            app.active = app.active.other();
            *app.tags.get_mut(app.active) = tag;
        }
        Edit::Shared => app.shared = 1 - app.shared,
        Edit::Pause => app.paused = !app.paused,
    }
    app.status.observed = false;
    world.edits -= 1;
    world.touch(Object::App);
}

/// Every mishap that is possible now. What a person does to a Deployment in the very moment between the live look
/// and the switch can't be fenced, since that request is about another object: it is left out.
pub(crate) fn mishaps(world: &World) -> Vec<Mishap> {
    let quiet =
        world.controllers.iter().all(|c| c.mode == Mode::Idle) && world.late.iter().all(Option::is_none);
    let mut all = Vec::new();
    if world.objects.service.is_some() {
        all.extend([Mishap::ServiceDeleted, Mishap::SelectorEdited]);
    }
    for color in Color::ALL {
        let Some(deployment) = world.objects.deployments.get(color) else { continue };
        if quiet {
            all.extend([Mishap::DeploymentDeleted(color), Mishap::ImageEdited(color)]);
        }
        if deployment.observed && deployment.pods > 0 {
            all.push(Mishap::Unready(color));
        }
    }
    all
}

pub(crate) fn happen(world: &mut World, mishap: Mishap) {
    world.mishaps -= 1;
    match mishap {
        Mishap::ServiceDeleted => {
            world.objects.service = None;
            world.touch(Object::Service);
        }
        Mishap::SelectorEdited => {
            if let Some(service) = &mut world.objects.service {
                service.selects = Selection::Edited;
            }
            world.touch(Object::Service);
        }
        Mishap::DeploymentDeleted(color) => {
            *world.objects.deployments.get_mut(color) = None;
            let truth = world.truth.get_mut(color);
            (truth.up, truth.listed) = (false, false);
            world.touch(Object::Deployment(color));
        }
        Mishap::ImageEdited(color) => {
            if let Some(deployment) = *world.objects.deployments.get(color) {
                crate::server::put_deployment(
                    world,
                    color,
                    deployment.revision,
                    FOREIGN,
                    deployment.replicas,
                );
            }
            world.touch(Object::Deployment(color));
        }
        Mishap::Unready(color) => {
            if let Some(deployment) = world.objects.deployments.get_mut(color) {
                (deployment.pods, deployment.have) = (0, 0);
            }
            world.touch(Object::Deployment(color));
        }
    }
}

/// Pods of the Deployment's template turn ready. They may be listed from now on; they count when they have been ready
/// for `minReadySeconds`.
pub(crate) fn ready(world: &World, color: Color) -> Option<World> {
    let mut next = *world;
    let deployment = next.objects.deployments.get_mut(color).as_mut()?;
    if deployment.pods == deployment.replicas {
        return None;
    }
    // In no status yet, so nothing that anybody has read is outdated.
    deployment.pods = deployment.replicas;
    Some(next)
}

/// The pods are available, and the Deployment controller says so.
pub(crate) fn roll(world: &World, color: Color) -> Option<World> {
    let mut next = *world;
    let deployment = next.objects.deployments.get_mut(color).as_mut()?;
    let counted = deployment.observed && deployment.have == deployment.replicas;
    if counted || deployment.pods != deployment.replicas {
        return None;
    }
    deployment.observed = true;
    deployment.have = deployment.replicas;
    deployment.rolled |= deployment.replicas > 0;
    next.truth.get_mut(color).up = deployment.replicas > 0;
    next.touch(Object::Deployment(color));
    Some(next)
}

/// The EndpointSlice controller follows a color's pods, behind its own Service.
pub(crate) fn list_pods(world: &World, color: Color) -> Option<World> {
    let mut next = *world;
    let own = match world.objects.deployments.get(color) {
        // The pods before still stand there.
        Some(deployment) if !deployment.observed && deployment.pods < deployment.replicas => return None,
        Some(deployment) if deployment.pods > 0 => (deployment.revision, deployment.pods),
        Some(_) | None => (0, 0),
    };
    if *world.objects.slices.own.get(color) == own {
        return None;
    }
    *next.objects.slices.own.get_mut(color) = own;
    let full = world.objects.deployments.get(color).is_some_and(|d| d.replicas > 0 && own.1 == d.replicas);
    next.truth.get_mut(color).listed = full;
    next.touch(Object::Slices);
    Some(next)
}

/// The EndpointSlice controller follows the live Service's selector, and the selected pods.
pub(crate) fn move_endpoints(world: &World) -> Option<World> {
    let selected = world.objects.service.and_then(|service| match service.selects {
        Selection::Color(color) => Some(color),
        Selection::Nothing | Selection::Edited => None,
    });
    let live = selected.and_then(|color| {
        let deployment = (*world.objects.deployments.get(color))?;
        (deployment.replicas > 0).then_some((color, deployment.have))
    });
    if world.objects.slices.live == live {
        return None;
    }
    let mut next = *world;
    next.objects.slices.live = live;
    if let Some((color, _)) = live {
        next.truth.get_mut(color).exposed = true;
        for controller in &mut next.controllers {
            let clocks = &mut controller.clocks;
            if clocks.color != Some(color) {
                for clock in [&mut clocks.moved, &mut clocks.cleared] {
                    if let Clock::Running { returned } = clock {
                        *returned = true;
                    }
                }
            }
        }
    }
    next.touch(Object::Slices);
    Some(next)
}

/// A controller's drain clock reaches the drain. By then the old color has been out of the live slices for as long,
/// unless it came back since the clock started. Time is not kept otherwise: a drain may take any time, and until
/// some clock says that it has passed, the old color counts as exposed. `moved` runs at most as long as `cleared`.
pub(crate) fn drain_passed(world: &World, k: usize, moved: bool) -> Option<World> {
    let mut next = *world;
    let clocks = &mut next.controllers[k].clocks;
    let color = clocks.color?;
    let mut over = false;
    for (clock, passes) in [(&mut clocks.moved, moved), (&mut clocks.cleared, true)] {
        if let (Clock::Running { returned }, true) = (*clock, passes) {
            *clock = Clock::Passed;
            over |= !returned;
        }
    }
    if next.controllers[k].clocks == world.controllers[k].clocks {
        return None;
    }
    if over {
        next.truth.get_mut(color.other()).exposed = false;
    }
    Some(next)
}
