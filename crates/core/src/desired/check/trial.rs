//! A Job that asks what a check asks, for a person who wants to know beforehand. The operator never sees it.

use serde_json::{Value, json};

use super::Asked;
use crate::desired::canonical::short_hash;
use crate::desired::names;
use crate::plan::Run;
use bluegreen_api::{BlueGreenApp, Check};

/// The tool that manages such a Job, as its label says.
const MANAGER: &str = "kubectl-bluegreen";

/// How much of the app's name is in the name of a trial's Job. With a check's name, `try`, a hash and dashes, it fits into a label.
const NAME: usize = 20;

/// How many seconds a Job is kept after its end, if nobody was left to delete it.
const KEPT_SECONDS: i32 = 600;

/// Returns the name of a trial's Job. `nonce` tells it from every other trial, so that it can be deleted even if the answer to its
/// creation was lost.
#[must_use]
pub fn trial_name(app: &str, check: &Check, nonce: &str) -> String {
    let name: String = app.chars().take(NAME).collect();
    let hash = short_hash(&json!([app, check.name, nonce]));
    format!("{}-{}-try-{hash}", name.trim_end_matches('-'), check.name)
}

/// Returns the body of a trial's Job: what the operator would run, without the labels and the owner by which the operator would
/// take it for its own. So it is no verdict, it does not count towards the Jobs that may run, and nothing waits for it.
#[must_use]
pub fn trial_job(app: &BlueGreenApp, run: &Run, check: &Check, asked: &Asked<'_>, name: &str) -> Value {
    let mut job = super::job(app, run, check, 1, asked);
    let mut metadata = json!({ "name": name, "labels": { (names::KUBE_MANAGED_BY): MANAGER } });
    if let Some(namespace) = &app.metadata.namespace {
        metadata["namespace"] = json!(namespace);
    }
    job["metadata"] = metadata;
    job["spec"]["ttlSecondsAfterFinished"] = json!(KEPT_SECONDS);
    job
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bluegreen_api::Color;

    #[test]
    fn a_trial_runs_what_the_operator_would_and_carries_nothing_by_which_it_would_count() {
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": { "name": "hello-of-the-many-teams-of-us", "namespace": "shop", "uid": "1" },
            "spec": { "active": "blue", "image": "team/hello", "port": 8080, "green": { "tag": "v2" },
                "service": { "port": 80 }, "checks": [{ "name": "a-check-of-20-letters", "when": "Before", "http": {} }] },
        });
        let app: BlueGreenApp = serde_json::from_value(app).unwrap();
        let check = app.spec.checks.first().unwrap();
        let run = Run { color: Color::Green, revision: 2, generation: 7, open: false, guarded: false };
        let asked = Asked { image: "team/hello:v2", address: Some("10.0.0.9"), checker: "operator:v1" };
        let name = trial_name("hello-of-the-many-teams-of-us", check, "n");
        assert!(name.len() <= 63, "{name}");
        assert_ne!(name, trial_name("hello-of-the-many-teams-of-us", check, "m"));
        let (trial, own) =
            (trial_job(&app, &run, check, &asked, &name), crate::desired::job(&app, &run, check, 1, &asked));
        for pointer in
            ["/spec/template", "/spec/podFailurePolicy", "/spec/backoffLimit", "/spec/activeDeadlineSeconds"]
        {
            assert_eq!(trial.pointer(pointer).unwrap(), own.pointer(pointer).unwrap(), "{pointer}");
        }
        assert_ne!(trial.pointer("/metadata/name"), own.pointer("/metadata/name"));
        assert_eq!(trial.pointer("/metadata/ownerReferences"), None);
        let labels = trial.pointer("/metadata/labels").unwrap().as_object().unwrap();
        assert!(labels.keys().all(|key| !key.starts_with("bluegreen.dev/")), "{labels:?}");
    }
}
