//! PURE: the planner's report in words, for conditions, Events and `kubectl bluegreen plan`.
//!
//! Messages are stable: nothing in them changes while nothing changes for the reader, or the status would be written again
//! and again.

use kube::ResourceExt;

use super::reasons::CONTESTED;
use crate::apply::{Failure, FailureKind};
use crate::desired::{self, names};
use crate::harmless::{NAME, harmless};
use crate::observe::Snapshot;
use crate::plan::{Action, Child, Holder, Live, Missing, Observed, Plan, Stage};
use crate::text::listed;
use crate::validate;
use bluegreen_api::{BlueGreenApp, Color, PerColor};

/// Why the pods of each color are not ready, as far as it is known.
pub type Because = PerColor<Option<String>>;

/// What the app waits for; `None` if it waits for nothing.
pub fn waits(app: &BlueGreenApp, seen: &Observed, plan: &Plan, because: &Because) -> Option<String> {
    let name = app.name_any();
    match plan.stage {
        Stage::Yielding => plan.waits.holder.as_ref().map(|holder| held_by(&name, holder)),
        Stage::Invalid => Some(format!("The spec is invalid: {}", invalid(app))),
        Stage::Preparing { target, missing } => {
            let live = plan.live.color();
            let live = live.map_or_else(|| "no color is live yet".to_owned(), |c| format!("{c} stays live"));
            let what = match super::conflicts::collecting(app, seen).into_iter().next() {
                Some(old) => old,
                None => lacks_because(&name, seen, target, missing, because),
            };
            Some(format!("{what}; {live}"))
        }
        // Which checks run is told from the spec, by the caller that has it.
        Stage::Checking { to } => Some(format!("{to} is ready and is being checked before the switch")),
        Stage::Watching { old } => Some(format!(
            "{} is live and is being checked; {old} stays as it is, to be made live again if a check fails",
            old.other()
        )),
        Stage::Switching { to } if plan.live == Live::Selected(to) => {
            Some(format!("Service {name} selects {to}; waiting for its endpoints"))
        }
        Stage::Switching { to } => Some(switching(plan.live.color(), to)),
        Stage::Draining { old } => Some(format!(
            "{old} drains for {} seconds; its pods stay as they are to finish their requests",
            app.spec.drain_seconds
        )),
        Stage::Unready { missing } => {
            // The stage is that of a color that is live.
            let color = plan.live.color()?;
            let what = live_pods(seen, color, missing).unwrap_or_else(|| lacks(&name, seen, color, missing));
            Some(with_cause(what, because.get(color).as_ref()))
        }
        Stage::Paused => match plan.waits.gate {
            Some((color, missing)) => Some(format!(
                "{}; spec.paused is true, so the operator changes nothing",
                lacks_because(&name, seen, color, missing, because)
            )),
            None => plan.waits.paused.then(paused),
        },
        Stage::Pausing => Some(format!("Pausing: {}", fencing())),
        Stage::Serving => None,
    }
}

/// A write that does not succeed, as reason and message of a condition.
pub(super) fn failed(failure: &Failure) -> (&'static str, String) {
    match failure.kind {
        FailureKind::Refused => ("Refused", failure.words.clone()),
        FailureKind::Reverted => (CONTESTED, failure.words.clone()),
        FailureKind::Failed => ("WriteFailed", format!("{}; the operator tries again", failure.words)),
    }
}

/// What stays although nothing needs it any more.
pub(super) fn leftover(failures: &[Failure]) -> Option<String> {
    let failure = failures.iter().find(|failure| failure.leftover)?;
    Some(format!("an object that is not needed any more can't be deleted: {}", failure.words))
}

/// Says that earlier writes, which may still take effect, are being fenced.
pub(super) fn fencing() -> String {
    "making sure that no earlier write of this operator can still take effect".to_owned()
}

/// Says that a switch is under way.
pub(super) fn switching(from: Option<Color>, to: Color) -> String {
    match from.filter(|from| *from != to) {
        Some(from) => format!("Switching from {from} to {to}"),
        None => format!("Switching to {to}"),
    }
}

