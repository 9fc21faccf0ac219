//! Somebody reverts what the operator writes, each time: what, who, and what to do about it.

use crate::desired::Difference;
use crate::harmless::harmless;
use crate::observe::exact::Deviation;
use bluegreen_api::Color;

/// What is reverted again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// The object, for example `Deployment hello-blue`.
    pub object: String,
    /// The color that it belongs to; `None` for the live Service.
    pub color: Option<Color>,
    /// The field, if one is known.
    pub deviation: Option<Deviation>,
    /// A write lasts for a while before it is undone. Otherwise it is changed as it is stored.
    pub later: bool,
}

/// Longer values are cut to so many bytes: a whole container may be what differs.
const VALUE: usize = 120;

/// The keys of a map, and the names in a list, may be long.
const PATH: usize = 240;

/// What is reverted, by whom, and the remedy.
pub(super) fn words(app: &str, reverted: &Reverted) -> String {
    let Reverted { object, color: _, deviation, later } = reverted;
    let Some(Deviation { difference, manager }) = deviation else {
        return format!("{object}: another controller or webhook keeps reverting what the operator writes");
    };
    let value = |value: &str| harmless(value, VALUE);
    let (path, declared, live) =
        (harmless(&difference.path, PATH), value(&difference.declared), value(&difference.live));
    let who = manager.as_deref().map(|name| format!("the field manager {}", value(name)));
    let is = format!("{object}: {path} should be {declared}, but");
    match (later, who) {
        (true, who) if path == "spec.replicas" => format!(
            "{object}: {} keeps changing spec.replicas. Aim the HorizontalPodAutoscaler, or whatever else scales this \
             Deployment, at BlueGreenApp {app}",
            who.unwrap_or_else(|| "somebody".to_owned())
        ),
        (true, None) => format!(
            "{is} somebody keeps changing it to {live}. Find out who, for example with kubectl get --show-managed-fields, \
             and make the change in BlueGreenApp {app}"
        ),
        (_, Some(who)) => format!(
            "{is} {who} keeps changing it to {live}. Stop it from writing to {object}, or make the change in \
             BlueGreenApp {app}"
        ),
        (false, None) if difference.live == "absent" => format!(
            "{is} the API server does not store it: this Kubernetes does not know the field or its feature gate is off, \
             or an admission policy or webhook removes it. Remove the field from BlueGreenApp {app}, or enable it in \
             the cluster"
        ),
        (false, None) => format!(
            "{is} is {live} after each write: an admission policy or webhook rewrites it. Exempt {object} from it, or \
             make the same change in BlueGreenApp {app}"
        ),
    }
}

/// The note of the Event for an edit that was taken back once.
#[must_use]
pub fn once(app: &str, reverted: &Reverted) -> String {
    let Reverted { object, color: _, deviation, later: _ } = reverted;
    let Some(Deviation { difference, manager: Some(manager) }) = deviation else {
        return format!("{object} was edited by somebody else; the edit is taken back");
    };
    let value = |value: &str| harmless(value, VALUE);
    let remedy = if difference.path == "spec.replicas" {
        format!("Scale BlueGreenApp {app} instead")
    } else {
        format!("Make the change in BlueGreenApp {app} instead")
    };
    format!(
        "{object}: the field manager {} changed {} to {}; it is {} again. {remedy}",
        value(manager),
        harmless(&difference.path, PATH),
        value(&difference.live),
        value(&difference.declared),
    )
}

/// The note of the Event for pods that an admission plug-in has changed as the operator wrote their Deployment.
#[must_use]
pub fn mutated(deployment: &str, difference: &Difference) -> String {
    let Difference { path, declared, live } = difference;
    format!(
        "Deployment {deployment}: as the operator wrote it, an admission policy or webhook changed {} from {} to {}, so its pods \
         are replaced in place. Find out which one applies to Deployments here, for example with kubectl get \
         mutatingwebhookconfigurations; to have the same pods again, exempt {deployment} from it, and set another \
         revision in the color's block",
        harmless(path, PATH),
        harmless(declared, VALUE),
        harmless(live, VALUE),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, live: &str, manager: Option<&str>, later: bool) -> String {
        let difference = Difference { path: path.into(), declared: "\"a\"".into(), live: live.into() };
        let deviation = Some(Deviation { difference, manager: manager.map(str::to_owned) });
        let reverted =
            Reverted { object: "Deployment hello-blue".into(), color: Some(Color::Blue), deviation, later };
        words("hello", &reverted)
    }

    #[test]
    fn an_edit_that_is_taken_back_once_is_told_with_who_what_and_the_remedy() {
        let once = |path: &str| {
            let difference = Difference { path: path.into(), declared: "2".into(), live: "5".into() };
            let deviation = Some(Deviation { difference, manager: Some("kubectl".to_owned()) });
            let object = "Deployment hello-blue".to_owned();
            once("hello", &Reverted { object, color: Some(Color::Blue), deviation, later: false })
        };
        let start = "Deployment hello-blue: the field manager kubectl changed";
        assert_eq!(
            once("spec.replicas"),
            format!("{start} spec.replicas to 5; it is 2 again. Scale BlueGreenApp hello instead")
        );
        assert_eq!(
            once("spec.x"),
            format!("{start} spec.x to 5; it is 2 again. Make the change in BlueGreenApp hello instead")
        );
    }

    #[test]
    fn who_and_what_and_the_remedy_are_told() {
        let rewritten = told("spec.x", "\"b\"", None, false);
        assert!(
            rewritten
                .starts_with("Deployment hello-blue: spec.x should be \"a\", but is \"b\" after each write")
        );
        assert!(told("spec.x", "absent", None, false).contains("but the API server does not store it"));
        let undone = told("spec.x", "\"b\"", Some("argocd"), true);
        assert!(
            undone.contains("but the field manager argocd keeps changing it to \"b\". Stop it from writing")
        );
        assert!(told("spec.x", "\"b\"", None, true).contains("--show-managed-fields"));
        for (manager, who) in [(Some("hpa"), "the field manager hpa keeps"), (None, "somebody keeps")] {
            let scaled = told("spec.replicas", "5", manager, true);
            assert!(scaled.contains(who) && scaled.contains("at BlueGreenApp hello"), "{scaled}");
        }
        assert!(
            told("spec.x", &"é".repeat(5_000), None, false).len() < 512,
            "a condition and an Event hold it"
        );
    }
}
