//! PURE: what has happened between two versions of an app, as its status says it.
//!
//! Versions may be missing between the two, as after a time without a connection. The history of switches is complete for the
//! last ten; of checks and conditions only what still holds is seen. So something may never be told, and nothing is told that
//! the status does not say.

mod conditions;
mod switches;

use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus, CheckResult, CheckStatus};

use crate::transition::{Kind, Transition};

/// What has happened from one version of an app to the next, in this order: checks, switches, conditions.
#[must_use]
pub fn transitions(before: &BlueGreenApp, after: &BlueGreenApp) -> Vec<Transition> {
    let unseen = BlueGreenAppStatus::default();
    let about = About { app: after };
    let (old, new) = (before.status.as_ref().unwrap_or(&unseen), after.status.as_ref().unwrap_or(&unseen));
    let checks = new.checks.iter().filter_map(|check| ended(&about, old, check));
    let mut found: Vec<Transition> = checks.collect();
    found.extend(switches::transitions(&about, old, new));
    found.extend(conditions::transitions(&about, old, new));
    found
}

/// The app that transitions are about.
struct About<'a> {
    app: &'a BlueGreenApp,
}

impl About<'_> {
    /// A transition with nothing but its app, kind and sentence. `marks` are what tells it from others of its kind.
    fn transition(&self, kind: Kind, marks: &[&dyn ToString], message: String) -> Transition {
        let metadata = &self.app.metadata;
        let uid = metadata.uid.clone().unwrap_or_default();
        let marks = marks.iter().fold(String::new(), |all, mark| format!("{all}/{}", mark.to_string()));
        Transition {
            id: format!("{uid}/{}{marks}", kind.class()),
            kind,
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid,
            time: None,
            color: None,
            from: None,
            image: None,
            revision: None,
            generation: None,
            check: None,
            reason: None,
            message,
        }
    }
}

/// A check that has ended.
fn ended(about: &About, old: &BlueGreenAppStatus, check: &CheckStatus) -> Option<Transition> {
    let CheckStatus { name, color, revision, generation, attempts, result, finished_at, message, .. } = check;
    let of = format!("Check {name} of {color} (revision {revision})");
    let why = message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    let (kind, words) = match result {
        CheckResult::Running => return None,
        CheckResult::Passed => (Kind::CheckPassed, format!("{of} has passed")),
        CheckResult::Failed => (Kind::CheckFailed, format!("{of} has failed{why}")),
        CheckResult::Inconclusive => {
            (Kind::CheckInconclusive, format!("{of} can't tell whether {color} is good{why}"))
        }
    };
    let is_known = |was: &CheckStatus| {
        (&was.name, was.color, was.revision, was.generation, was.result, &was.finished_at)
            == (name, *color, *revision, *generation, *result, finished_at)
    };
    if old.checks.iter().any(is_known) {
        return None;
    }
    let time = finished_at.as_ref().map(|time| time.0);
    let ended_at = time.map(|time| time.to_string()).unwrap_or_default();
    let marks: [&dyn ToString; 6] = [name, color, revision, generation, attempts, &ended_at];
    let image = about.app.status.as_ref().and_then(|status| status.color(*color));
    Some(Transition {
        time,
        color: Some(*color),
        image: image.filter(|color| color.revision == *revision).map(|color| color.image.clone()),
        revision: Some(*revision),
        generation: Some(*generation),
        check: Some(name.clone()),
        ..about.transition(kind, &marks, words)
    })
}

#[cfg(test)]
#[path = "detect_tests.rs"]
mod tests;
