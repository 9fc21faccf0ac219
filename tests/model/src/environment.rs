//! Kubernetes' own controllers, the user, and time.

use bluegreen_api::Color;
use bluegreen_core::plan::Selection;

use crate::Scope;
use crate::checks::{self, Identity};
use crate::objects::{App, Deployment, FOREIGN, FULL, LARGEST, Listed, Object};
use crate::server;
use crate::world::{Clock, Mode, World};

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
    /// `spec.replicas`.
    Replicas(u8),
    /// `spec.activeUpdatePolicy`.
    Policy,
    /// A color's block is taken out.
    Remove(Color),
    /// `spec.active` to the other color, and the block of the one that serves is taken out, in one commit.
    Leave,
    /// A color's block comes back, with this tag.
    Return(Color, u8),
    /// `enforce` of the checks.
    Enforce,
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
    /// Somebody deletes a check's Job.
    JobDeleted(Identity),
}

/// Every edit that is possible now. Of the tags never used before, one stands for all.
#[must_use]
pub fn edits(app: &App, scope: Scope) -> Vec<Edit> {
    let tags = |color: Color| {
        let now = *app.tags.get(color);
        // Back to the one before, or on to a new one.
        [now.checked_sub(1), Some(now + 1)].into_iter().flatten()
    };
    let mut all = vec![Edit::Shared, Edit::Pause, Edit::Policy];
    let largest = if scope == Scope::Sizes { LARGEST } else { FULL };
    all.extend((1..=largest).filter(|size| *size != app.replicas).map(Edit::Replicas));
    let idle = app.active.other();
    all.extend(tags(app.active).map(|tag| Edit::Tag(app.active, tag)));
    all.extend(tags(idle).map(Edit::Both));
    if *app.present.get(idle) {
        all.extend([Edit::Active, Edit::Remove(idle), Edit::Leave]);
        all.extend(tags(idle).map(|tag| Edit::Tag(idle, tag)));
    } else {
        let now = *app.tags.get(idle);
        all.extend([Edit::Return(idle, now), Edit::Return(idle, now + 1)]);
    }
    match scope {
        Scope::All => {}
        Scope::Daily => {
            all.retain(|edit| {
                !matches!(edit, Edit::Policy | Edit::Remove(_) | Edit::Leave | Edit::Return(..))
            });
        }
        Scope::Flips => all.retain(|edit| matches!(edit, Edit::Active)),
        Scope::Checked => {
            all.retain(|edit| {
                !matches!(edit, Edit::Policy | Edit::Shared | Edit::Replicas(_) | Edit::Return(..))
            });
            all.push(Edit::Enforce);
        }
        Scope::Sizes => all.retain(|edit| matches!(edit, Edit::Active | Edit::Replicas(_))),
    }
    all
}

pub(crate) fn edit(world: &mut World, edit: Edit) {
    let before = world.objects.app;
    change_spec(&mut world.objects.app, edit);
    checks::edited(world, &before);
    world.least = world.least.min(world.objects.app.replicas);
    world.edits -= 1;
    world.touch(Object::App);
}

