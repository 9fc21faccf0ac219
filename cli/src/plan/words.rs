//! PURE: the operator's actions in words. Each text continues "The operator …".

use bluegreen_operator::api::{BlueGreenApp, Color};
use bluegreen_operator::desired::names;
use bluegreen_operator::observe::Snapshot;
use bluegreen_operator::plan::{Action, Missing, Observed, Plan, Stage};
use kube::ResourceExt;

/// What an action does.
pub fn action(seen: &Snapshot, facts: &Observed, action: &Action) -> String {
    let app = seen.app.name_any();
    let deployment = |color: Color| format!("Deployment {}", names::deployment_name(&app, color));
    match action {
        Action::CreateService => format!("creates Service {app}, which selects no pods yet"),
        Action::Restore { to } => format!("points Service {app} back to {to}, the live color"),
        Action::UpdateService => format!("updates Service {app} without changing its selector"),
        Action::ApplyColorService(color) => {
            format!("applies Service {} for tests of {color}", names::color_service_name(&app, *color))
        }
        Action::StoreRevision { color, number } => {
            let image = seen.app.spec.image_of(*color).unwrap_or_default();
            format!("stores revision {number} of {color} ({image})")
        }
        Action::RecoverRevision { color, number } => {
            format!("stores revision {number} of {color} again, which was lost, from {}", deployment(*color))
        }
        Action::Promote { color, number } => {
            format!("records on Service {app} that {color}, the live color, is to run revision {number}")
        }
        Action::CreateDeployment { color, replicas } => {
            format!("creates {} with {}", deployment(*color), pods(*replicas))
        }
        Action::EditDeployment { color, replicas } => {
            let facts = facts.colors.get(*color);
            let (from, to) = (
                facts.deployment.ours().map(|deployment| (deployment.revision, deployment.replicas)),
                facts.current.map(|stored| stored.number),
            );
            let what = match (from, to) {
                (Some((from, _)), Some(to)) if from != to => {
                    format!("updates {} to revision {to}", deployment(*color))
                }
                (Some((_, size)), _) if size != *replicas => {
                    return format!("scales {} from {size} to {}", deployment(*color), pods(*replicas));
                }
                _ => format!("corrects {}", deployment(*color)),
            };
            format!("{what} with {}", pods(*replicas))
        }
        Action::Fence { service, colors } => {
            let service = service.then(|| format!("Service {app}"));
            let all: Vec<String> =
                service.into_iter().chain(colors.iter().map(|color| deployment(*color))).collect();
            format!("stamps its token on {}, so that earlier writes still in flight fail", all.join(", "))
        }
        Action::Switch { from, to } => match from {
            Some(from) => format!("switches Service {app} from {from} to {to}"),
            None => format!("points Service {app} to {to}, the first live color"),
        },
        Action::DropRevision { color, number } => {
            format!("deletes revision {number} of {color}, which is no longer needed")
        }
        Action::RemoveColor(color) => format!("deletes all objects of {color}: spec.{color} is not set"),
    }
}

fn pods(count: i32) -> String {
    if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") }
}

/// What the operator waits for.
pub fn gate(app: &BlueGreenApp, plan: &Plan) -> Option<String> {
    let (name, target) = (app.name_any(), app.spec.active);
    match plan.stage {
        Stage::Preparing { target, missing } => {
            let live = plan
                .live
                .color()
                .map_or_else(|| "no color is live yet".to_owned(), |color| format!("{color} stays live"));
            Some(format!("{}; {live}", lacks(&name, target, missing)))
        }
        Stage::Unready { missing } => Some(lacks(&name, target, missing)),
        Stage::Switching { to } => Some(format!("the endpoints of Service {name} are not {to}'s pods yet")),
        Stage::Draining { old } => Some(format!(
            "drain of {} s: {old} is left as it is to finish its requests",
            app.spec.drain_seconds
        )),
        Stage::Yielding | Stage::Invalid | Stage::Paused | Stage::Pausing | Stage::Serving => None,
    }
}

/// What a color of the app `name` lacks to be live and ready.
fn lacks(name: &str, color: Color, missing: Missing) -> String {
    let deployment = names::deployment_name(name, color);
    match missing {
        Missing::Block => format!("spec.{color} is not set"),
        Missing::Revision => format!("the revision for {color} is not stored yet"),
        Missing::Deployment => format!("Deployment {deployment} does not exist yet"),
        Missing::Rollout => format!("Deployment {deployment} is not updated yet"),
        Missing::Observed => format!("Deployment {deployment} is not rolled out yet"),
        Missing::Pods { have, want } => format!("{color} has {have} of {want} pods available"),
        Missing::Deadline => format!("Deployment {deployment} exceeded its progress deadline"),
        Missing::ReplicaSet => format!("the pods of Deployment {deployment} are of another revision"),
        Missing::Endpoints { have, want } => {
            let service = names::color_service_name(name, color);
            format!("Service {service} has {have} of {want} ready endpoints")
        }
        Missing::Nodes { uncovered } => {
            format!("{color} has no ready pod on {uncovered} of the nodes that serve traffic now")
        }
    }
}
