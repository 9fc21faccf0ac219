//! PURE: objects that have a child's name and are not this app's, in words.

use kube::ResourceExt;

use crate::desired::names;
use crate::harmless::{NAME, harmless};
use crate::observe::Stranger;
use crate::plan::{Child, Observed};
use bluegreen_api::{BlueGreenApp, Color};

/// All objects that have a child's name and are not this app's, with what to do; at most five.
pub(super) fn conflicts(app: &BlueGreenApp, facts: &Observed, strangers: &[(String, Stranger)]) -> String {
    let (name, annotation) = (app.name_any(), names::ADOPT);
    let (mut left_behind, mut nobodys, mut controlled) = (Vec::new(), Vec::new(), Vec::new());
    let preview =
        (facts.preview == Child::Foreign).then(|| format!("Service {}", names::preview_service_name(&name)));
    for what in children(app, facts, |is| is.0).into_iter().chain(preview) {
        match strangers.iter().find(|(object, _)| *object == what).map(|(_, stranger)| stranger) {
            Some(Stranger::LeftBehind) => left_behind.push(what),
            Some(Stranger::Controlled(by)) => controlled.push(format!(
                "{what} exists and belongs to {}; delete it, or give this app another name",
                harmless(by, NAME)
            )),
            Some(Stranger::Unreadable(why)) => controlled.push(format!(
                "{what} holds a value that the operator can't read, so the operator does not change it ({why}); undo that edit. An object of \
                 a color that is not live can also be deleted: the operator creates it again"
            )),
            Some(Stranger::Nobodys) | None => nobodys.push(what),
        }
    }
    let (exist, they) = exist(&left_behind);
    let left_behind = exist.map(|exist| {
        format!(
            "{exist} with the label {}: {name} and without an owner; to take {they} over, annotate the app: kubectl \
             annotate bluegreenapp {name} {annotation}={}",
            names::APP,
            names::ADOPT_ALL
        )
    });
    // A Deployment that never was an app's selects other pods than the operator's, and its selector can't be changed.
    let (deployments, services): (Vec<_>, Vec<_>) =
        nobodys.into_iter().partition(|what: &String| what.starts_with("Deployment "));
    let does = |objects: &[String]| if objects.len() == 1 { "does" } else { "do" };
    let (exist, they) = self::exist(&services);
    let services_words = exist.map(|exist| {
        let each = if services.len() == 1 { "it" } else { "each" };
        format!(
            "{exist} and {} not belong to this app; delete {they}, or hand {each} over with the annotation \
             {annotation}: {name}",
            does(&services)
        )
    });
    let (exist, they) = self::exist(&deployments);
    let deployments_words = exist.map(|exist| {
        format!(
            "{exist} and {} not belong to this app; delete {they}; add --cascade=orphan to keep the pods \
             running",
            does(&deployments)
        )
    });
    let sentences = left_behind.into_iter().chain(services_words).chain(deployments_words).chain(controlled);
    sentences.collect::<Vec<_>>().join(". ")
}

/// The objects with their verb, and the pronoun for them.
fn exist(objects: &[String]) -> (Option<String>, &'static str) {
    match objects {
        [] => (None, "them"),
        [one] => (Some(format!("{one} exists")), "it"),
        [first @ .., last] => (Some(format!("{} and {last} exist", first.join(", "))), "them"),
    }
}

/// Objects that are being deleted: of an earlier app of this name, or by somebody.
pub(super) fn collecting(app: &BlueGreenApp, facts: &Observed) -> Vec<String> {
    let words = |what| format!("{what} is still being deleted");
    children(app, facts, |is| is.1).into_iter().map(words).collect()
}

/// The children that are (foreign, collecting), as `accept` picks.
fn children(app: &BlueGreenApp, facts: &Observed, accept: fn((bool, bool)) -> bool) -> Vec<String> {
    fn is<T>(child: &Child<T>) -> (bool, bool) {
        match child {
            Child::Foreign => (true, false),
            Child::Collecting => (false, true),
            Child::Absent | Child::Ours(_) => (false, false),
        }
    }
    let name = app.name_any();
    let mut found = vec![(format!("Service {name}"), is(&facts.service))];
    for color in Color::ALL.into_iter().filter(|&color| app.spec.color(color).is_some()) {
        let child = facts.colors.get(color);
        found.push((format!("Service {}", names::color_service_name(&name, color)), is(&child.service)));
        found.push((format!("Deployment {}", names::deployment_name(&name, color)), is(&child.deployment)));
    }
    found.into_iter().filter(|(_, is)| accept(*is)).map(|(what, _)| what).collect()
}
