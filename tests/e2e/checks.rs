//! Checks on the real Job controller: what becomes of a Job, and what of the switch that it gates or guards.
//!
//! | file | asks about |
//! |---|---|
//! | `verdicts` | how a Job ends, and what that means |
//! | `obstacles` | what keeps a Job from running |
//! | `lost` | Jobs that are removed, and operators that die |
//! | `after` | checks after a switch, and the way back |
//! | `latch` | what was refused, and what ends that |
//! | `suspicion` | which color a failed check may lead back to |
//! | `outage` | many apps whose Prometheus dies |

mod after;
mod latch;
mod lost;
mod obstacles;
mod outage;
mod suspicion;
mod verdicts;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::{CheckResult, CheckStatus};
use bluegreen_cluster::patiently;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::operator::Operator;
use crate::harness::{Sandbox, World, app, check as job};

const APP: &str = "hello";

/// As [`job`], with a deadline.
fn job_within(seconds: i32, name: &str, when: &str, behavior: &Value) -> Value {
    let mut check = job(name, when, behavior);
    check["deadlineSeconds"] = json!(seconds);
    check
}

/// Blue has served for long, and the switch to green, which has never served, is asked for under these checks.
async fn asked(name: &str, checks: &[Value]) -> Result<(Sandbox, Operator)> {
    let (sandbox, operator) = Sandbox::serving(name, &app(APP)).await?;
    sandbox.edit(APP, json!({ "checks": checks })).await?;
    sandbox.activate(APP, Green).await?;
    Ok((sandbox, operator))
}

/// What the status says of a check.
fn entry(world: &World, check: &str) -> Option<CheckStatus> {
    world.status(APP)?.checks.into_iter().find(|entry| entry.name == check)
}

fn is(world: &World, check: &str, result: CheckResult) -> bool {
    entry(world, check).is_some_and(|entry| entry.result == result)
}

/// The Jobs of the sandbox, and their pods.
struct Jobs {
    jobs: Api<Job>,
    pods: Api<Pod>,
}

/// How long Kubernetes may take for anything: the Job controller waits ten seconds before it tries again.
const SOON: Duration = Duration::from_secs(45);

impl Jobs {
    fn of(sandbox: &Sandbox) -> Self {
        let (client, namespace) = (&sandbox.client, &sandbox.namespace);
        Self {
            jobs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
        }
    }

    /// The Jobs of a check that are there, those on their way out included.
    async fn all(&self, check: &str) -> Result<Vec<Job>> {
        let of_check = ListParams::default().labels(&format!("bluegreen.dev/check={check}"));
        Ok(self.jobs.list(&of_check).await?.items)
    }

    /// The name of the only Job of a check, once it is there and is none of these.
    async fn next(&self, check: &str, before: &[&str]) -> Result<String> {
        let attempt = async || {
            let all = self.all(check).await?.into_iter().map(|job| job.name_any());
            let new: Vec<String> = all.filter(|name| !before.contains(&name.as_str())).collect();
            ensure!(new.len() == 1, "check {check} has the Jobs {new:?}");
            Ok(new.concat())
        };
        patiently(SOON, attempt).await
    }

    async fn only(&self, check: &str) -> Result<String> {
        self.next(check, &[]).await
    }

    /// The pods that a Job has had, as long as it is there.
    async fn pods(&self, job: &str) -> Result<Vec<Pod>> {
        let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
        Ok(self.pods.list(&of_job).await?.items)
    }

    /// The only pod of a Job that has not ended.
    async fn running(&self, job: &str) -> Result<String> {
        let attempt = async || {
            let runs = |pod: &Pod| {
                let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
            };
            let all: Vec<String> =
                self.pods(job).await?.iter().filter(|pod| runs(pod)).map(ResourceExt::name_any).collect();
            ensure!(all.len() == 1, "Job {job} has the running pods {all:?}");
            Ok(all.concat())
        };
        patiently(SOON, attempt).await
    }

    /// Ends the pod of a Job that runs, with this exit code; returns the pod's name.
    async fn exit(&self, job: &str, code: i32) -> Result<String> {
        let pod = self.running(job).await?;
        let exit = json!({"metadata": {"annotations": {"test.bluegreen.dev/exit": code.to_string()}}});
        self.pods.patch(&pod, &PatchParams::default(), &Patch::Merge(exit)).await?;
        let ended = async || {
            let phase = self.pods.get_opt(&pod).await?.and_then(|pod| pod.status?.phase);
            ensure!(phase.as_deref() != Some("Running"), "pod {pod} still runs");
            Ok(())
        };
        patiently(SOON, ended).await?;
        Ok(pod)
    }

    /// Changes a Job, as somebody with that right.
    async fn patch(&self, job: &str, patch: Value) -> Result<()> {
        self.jobs.patch(job, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    async fn delete(&self, job: &str) -> Result<()> {
        self.jobs.delete(job, &DeleteParams::background()).await?;
        self.gone(job).await
    }

    async fn gone(&self, job: &str) -> Result<()> {
        let attempt = async || {
            ensure!(self.jobs.get_opt(job).await?.is_none(), "Job {job} is still there");
            Ok(())
        };
        patiently(SOON, attempt).await
    }

    /// Waits until the Job controller has ended a Job; returns type and reason.
    async fn ended(&self, job: &str) -> Result<(String, String)> {
        let attempt = async || {
            let status = self.jobs.get(job).await?.status.unwrap_or_default();
            let all = status.conditions.unwrap_or_default().into_iter();
            let mut ends =
                all.filter(|it| it.status == "True" && ["Complete", "Failed"].contains(&it.type_.as_str()));
            let end = ends.next().context("the Job still runs")?;
            Ok((end.type_, end.reason.unwrap_or_default()))
        };
        patiently(SOON, attempt).await
    }
}

/// The message of a condition that is True.
fn message(sandbox: &Sandbox, condition: &str) -> Result<String> {
    Ok(sandbox.world().says(APP, condition).context("the condition is not True")?.1)
}

/// The switch was refused before it was made: blue serves on as it did.
async fn is_refused(sandbox: &Sandbox, reason: &str) -> Result<()> {
    sandbox.until(reason, |world| world.stalled(APP, reason)).await?;
    let world = sandbox.world();
    ensure!(world.selects(APP) == "blue", "the Service selects {}", world.selects(APP));
    ensure!(world.condition(APP, "Ready", "False", reason), "Ready does not say {reason}");
    ensure!(world.pods(APP, Blue).len() == 2, "blue is not whole");
    Ok(())
}

/// Green serves, and all of its checks are over.
async fn serves_green(sandbox: &Sandbox) -> Result<()> {
    sandbox.until("green serves", |world| world.serves(APP, Green)).await
}
