//! PURE: one app as a picture: what the [`Report`] says, which pods the Service sends to, the drain's clock, and the switches
//! before.

use bluegreen_api::{CheckResult, Color, HistoryEntry, Phase, Rejection};
use bluegreen_core::observe::snapshot::SERVICE_NAME;
use jiff::Timestamp;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::ResourceExt;
use serde::Serialize;

use crate::{Objects, Report, has_color, managed};
use bluegreen_core::desired::names;

/// What is shown of one app on a page of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// What the tree shows.
    #[serde(flatten)]
    pub report: Report,
    /// The generation of the spec.
    pub generation: Option<i64>,
    /// `spec.paused`.
    pub paused: bool,
    /// The color to which a button may offer to roll back; none where the command refuses it or would change nothing.
    pub before: Option<Color>,
    /// Where the live Service sends requests.
    pub endpoints: Vec<EndpointView>,
    /// The drain that is under way.
    pub drain: Option<DrainView>,
    /// The last switches, newest first.
    pub history: Vec<HistoryEntry>,
    /// What a person can do about what a check has refused.
    pub ways_out: Vec<String>,
    /// The GitOps tool that applies the app.
    pub managed: Option<String>,
}

/// One endpoint of the live Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointView {
    /// The pod, or the address if it is no pod's.
    pub pod: String,
    /// The color of the pod; none if it is not one of the app's.
    pub color: Option<Color>,
    /// New requests are sent to it.
    pub ready: bool,
    /// The pod is terminating.
    pub terminating: bool,
}

/// The drain of the old color.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrainView {
    /// The old color.
    pub old: Color,
    /// `spec.drainSeconds`.
    pub seconds: i32,
    /// When it began, as far as it is known.
    pub since: Timestamp,
    /// `since` is when the drain was seen to begin. Otherwise it is when the Service was switched, a little before.
    pub seen: bool,
}

impl Picture {
    /// What to show of these objects, with the EndpointSlices of the app, when its drain was seen to begin, and where a rollback would
    /// lead.
    #[must_use]
    pub fn of(
        objects: &Objects,
        slices: &[impl AsRef<EndpointSlice>],
        draining: Option<Timestamp>,
        before: Option<Color>,
        now: Timestamp,
    ) -> Self {
        let app = &objects.app;
        let status = app.status.clone().unwrap_or_default();
        Self {
            report: Report::of(objects, now),
            generation: app.metadata.generation,
            paused: app.spec.paused,
            before,
            endpoints: endpoints(objects, slices),
            drain: drain(objects, draining),
            ways_out: status.rejected.as_ref().map(ways_out).unwrap_or_default(),
            managed: managed::gitops(app),
            history: status.history,
        }
    }

    /// The same without what changes by itself: two of these differ only if something happened.
    #[must_use]
    pub fn ageless(&self) -> Self {
        Self { report: self.report.ageless(), ..self.clone() }
    }
}

fn drain(objects: &Objects, seen: Option<Timestamp>) -> Option<DrainView> {
    let status = objects.app.status.as_ref().filter(|status| status.phase == Some(Phase::Draining))?;
    let last = status.history.first().filter(|last| last.drained_at.is_none())?;
    Some(DrainView {
        old: last.from?,
        seconds: objects.app.spec.drain_seconds,
        since: seen.unwrap_or(last.finished_at.0),
        seen: seen.is_some(),
    })
}

fn endpoints(objects: &Objects, slices: &[impl AsRef<EndpointSlice>]) -> Vec<EndpointView> {
    let app = objects.app.name_any();
    let live = names::live_service_name(&app);
    let of_service = |slice: &&EndpointSlice| slice.labels().get(SERVICE_NAME) == Some(&live);
    let slices = slices.iter().map(AsRef::as_ref).filter(of_service);
    let views = slices.flat_map(|slice| &slice.endpoints).map(|endpoint| view(objects, endpoint));
    let mut views: Vec<EndpointView> = views.collect();
    views.sort();
    // A pod with addresses of both families is in two slices.
    views.dedup();
    views
}

fn view(objects: &Objects, endpoint: &Endpoint) -> EndpointView {
    let target = endpoint.target_ref.as_ref().and_then(|target| target.name.clone());
    let pod = target.unwrap_or_else(|| endpoint.addresses.first().cloned().unwrap_or_default());
    let known = objects.pods.iter().find(|known| known.name_any() == pod);
    // Whoever may not list pods still sees their names in the slices, which begin with the Deployment's.
    let named = |color: &Color| {
        pod.starts_with(&format!("{}-", names::deployment_name(&objects.app.name_any(), *color)))
    };
    let is = |color: &Color| known.map_or_else(|| named(color), |known| has_color(known, *color));
    let conditions = endpoint.conditions.as_ref();
    EndpointView {
        color: Color::ALL.into_iter().find(is),
        // Absent means true: the API's own rule.
        ready: conditions.and_then(|conditions| conditions.ready).unwrap_or(true),
        terminating: conditions.and_then(|conditions| conditions.terminating).unwrap_or(false),
        pod,
    }
}