/// Says that the target of a switch is rendered anew as revision `to`, because shared fields were edited together with
/// `spec.active`; its pods of revision `from` were ready.
pub fn tested_pods_replaced(seen: &Snapshot, color: Color, from: i64, to: i64) -> String {
    let differs = seen
        .revision(color, from)
        .zip(desired::render(&seen.app, color))
        .and_then(|(was, now)| now.differs_in(&was.rendered));
    let field = differs.map(|path| {
        format!(" ({path} of Deployment {})", names::deployment_name(&seen.app.name_any(), color))
    });
    format!(
        "{color} was rendered anew as revision {to} with the switch, because a field that both colors share was edited{}. \
         Its pods of revision {from}, which were ready, are replaced, and the new ones go live untested. To test them \
         first, set spec.active to {}",
        field.unwrap_or_default(),
        color.other(),
    )
}

/// Says that the spec has changes, and `spec.paused` holds them back.
pub(super) fn paused() -> String {
    "spec.paused is true and there are changes that are not applied; set spec.paused to false to apply them"
        .to_owned()
}

/// Rules of the spec that are broken.
pub(super) fn invalid(app: &BlueGreenApp) -> String {
    /// How many bytes: an Event has to hold them, too.
    const MOST: usize = 900;
    let problems = validate::blocking(&app.name_any(), &app.spec);
    listed(problems.iter().map(|problem| harmless(&problem.to_string(), MOST)), MOST)
}

/// Who else holds the app's objects, and what to do.
pub(super) fn held_by(app: &str, holder: &Holder) -> String {
    match holder {
        // What an annotation says.
        Holder::Installation(lease) => format!(
            "The operator with the Lease {} manages this app's objects. Remove one of the two operators, or let \
             this one take over: kubectl annotate service {app} {}-",
            harmless(lease, NAME),
            names::OPERATOR
        ),
        Holder::Leader { service, colors } => {
            let service = service.then(|| format!("service/{app}"));
            let of_color = |color: &Color| format!("deployment/{}", names::deployment_name(app, *color));
            let deployments: Vec<String> = colors.iter().map(of_color).collect();
            let objects: Vec<String> = service.into_iter().chain(deployments.iter().cloned()).collect();
            let (objects, label) = (objects.join(" "), names::FENCE);
            let mut remedy = format!("kubectl label {objects} {label}-");
            if !deployments.is_empty() {
                remedy = format!("{remedy} && kubectl annotate {} {label}-", deployments.join(" "));
            }
            format!(
                "The label (or, on a Deployment, the annotation) {label} of {objects} names a later leader of this \
                 operator, so this one changes nothing. If no other replica is taking over, somebody edited it: {remedy}"
            )
        }
    }
}

/// What a color of the app lacks, in words.
pub fn lacks(app: &str, seen: &Observed, color: Color, missing: Missing) -> String {
    let deployment = format!("Deployment {}", names::deployment_name(app, color));
    match missing {
        Missing::Block => format!("spec.{color} is not set"),
        Missing::Revision => format!("The new revision of {color} is not stored yet"),
        Missing::Deployment if seen.colors.get(color).deployment == Child::Foreign => {
            format!("{deployment} belongs to somebody else")
        }
        Missing::Deployment => format!("{deployment} does not exist yet"),
        Missing::Rollout => format!("{deployment} is not updated yet"),
        Missing::Size { have, want } => format!("{deployment} is being scaled from {have} to {want} pods"),
        Missing::Observed => {
            format!("The Deployment controller has not observed the last change of {deployment} yet")
        }
        Missing::Pods { have, want } => format!("{color} has {have} of {want} pods available"),
        Missing::Deadline => format!("{deployment} exceeded its progress deadline"),
        Missing::ReplicaSet => format!("{deployment} has no ReplicaSet of its new revision yet"),
        Missing::Endpoints { have, want } => {
            let service = names::color_service_name(app, color);
            let has = format!("Service {service} has {have} of {want} ready endpoints");
            match seen.colors.get(color).sparse.as_slice() {
                [] => has,
                families => format!(
                    "{has} with an {} address, which its clients may use: pods need addresses of both families, or \
                     ipFamilyPolicy of Service {app} has to be SingleStack",
                    families.join(" and an ")
                ),
            }
        }
        Missing::Ports { have, want } => {
            let ports = some_of(&seen.colors.get(color).unlisted, "ports");
            format!(
                "Service {} has {have} of {want} ready endpoints with {ports}: a container of {color} needs a port of that \
                 name and protocol in spec.template, or the port has to leave spec.service.extraPorts",
                names::color_service_name(app, color)
            )
        }
        Missing::Nodes { .. } => {
            let nodes = some_of(&seen.colors.get(color).uncovered, "nodes");
            let live = color.other();
            format!(
                "{color} has no ready pod on {nodes}, where {live} has one (externalTrafficPolicy or internalTrafficPolicy is \
                 Local)"
            )
        }
        Missing::Unproven => format!(
            "the checks after the last switch to {color} failed or did not finish, so the operator does not switch back to it by \
             itself"
        ),
    }
}

