//! PURE: the operator's actions in words. Each text continues "The operator …". What it waits for is in the words of the
//! status ([`bluegreen_core::status::words`]).

use bluegreen_api::{CheckTime, Color};
use bluegreen_core::desired::names;
use bluegreen_core::observe::Snapshot;
use bluegreen_core::plan::{Action, Observed, replaces_tested};
use bluegreen_core::status::words::tested_pods_replaced;
use kube::ResourceExt;

/// What an action does. `aim`: the color that should be live, which is not `spec.active` once a check has refused that.
pub fn action(seen: &Snapshot, facts: &Observed, aim: Color, action: &Action) -> String {
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
            let stores = format!("stores revision {number} of {color} ({image})");
            let replaced = replaces_tested(facts, *color).filter(|_| aim == *color);
            replaced.map_or(stores.clone(), |from| {
                format!("{stores}. {}", tested_pods_replaced(seen, *color, from, *number))
            })
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
            format!(
                "sets the label bluegreen.dev/fence on {}, so that earlier writes still in flight fail",
                all.join(", ")
            )
        }
        Action::Switch { from, to } => match from {
            Some(from) => format!("switches Service {app} from {from} to {to}"),
            None => format!("points Service {app} to {to}, the first live color"),
        },
        Action::DropRevision { color, number } => {
            format!("deletes revision {number} of {color}, which is no longer needed")
        }
        Action::RunCheck { check, attempt: _ } => {
            let checked = seen.app.spec.checks.get(usize::from(*check));
            let color = facts.checks.run.map_or(aim, |run| run.color);
            let what = match checked.map(|check| (check.enforce, check.when)) {
                Some((true, CheckTime::Before)) => format!("which gates the switch to {color}"),
                Some((true, CheckTime::After)) => format!("which guards the switch to {color}"),
                Some((false, _)) | None => "which only reports".to_owned(),
            };
            let name = checked.map_or("", |check| check.name.as_str());
            format!("creates the Job of check {name}, {what}")
        }
        Action::DropJob { stray: _ } => "deletes the Job of a check, which is no longer needed".to_owned(),
        Action::ApplyPreview(color) => {
            let service = names::preview_service_name(&app);
            format!("points Service {service} to {color}, the idle color")
        }
        Action::RemovePreview => {
            format!("deletes Service {}: spec.service.preview is not true", names::preview_service_name(&app))
        }
        Action::RemoveColor(color) => format!("deletes all objects of {color}: spec.{color} is not set"),
    }
}

fn pods(count: i32) -> String {
    if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") }
}