/// The ways out of what a check has refused, one by one; the message of `Stalled` names the same.
fn ways_out(rejection: &Rejection) -> Vec<String> {
    let Rejection { color, check, result, .. } = rejection;
    let other = color.other();
    let again = match result {
        CheckResult::Inconclusive => "The check could not tell, so trying the same again may help",
        CheckResult::Running | CheckResult::Passed | CheckResult::Failed => {
            "If the check was wrong, the same can be tried again"
        }
    };
    vec![
        format!(
            "Deploy another version to {color}. That also sets spec.active to the live color; then switch"
        ),
        format!("{again}: set a new text in spec.{color}.revision"),
        format!("Stay with {other}: set spec.active to {other}"),
        format!("In an emergency, set enforce: false in check {check}: it then decides nothing"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn objects(phase: &str) -> Objects {
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": "hello", "namespace": "shop", "generation": 2},
            "spec": {"active": "green", "image": "hello", "blue": {"tag": "1"}, "green": {"tag": "2"}, "replicas": 1,
                "port": 80, "drainSeconds": 30},
            "status": {"observedGeneration": 2, "active": "green", "phase": phase, "history": [{"from": "blue",
                "to": "green", "image": "hello:2", "revision": 1, "startedAt": "2026-01-01T00:00:00Z",
                "finishedAt": "2026-01-01T00:00:01Z", "generation": 2}]},
        });
        let pod = json!({"metadata": {"name": "renamed", "labels": {(names::COLOR): "green"}}});
        Objects {
            app: serde_json::from_value(app).unwrap(),
            services: Vec::new(),
            deployments: Vec::new(),
            replica_sets: Vec::new(),
            pods: vec![serde_json::from_value(pod).unwrap()],
            unreadable: Vec::new(),
        }
    }

    fn slice(service: &str, endpoints: serde_json::Value) -> std::sync::Arc<EndpointSlice> {
        let slice = json!({"metadata": {"name": service, "labels": {(SERVICE_NAME): service}}, "addressType": "IPv4",
            "endpoints": endpoints});
        std::sync::Arc::new(serde_json::from_value(slice).unwrap())
    }

    fn endpoint(pod: &str, conditions: &serde_json::Value) -> serde_json::Value {
        json!({"addresses": ["192.0.2.1"], "conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}})
    }

    #[test]
    fn endpoints_are_those_of_the_live_service_with_the_color_of_their_pods() {
        let live = json!([
            endpoint("renamed", &json!({"ready": true})),
            endpoint("hello-blue-6d4cf56db6-2x2mz", &json!({"ready": false, "terminating": true})),
            endpoint("stranger", &json!({})),
        ]);
        let twice = slice("hello", live.clone());
        let own = slice("hello-green", json!([endpoint("renamed", &json!({}))]));
        let now = Timestamp::UNIX_EPOCH;
        let seen =
            Picture::of(&objects("Switching"), &[twice.clone(), own, twice], None, None, now).endpoints;
        let told: Vec<_> =
            seen.iter().map(|it| (it.pod.as_str(), it.color, it.ready, it.terminating)).collect();
        assert_eq!(
            told,
            [
                ("hello-blue-6d4cf56db6-2x2mz", Some(Color::Blue), false, true),
                ("renamed", Some(Color::Green), true, false),
                ("stranger", None, true, false),
            ]
        );
    }

    #[test]
    fn a_drain_is_shown_only_while_it_runs_and_from_when_it_was_seen() {
        let none: [std::sync::Arc<EndpointSlice>; 0] = [];
        let now = Timestamp::UNIX_EPOCH;
        let drain = |phase: &str, seen| Picture::of(&objects(phase), &none, seen, None, now).drain;
        assert_eq!(drain("Stable", None), None);
        let unseen = drain("Draining", None).unwrap();
        assert_eq!((unseen.old, unseen.seconds, unseen.seen), (Color::Blue, 30, false));
        assert_eq!(unseen.since.to_string(), "2026-01-01T00:00:01Z");
        assert!(drain("Draining", Some(now)).unwrap().seen);
    }
}