/// What the live color has. Of an in-place update: how many pods are updated, and how many are available of either version.
fn live_pods(seen: &Observed, color: Color, missing: Missing) -> Option<String> {
    let deployment = seen.colors.get(color).deployment.ours()?;
    let Missing::Pods { want, .. } = missing else { return None };
    let (available, updated) = (deployment.available, deployment.updated);
    if deployment.total == updated {
        return Some(format!("{color} has {available} of {want} pods available"));
    }
    Some(format!("{color} is being updated: {updated} of {want} pods are updated, {available} are available"))
}

/// As [`lacks`], with what its pods say.
pub(super) fn lacks_because(
    app: &str,
    seen: &Observed,
    color: Color,
    missing: Missing,
    because: &Because,
) -> String {
    with_cause(lacks(app, seen, color, missing), because.get(color).as_ref())
}

/// A message, with its cause if that is known.
pub(super) fn with_cause(what: String, why: Option<&String>) -> String {
    match why {
        Some(why) => format!("{what}: {why}"),
        None => what,
    }
}

/// The message of `Ready`, with the ports of the Service with which the live color is not listed: nobody is reached there.
pub(super) fn with_unlisted(ready: String, app: &str, seen: &Observed, live: Color) -> String {
    let ports = &seen.colors.get(live).unlisted;
    if ports.is_empty() {
        return ready;
    }
    let ports = some_of(ports, "ports");
    format!("{ready}. Connections to Service {app} on {ports} fail: the pods of {live} have no such port")
}

/// What the message of `Ready` says of slices that nobody switches.
const ASTRAY: &str = " also sends traffic to the addresses in ";

/// The message of `Ready`, with the EndpointSlices of the live Service that are not the EndpointSlice controller's. kube-proxy
/// uses every slice that names the Service, so part of its traffic goes there, whichever color is live.
pub(super) fn with_astray(ready: String, app: &str, slices: &[String]) -> String {
    if slices.is_empty() {
        return ready;
    }
    format!(
        "{ready}. Service {app}{ASTRAY}{}, which Kubernetes' EndpointSlice controller did not create. Switches do not change them, \
         and drains do not wait for them. Delete them if they are not intended",
        some_of(slices, "slices")
    )
}

/// Which slices a message of [`with_astray`] tells of.
pub(super) fn astray(message: &str) -> Option<&str> {
    message.split_once(ASTRAY).map(|(_, slices)| slices)
}

/// The first few names: a message has to end somewhere.
fn some_of(names: &[String], of: &str) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more {of}"),
    }
}

/// The objects that these actions change, each once.
pub fn objects(app: &str, actions: &[Action]) -> Vec<String> {
    let service = || vec![format!("Service {app}")];
    let deployment = |color: Color| format!("Deployment {}", names::deployment_name(app, color));
    let revision =
        |color, number| vec![format!("ControllerRevision {}", names::revision_name(app, color, number))];
    let mut all: Vec<String> = Vec::new();
    for action in actions {
        let objects = match action {
            Action::CreateService
            | Action::Restore { .. }
            | Action::UpdateService
            | Action::Promote { .. }
            | Action::Switch { .. } => service(),
            Action::ApplyColorService(color) => {
                vec![format!("Service {}", names::color_service_name(app, *color))]
            }
            Action::ApplyPreview(_) | Action::RemovePreview => {
                vec![format!("Service {}", names::preview_service_name(app))]
            }
            Action::StoreRevision { color, number }
            | Action::RecoverRevision { color, number }
            | Action::DropRevision { color, number } => revision(*color, *number),
            Action::CreateDeployment { color, .. }
            | Action::EditDeployment { color, .. }
            | Action::RemoveColor(color) => vec![deployment(*color)],
            Action::RunCheck { .. } | Action::DropJob { .. } => {
                vec![format!("the Jobs of the checks of {app}")]
            }
            Action::Fence { service: stamped, colors } => {
                let service = if *stamped { service() } else { Vec::new() };
                service.into_iter().chain(colors.iter().map(|color| deployment(*color))).collect()
            }
        };
        for object in objects {
            if !all.contains(&object) {
                all.push(object);
            }
        }
    }
    all
}