/// What the edit makes of the app.
pub fn change_spec(app: &mut App, edit: Edit) {
    match edit {
        Edit::Active => app.active = app.active.other(),
        Edit::Tag(color, tag) => *app.tags.get_mut(color) = tag,
        Edit::Both(tag) => {
            app.active = app.active.other();
            (*app.tags.get_mut(app.active), *app.present.get_mut(app.active)) = (tag, true);
        }
        Edit::Replicas(size) => app.replicas = size,
        Edit::Policy => app.rolling = !app.rolling,
        Edit::Remove(color) => *app.present.get_mut(color) = false,
        Edit::Leave => {
            *app.present.get_mut(app.active) = false;
            app.active = app.active.other();
        }
        Edit::Return(color, tag) => (*app.tags.get_mut(color), *app.present.get_mut(color)) = (tag, true),
        Edit::Enforce => app.checks.lenient = !app.checks.lenient,
        Edit::Shared => app.shared = 1 - app.shared,
        Edit::Pause => app.paused = !app.paused,
    }
    app.status.observed = false;
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
    let jobs = world.objects.jobs.iter().flat_map(|jobs| jobs.0).flatten();
    all.extend(jobs.map(|job| Mishap::JobDeleted(job.of)));
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
    if let Mishap::DeploymentDeleted(color) | Mishap::Unready(color) = mishap
        && world.committed == Some(color)
    {
        world.carried = 0;
    }
    match mishap {
        Mishap::ServiceDeleted => {
            world.objects.service = None;
            // With the Service its connections go.
            (world.truth.blue.exposed, world.truth.green.exposed) = (false, false);
            world.touch(Object::Service);
        }
        Mishap::SelectorEdited => {
            if let Some(service) = &mut world.objects.service {
                service.selects = Selection::Edited;
            }
            world.touch(Object::Service);
        }
        Mishap::DeploymentDeleted(color) => {
            server::delete_deployment(world, color);
            world.touch(Object::Deployment(color));
        }
        Mishap::ImageEdited(color) => {
            if let Some(deployment) = *world.objects.deployments.get(color) {
                server::put_deployment(world, color, deployment.revision, FOREIGN, deployment.replicas);
            }
            world.touch(Object::Deployment(color));
        }
        Mishap::JobDeleted(of) => checks::deleted(world, of),
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

/// What a Deployment's status says when its controller has seen the newest generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// What it counts, and what it said of earlier generations.
    Sees,
    /// No longer that an earlier template had rolled out.
    Forgets,
    /// A pod too many: it was larger for a moment, and that pod is on its way out.
    CountsLeaving,
}

impl Note {
    pub(crate) const ALL: [Self; 3] = [Self::Sees, Self::Forgets, Self::CountsLeaving];
}

/// The Deployment controller says that it has seen this generation, and begins to work. It counts what its ReplicaSets
/// say, which may not have noticed yet: after a size is lowered and raised again all seems to be there. What Kubernetes
/// says is true here, too; that pods stand behind it is for their endpoints to prove.
///
/// Where the size changes with the template it scales first, and [forgets](Note::Forgets) only later that it had rolled
/// out.
pub(crate) fn take_note(world: &World, color: Color, note: Note) -> Option<World> {
    let mut next = *world;
    let deployment = next.objects.deployments.get_mut(color).as_mut()?;
    let is_possible = match note {
        Note::Sees => !deployment.observed,
        Note::Forgets => deployment.rolled && !deployment.current,
        // There is no pod beyond the largest size.
        Note::CountsLeaving => {
            let all_there = deployment.current && deployment.have == deployment.replicas;
            !deployment.observed && all_there && (1..world.largest()).contains(&deployment.replicas)
        }
    };
    if !is_possible {
        return None;
    }
    deployment.observed = true;
    deployment.rolled &= note != Note::Forgets;
    deployment.have += u8::from(note == Note::CountsLeaving);
    // What is counted is of this template, and was there.
    let counted = if deployment.current { deployment.have.min(deployment.replicas) } else { 0 };
    let truth = next.truth.get_mut(color);
    truth.up = truth.up.max(counted);
    next.touch(Object::Deployment(color));
    Some(next)
}

/// The pods are available, and the Deployment controller says so.
pub(crate) fn roll(world: &World, color: Color) -> Option<World> {
    let mut next = *world;
    let deployment = next.objects.deployments.get_mut(color).as_mut()?;
    let counted = deployment.have == deployment.replicas && deployment.current;
    let stale = deployment.rolled && !deployment.current;
    if counted || stale || !deployment.observed || deployment.pods != deployment.replicas {
        return None;
    }
    deployment.have = deployment.replicas;
    (deployment.current, deployment.rolled) = (true, true);
    next.truth.get_mut(color).up = deployment.replicas;
    next.touch(Object::Deployment(color));
    Some(next)
}

/// The Deployment controller counts again, and finds that not all is there that it had counted: its ReplicaSet had not
/// noticed yet that its size was lowered, and raised again.
pub(crate) fn recount(world: &World, color: Color) -> Option<World> {
    let mut next = *world;
    let deployment = next.objects.deployments.get_mut(color).as_mut()?;
    let counts = deployment.observed && deployment.current;
    if !counts || deployment.pods >= deployment.have.min(deployment.replicas) {
        return None;
    }
    deployment.have = deployment.pods;
    next.touch(Object::Deployment(color));
    Some(next)
}

/// The EndpointSlice controller follows a color's pods, behind its own Service.
pub(crate) fn list_pods(world: &World, color: Color) -> Option<World> {
    let mut next = *world;
    let own = match world.objects.deployments.get(color) {
        // The pods before still stand there.
        Some(d) if !d.current && d.pods < d.replicas && !is_of(d, world.objects.slices.own.get(color)) => {
            return None;
        }
        Some(Deployment { revision, content, pods, .. }) if *pods > 0 => {
            Listed { revision: *revision, content: *content, pods: *pods }
        }
        Some(_) | None => Listed::default(),
    };
    if *world.objects.slices.own.get(color) == own {
        return None;
    }
    *next.objects.slices.own.get_mut(color) = own;
    // Once is enough: what fails later, and in the very moment of the switch, no operator can foresee.
    let truth = next.truth.get_mut(color);
    truth.listed = truth.listed.max(own.pods);
    next.touch(Object::Slices);
    Some(next)
}

/// The slices list pods of the Deployment's template.
fn is_of(deployment: &Deployment, listed: &Listed) -> bool {
    (listed.revision, listed.content) == (deployment.revision, deployment.content)
}

/// The EndpointSlice controller follows the live Service's selector, and the selected pods: it may know of ready ones
/// before the Deployment's status does, and while new ones come the old ones stand there.
pub(crate) fn move_endpoints(world: &World) -> Option<World> {
    let selected = world.objects.service.and_then(|service| match service.selects {
        Selection::Color(color) => Some(color),
        Selection::Nothing | Selection::Edited => None,
    });
    let live = selected.and_then(|color| {
        let deployment = (*world.objects.deployments.get(color))?;
        (deployment.replicas > 0).then_some((color, deployment.have.max(deployment.pods)))
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

/// A color's standby timer runs out, for whoever reads when it began.
pub(crate) fn idle_for_long(world: &World, color: Color) -> Option<World> {
    let mut next = *world;
    next.each_copy(|objects| {
        *objects.app.left_long_ago.get_mut(color) = true;
        *objects.stored_long_ago.get_mut(color) = true;
    });
    (next != *world).then_some(next)
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
