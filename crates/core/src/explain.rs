//! PURE: why a color's pods are not ready, in one stable sentence for a condition's message.
//!
//! Stable matters: a message that names the newest pod or counts restarts would be written again and again.

mod container;
mod pod;
#[cfg(test)]
mod tests;
mod volumes;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt};

use crate::desired::{names, running_revision};
use crate::harmless::harmless;

/// How many bytes a sentence has at most: it becomes part of a condition's message, and of an Event's note.
const MOST: usize = 500;

/// Why a pod is not ready. Causes are in the order of their severity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    severity: Severity,
    /// The same for all pods that share the cause.
    words: String,
    /// May differ from pod to pod; one of them is told.
    detail: String,
}

impl Cause {
    fn new(severity: Severity, words: impl Into<String>) -> Self {
        Self { severity, words: words.into(), detail: String::new() }
    }

    fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

/// The gravest first: what only a person can mend comes before what may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Image,
    Start,
    Scheduling,
    Crash,
    Init,
    Setup,
    Probe,
    Gate,
    Node,
    Age,
}

/// Returns the command that shows the Events of all pods of the color: it names none of them.
fn describe(pod: &Pod) -> String {
    let label = |key: &str| pod.labels().get(key).map(|value| format!("{key}={value}"));
    let labels: Vec<String> = [names::APP, names::COLOR].into_iter().filter_map(label).collect();
    format!("kubectl describe pods -l {}", labels.join(","))
}

/// Returns the most severe cause that the Deployment and its pods show; `None` if nothing is wrong with them.
pub fn explain(deployment: Option<&Deployment>, pods: &[Pod], now: Timestamp) -> Option<String> {
    if let Some(words) = deployment.and_then(refused_pods) {
        return Some(harmless(&words, MOST));
    }
    // Pods of an earlier revision are on their way out.
    let newest = deployment.and_then(running_revision).map(|number| number.to_string());
    let of_newest = |pod: &&Pod| newest.is_none() || pod.labels().get(names::REVISION) == newest.as_ref();
    let wait = deployment.and_then(|deployment| deployment.spec.as_ref()?.min_ready_seconds).unwrap_or(0);
    let mut causes: BTreeMap<(Severity, String), (usize, String)> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_meant_to_run(pod)).filter(of_newest) {
        let cause = if pod::is_true(pod, "Ready") { pod::age(pod, wait, now) } else { pod::cause(pod, now) };
        if let Some(Cause { severity, words, detail }) = cause {
            let (count, told) = causes.entry((severity, words)).or_insert_with(|| (0, detail.clone()));
            *count += 1;
            // Always the same one, in whatever order the pods are listed.
            *told = detail.min(std::mem::take(told));
        }
    }
    let ((_, words), (count, detail)) = causes.into_iter().next()?;
    let pods = if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") };
    Some(harmless(&format!("{pods}: {words}{detail}"), MOST))
}

/// Returns true if a pod is meant to run, and is not ready.
#[must_use]
pub fn is_late(pod: &Pod) -> bool {
    is_meant_to_run(pod) && !pod::is_true(pod, "Ready")
}

/// Returns true if a pod is meant to run. What was evicted or shut down lies about until it is collected, and another pod has taken
/// its place.
fn is_meant_to_run(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Failed" | "Succeeded")) && pod.meta().deletion_timestamp.is_none()
}

/// Returns why pods were not even created: a quota, an admission policy, a missing ServiceAccount. Or their ReplicaSet was not.
fn refused_pods(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    // The reasons are those of Kubernetes' Deployment controller.
    let is_refused = |reason: Option<&str>| reason == Some("ReplicaSetCreateError");
    let progress = conditions.iter().find(|c| c.type_ == "Progressing" && c.status == "False");
    if let Some(failure) = progress.filter(|condition| is_refused(condition.reason.as_deref())) {
        let words = failure.message.as_deref().unwrap_or_default();
        // `Failed to create new replica set "hello-green-7c9": …`
        let words = words.split_once("\": ").map_or(words, |(_, words)| words);
        return Some(format!("the ReplicaSet can't be created: {words}"));
    }
    let failure = conditions.iter().find(|c| c.type_ == "ReplicaFailure" && c.status == "True")?;
    let words = failure.message.clone().unwrap_or_default();
    Some(format!("pods can't be created: {}", without_pod_name(&words)))
}

/// `pods "hello-green-7c9-x2x" is forbidden: …` without the name, which differs at each attempt.
fn without_pod_name(words: &str) -> &str {
    let rest =
        words.strip_prefix("pods \"").and_then(|rest| rest.split_once("\" ")).map_or(words, |(_, rest)| rest);
    rest.strip_prefix("is ").unwrap_or(rest)
}
