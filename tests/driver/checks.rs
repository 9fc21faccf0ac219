//! Tests that gate a switch, and a switch that takes itself back.
//!
//! | file | asks about |
//! |---|---|
//! | `before` | checks before a switch |
//! | `after` | checks after a switch, and the way back |
//! | `jobs` | what may happen to a check's Job |
//! | `latch` | what was refused, and what ends that |
//! | `suspicion` | which color a failed check may lead back to |

mod after;
mod before;
mod jobs;
mod latch;
mod suspicion;

use bluegreen_api::{CheckResult, CheckStatus};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{Rig, spec, spec_with};

/// A check with a Job of its own.
pub fn job(name: &str, when: &str) -> Value {
    let containers = json!([{ "name": "c", "image": "curl", "command": ["true"] }]);
    json!({ "name": name, "when": when, "job": { "template": { "spec": { "containers": containers } } } })
}

/// Both colors of two pods, with these checks.
pub fn checked(checks: &[Value]) -> Value {
    spec_with(json!({ "checks": checks }))
}

/// An app that has served for long, and has these checks since.
pub async fn serving(checks: &[Value]) -> Rig {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["checks"] = json!(checks));
    rig.settle().await;
    rig
}

/// The Jobs that there are, by the name of their check.
pub fn jobs(rig: &Rig) -> Vec<String> {
    let check = |job: Value| job["metadata"]["labels"]["bluegreen.dev/check"].as_str().unwrap().to_owned();
    rig.server.all(Kind::Job).into_iter().map(check).collect()
}

/// The only Job of this check.
pub fn job_of(rig: &Rig, check: &str) -> String {
    let is_of = |job: &Value| job["metadata"]["labels"]["bluegreen.dev/check"] == check;
    let found: Vec<Value> = rig.server.all(Kind::Job).into_iter().filter(is_of).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0]["metadata"]["name"].as_str().unwrap().to_owned()
}

/// How a Job ends.
#[derive(Clone, Copy)]
pub enum End {
    Passes,
    Fails,
    CannotTell,
}

/// The Job controller ends the only Job of this check.
pub fn end(rig: &Rig, check: &str, end: End) {
    let (type_, reason, message) = match end {
        End::Passes => ("Complete", "CompletionsReached", "Reached expected number of succeeded pods"),
        End::Fails => ("Failed", "PodFailurePolicy", "Container c failed with exit code 1"),
        End::CannotTell => ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"),
    };
    let condition = json!({ "type": type_, "status": "True", "reason": reason, "message": message });
    rig.server
        .edit(Kind::Job, &job_of(rig, check), |job| job["status"] = json!({ "conditions": [condition] }));
}

/// What the status says of this check; `None` if nothing.
pub fn says(rig: &Rig, check: &str) -> Option<CheckResult> {
    entry(rig, check).map(|entry| entry.result)
}

pub fn entry(rig: &Rig, check: &str) -> Option<CheckStatus> {
    rig.status().checks.into_iter().find(|entry| entry.name == check)
}
