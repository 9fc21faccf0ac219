//! PURE: why a color's pods are not ready, in one stable sentence for a condition's message.
//!
//! Stable matters: a message that names the newest pod or counts restarts would be written again and again.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Resource;

/// The most severe cause that the Deployment and its pods show; `None` if nothing is wrong with them.
pub fn explain(deployment: Option<&Deployment>, pods: &[Pod]) -> Option<String> {
    if let Some(words) = deployment.and_then(refused_pods) {
        return Some(words);
    }
    let mut causes: BTreeMap<(u8, String), usize> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| pod.meta().deletion_timestamp.is_none()) {
        if let Some(cause) = cause(pod) {
            *causes.entry(cause).or_default() += 1;
        }
    }
    let ((_, words), count) = causes.into_iter().next()?;
    let pods = if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") };
    Some(format!("{pods}: {words}"))
}

/// The pods were not even created: a quota, an admission policy, a missing ServiceAccount.
fn refused_pods(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
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

/// How severe the cause is (0 is worst), and the cause in words.
fn cause(pod: &Pod) -> Option<(u8, String)> {
    let status = pod.status.as_ref()?;
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let statuses =
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    let worst = statuses.filter_map(container_cause).min();
    if worst.is_some() {
        return worst;
    }
    if let Some(unscheduled) = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False") {
        return Some((1, format!("can't be scheduled: {}", unscheduled.message.clone().unwrap_or_default())));
    }
    let ready = conditions.iter().find(|c| c.type_ == "Ready")?;
    (ready.status != "True").then(|| (5, "the readiness probe does not succeed".to_owned()))
}

fn container_cause(container: &ContainerStatus) -> Option<(u8, String)> {
    let name = &container.name;
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        return match reason {
            // ErrImagePull and ImagePullBackOff alternate with every attempt.
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                Some((0, format!("the image {} can't be pulled", container.image)))
            }
            "CrashLoopBackOff" => {
                Some((2, format!("container {name} keeps crashing{}", last_exit(container))))
            }
            "ContainerCreating" | "PodInitializing" | "" => None,
            other => {
                let words = waiting.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
                Some((1, format!("container {name} does not start: {other}{words}")))
            }
        };
    }
    let exit = state.terminated.as_ref()?;
    (exit.exit_code != 0)
        .then(|| (2, format!("container {name} keeps crashing (exit code {})", exit.exit_code)))
}

fn last_exit(container: &ContainerStatus) -> String {
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    last.map(|exit| format!(" (exit code {})", exit.exit_code)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(json!({ "metadata": { "name": "p" }, "status": status })).unwrap()
    }

    fn waiting(reason: &str) -> Pod {
        pod(json!({ "containerStatuses": [{
            "name": "app", "image": "team/hello:v9", "imageID": "", "ready": false, "restartCount": 3,
            "state": { "waiting": { "reason": reason } }
        }]}))
    }

    #[test]
    fn an_image_that_never_pulls_is_named_and_the_words_do_not_alternate() {
        let first = explain(None, &[waiting("ErrImagePull"), waiting("ImagePullBackOff")]);
        assert_eq!(first.as_deref(), Some("2 pods: the image team/hello:v9 can't be pulled"));
    }

    #[test]
    fn a_quota_is_told_in_the_api_servers_words_without_the_changing_pod_name() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {}, "status": { "conditions": [{ "type": "ReplicaFailure", "status": "True",
                "message": "pods \"hello-green-5d-abcde\" is forbidden: exceeded quota: small" }]}
        }))
        .unwrap();
        let words = explain(Some(&deployment), &[]);
        assert_eq!(words.as_deref(), Some("pods can't be created: forbidden: exceeded quota: small"));
    }

    #[test]
    fn a_failing_probe_is_the_last_guess() {
        let ready = pod(json!({ "conditions": [{ "type": "Ready", "status": "True" }] }));
        let failing = pod(json!({ "conditions": [{ "type": "Ready", "status": "False" }] }));
        assert_eq!(explain(None, &[ready]), None);
        assert_eq!(explain(None, &[failing]).as_deref(), Some("1 pod: the readiness probe does not succeed"));
    }
}
