//! PURE: the planner's decisions in words.

use bluegreen_operator::api::{BlueGreenApp, Color};
use bluegreen_operator::desired::names;
use bluegreen_operator::observe::Snapshot;
use bluegreen_operator::plan::{Action, Missing, Observed, Plan, Stage};
use kube::ResourceExt;

/// One action.
pub fn action(seen: &Snapshot, facts: &Observed, action: &Action) -> String {
    let app = seen.app.name_any();
    let deployment = |color: Color| format!("Deployment {}", names::deployment_name(&app, color));
    match action {
        Action::CreateService => format!("creates Service {app}, which selects no pod yet"),
        Action::Restore { to } => format!("points Service {app} at {to} again, as it was committed"),
        Action::UpdateService => format!("updates Service {app}, selector unchanged"),
        Action::ApplyColorService(color) => {
            format!("applies Service {}, for tests of {color}", names::color_service_name(&app, *color))
        }
        Action::StoreRevision { color, number } => {
            let image = seen.app.spec.image_of(*color).unwrap_or_default();
            format!("stores what {color} is to run as its revision {number} ({image})")
        }
        Action::RecoverRevision { color, number } => {
            format!("stores what {color} runs as its revision {number}, which was lost")
        }
        Action::Promote { color, number } => {
            format!("records on Service {app} that {color} now serves revision {number}")
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
                    format!("rolls {} to revision {to}", deployment(*color))
                }
                (Some((_, size)), _) if size != *replicas => {
                    return format!("scales {} from {size} to {replicas}", deployment(*color));
                }
                _ => format!("corrects {}", deployment(*color)),
            };
            format!("{what}, {}", pods(*replicas))
        }
        Action::Fence { service, colors } => {
            let service = service.then(|| format!("Service {app}"));
            let all: Vec<String> =
                service.into_iter().chain(colors.iter().map(|color| deployment(*color))).collect();
            format!("stamps {}, so that no older write can commit", all.join(", "))
        }
        Action::Switch { from, to } => match from {
            Some(from) => format!("points Service {app} at {to}; until now {from} served"),
            None => format!("points Service {app} at {to}, the first color to serve"),
        },
        Action::DropRevision { color, number } => {
            format!("deletes revision {number} of {color}, which nothing needs any more")
        }
        Action::RemoveColor(color) => format!("deletes everything of {color}: its block left the spec"),
    }
}

fn pods(count: i32) -> String {
    if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") }
}

/// What the operator waits for.
pub fn gate(app: &BlueGreenApp, plan: &Plan) -> Option<String> {
    let target = app.spec.active;
    match plan.stage {
        Stage::Preparing { target, missing } => {
            let serves = plan
                .live
                .color()
                .map_or_else(|| "nothing serves yet".to_owned(), |c| format!("{c} keeps serving"));
            Some(format!("{}; {serves}", lacks(target, missing)))
        }
        Stage::Unready { missing } => Some(lacks(target, missing)),
        Stage::Switching { to } => Some(format!("the endpoints of the Service follow to {to}")),
        Stage::Draining { old } => Some(format!(
            "{} s for requests that {old} still has; {old} is left as it is",
            app.spec.drain_seconds
        )),
        Stage::Yielding | Stage::Paused | Stage::Pausing | Stage::Serving => None,
    }
}

fn lacks(color: Color, missing: Missing) -> String {
    match missing {
        Missing::Block => format!("spec.{color} is missing"),
        Missing::Revision => format!("{color} is not rendered yet"),
        Missing::Deployment => format!("{color} has no Deployment yet"),
        Missing::Rollout => format!("{color}'s Deployment is not as it shall be yet"),
        Missing::Size { have, want } => {
            format!("{color}'s Deployment asks for {have} pods, {want} are needed")
        }
        Missing::Observed => format!("{color}'s new Deployment is yet to be rolled out"),
        Missing::Pods { have, want } => format!("{color} has {have} of {want} pods available"),
        Missing::Deadline => format!("{color} made no progress within its deadline"),
        Missing::ReplicaSet => format!("{color}'s pods are of another revision"),
        Missing::Endpoints { have, want } => {
            format!("{color}'s Service lists {have} of {want} ready endpoints")
        }
        Missing::Nodes { uncovered } => {
            format!("{color} has no ready pod on {uncovered} of the nodes that serve")
        }
    }
}
