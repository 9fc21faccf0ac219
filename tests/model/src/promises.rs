//! Which promise would a request break, if it were carried out now? Looks at what is, not at what anybody has seen.

use bluegreen_api::Color;
use bluegreen_core::plan::Selection;

use crate::Guards;
use crate::checks;
use crate::driver::Broken;
use crate::facts;
use crate::objects::{Kept, Service};
use crate::request::{Ask, Why};
use crate::world::World;

/// Tokens are the means, not the end: where they are switched off, what that leads to is to show.
pub(crate) fn broken_by(world: &World, ask: Ask, guards: &Guards) -> Option<Broken> {
    let stamped = if *guards == Guards::ALL { unstamped(world, ask) } else { None };
    stamped.or_else(|| broken_at_last(world, ask))
}

/// A guarded write must find its sender's token on the object.
fn unstamped(world: &World, ask: Ask) -> Option<Broken> {
    let (sent, found) = match ask {
        Ask::PutService(service, Why::Switch | Why::Promote) => {
            (service.token, world.objects.service.map(|service| service.token))
        }
        Ask::PutDeployment(color, _, _, _, token) => {
            (token, world.objects.deployments.get(color).map(|deployment| deployment.token))
        }
        _ => return None,
    };
    (found != Some(sent)).then_some("a write committed to an object that did not carry its sender's token")
}

fn broken_at_last(world: &World, ask: Ask) -> Option<Broken> {
    match ask {
        Ask::PutService(service, Why::Switch) => by_switch(world, &service),
        Ask::PutService(service, Why::Promote) => by_promotion(world, &service),
        Ask::PutDeployment(color, _, Kept { content, .. }, replicas, _) => {
            let deployment = (*world.objects.deployments.get(color))?;
            let edit = Change {
                selected_as_it_is: is_committed(world, color, content),
                alters: deployment.content != content,
                lowers: replicas < deployment.replicas,
                replicas,
            };
            by_change(world, color, edit)
        }
        Ask::DeleteDeployment(color) => {
            let edit = Change { selected_as_it_is: false, alters: true, lowers: true, replicas: 0 };
            by_change(world, color, edit)
        }
        Ask::PutService(_, Why::Restore)
        | Ask::CreateService(_)
        | Ask::StampService(_)
        | Ask::CreateDeployment(..)
        | Ask::StampDeployment(..)
        | Ask::Store(..)
        | Ask::Drop(..)
        | Ask::RunJob(_)
        | Ask::DropJob(_)
        | Ask::Status(..) => None,
    }
}

/// The status says that nothing is left to do for the present spec.
fn settled(world: &World) -> bool {
    let status = &world.objects.app.status;
    status.written && status.observed && status.settled
}

fn by_switch(world: &World, service: &Service) -> Option<Broken> {
    let Selection::Color(to) = service.selects else { return None };
    let objects = &world.objects;
    let truth = world.truth.get(to);
    let Some(deployment) = objects.deployments.get(to) else {
        return Some("a switch committed onto a color that has no Deployment");
    };
    // Never more load per pod than before, unless the user asks for fewer pods, or pods have failed.
    let enough = world.least.min(world.carried).max(1);
    if deployment.replicas < enough {
        return Some("a switch committed onto a color that is scaled down");
    }
    if truth.up < enough {
        return Some("a switch committed onto a color of which too few pods were ever ready");
    }
    // A record that is deleted late is made anew from the Deployment, which tells what it was rendered from.
    let stored = facts::content(objects, to, *service.served.get(to));
    if stored.is_some_and(|content| content != deployment.content) {
        return Some(
            "a switch committed onto a Deployment that runs something else than the stored revision",
        );
    }
    if truth.listed < enough {
        return Some("a switch committed onto a color whose own endpoints never listed its pods");
    }
    if let Some(broken) = checks::broken_by_switch(world, to, *service.served.get(to)) {
        return Some(broken);
    }
    let asked = checks::wanted(objects);
    if settled(world) && ((objects.app.active != to && asked != to) || objects.app.paused) {
        return Some("a switch committed after its cancel, or a pause, had been reported as done");
    }
    None
}

fn by_promotion(world: &World, service: &Service) -> Option<Broken> {
    let now = world.objects.service?;
    if now.selects != service.selects || now.committed != service.committed {
        return Some("an update in place moved the selector");
    }
    let taken_back = |color: &Color| {
        let (serves, deployment) = (*service.served.get(*color), world.objects.deployments.get(*color));
        serves < *now.served.get(*color) && deployment.is_some_and(|deployment| deployment.revision != serves)
    };
    Color::ALL.iter().any(taken_back).then_some("an update in place was taken back that had begun")
}

/// What a request does to a Deployment.
struct Change {
    /// It brings the color to the very revision that was committed with the selector.
    selected_as_it_is: bool,
    alters: bool,
    lowers: bool,
    replicas: u8,
}

fn is_committed(world: &World, color: Color, content: u8) -> bool {
    let serves = world.objects.service.map_or(0, |service| *service.served.get(color));
    facts::content(&world.objects, color, serves) == Some(content)
}

fn by_change(world: &World, color: Color, change: Change) -> Option<Broken> {
    let (objects, truth) = (&world.objects, world.truth.get(color));
    let Change { selected_as_it_is, alters, lowers, replicas } = change;
    // Its size follows the spec, as that of a paused Deployment does.
    let is_size_of_live = world.committed == Some(color) && !alters;
    if objects.app.paused && settled(world) && !is_size_of_live {
        return Some("a Deployment was edited after a pause had been reported as done");
    }
    if let Some(broken) = checks::broken_by_change(world, color, alters || lowers) {
        return Some(broken);
    }
    let selected = objects.service.is_some_and(|service| service.selects == Selection::Color(color));
    // A user who asks for fewer pods, and for more again before the write has arrived, is served soon.
    let asked = if settled(world) { objects.app.replicas } else { world.least };
    let is_live = selected || world.committed == Some(color);
    let lowers = lowers && (!is_live || replicas < asked);
    if selected && lowers {
        return Some("the selected color was scaled down");
    }
    if selected && alters && !selected_as_it_is {
        return Some("the selected color was edited");
    }
    // While somebody has taken the Service away or bent its selector, the committed color is still the live one.
    let bent = objects.service.is_none_or(|service| !matches!(service.selects, Selection::Color(_)));
    let is_repair = bent && world.committed == Some(color) && !lowers;
    if !selected && !is_repair && truth.exposed && (alters || lowers) {
        return Some("a color was edited or scaled down while its connections could still be open");
    }
    None
}
