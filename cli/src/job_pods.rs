//! What the pods of a Job say: why they don't run, and the last lines of their log. Both are read with the user's own rights.

use std::cmp::Reverse;
use std::time::Duration;

use bluegreen_client::careful::Careful;
use bluegreen_core::explain::explain;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};

use crate::cluster::{Cluster, within};
use crate::warning;

/// The label by which the Job controller finds the pods of a Job.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// How many lines of a log are shown.
const LINES: i64 = 10;

/// How many bytes of a log are read.
const BYTES: i64 = 64 * 1024;

/// How many bytes of one line are shown.
const LINE: usize = 400;

/// How long all requests of one read may take together.
const TIME: Duration = Duration::from_secs(5);

/// Says in one sentence why the pods of a Job don't run; `None` if they do, or if the user may not read that.
pub async fn held(cluster: &Cluster, job: &Job) -> Option<String> {
    tokio::time::timeout(TIME, read(cluster, job)).await.ok().flatten()
}

async fn read(cluster: &Cluster, job: &Job) -> Option<String> {
    let pods = pods(cluster, &job.name_any()).await.ok()?;
    if pods.is_empty() {
        // Only an Event says why the Job controller can't create a pod.
        return warning::newest_of(cluster, &job.uid()?).await.ok().flatten();
    }
    explain(None, &pods, Timestamp::now())
}

/// The pods of a Job, the youngest first.
async fn pods(cluster: &Cluster, job: &str) -> Result<Vec<Pod>, String> {
    let api: Api<Careful<Pod>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let of_job = ListParams::default().labels(&format!("{JOB_NAME}={job}"));
    let found = within(api.list(&of_job)).await.map_err(|error| in_words(error, cluster))?;
    let mut pods: Vec<Pod> = found.items.into_iter().filter_map(|pod| pod.0.ok()).collect();
    pods.sort_by_key(|pod| (Reverse(pod.creation_timestamp()), pod.name_any()));
    Ok(pods)
}

/// The last lines that the youngest pod of a Job has printed: of the container that failed, or else of its first one.
///
/// # Errors
/// In words, when the log can't be read.
pub async fn last_lines(cluster: &Cluster, job: &str) -> Result<Vec<String>, String> {
    let Some(pod) = pods(cluster, job).await?.into_iter().next() else { return Ok(Vec::new()) };
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let params = LogParams {
        container: Some(container(&pod)),
        tail_lines: Some(LINES),
        limit_bytes: Some(BYTES),
        ..LogParams::default()
    };
    let log = within(api.logs(&pod.name_any(), &params)).await.map_err(|error| in_words(error, cluster))?;
    Ok(log.lines().map(|line| bluegreen_core::harmless::harmless(line, LINE)).collect())
}

fn in_words(error: crate::cluster::RequestError, cluster: &Cluster) -> String {
    format!("{:#}", error.in_words("", &cluster.namespace))
}

/// The container that says most.
fn container(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let all = status.init_container_statuses.into_iter().chain(status.container_statuses).flatten();
    let has_failed = |container: &ContainerStatus| {
        let end = container.state.as_ref().and_then(|state| state.terminated.as_ref());
        end.is_some_and(|end| end.exit_code != 0)
    };
    let failed = all.into_iter().find(has_failed).map(|container| container.name);
    let first = || Some(pod.spec.as_ref()?.containers.first()?.name.clone());
    failed.or_else(first).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_log_is_that_of_the_container_that_failed() {
        let pod = |init: i32, main: i32| -> Pod {
            let ended = |name: &str, code: i32| {
                json!({ "name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                    "state": { "terminated": { "exitCode": code } } })
            };
            let pod = json!({ "metadata": {}, "spec": { "containers": [{ "name": "main" }, { "name": "side" }] },
                "status": { "initContainerStatuses": [ended("init", init)],
                    "containerStatuses": [ended("main", 0), ended("side", main)] } });
            serde_json::from_value(pod).unwrap()
        };
        assert_eq!(container(&pod(0, 0)), "main");
        assert_eq!(container(&pod(0, 1)), "side");
        assert_eq!(container(&pod(7, 0)), "init");
    }
}
