//! The Job of a check: its name, its pods, and how its exit codes become a verdict.

mod pods;
mod trial;

use serde_json::{Value, json};

use super::canonical::{as_json, short_hash};
use super::metadata::metadata;
use super::names;
use crate::plan::Run;
use bluegreen_api::{BlueGreenApp, BlueGreenAppSpec, Check};

pub use trial::{trial_job, trial_name};

/// Label of a check's Job: the name of the check.
pub const CHECK: &str = "bluegreen.dev/check";

/// The exit codes of a check's container that say nothing about the color: `EX_TEMPFAIL` of sysexits.h, those of a shell or a
/// container runtime that can't start the command, and those of a container that was killed (SIGKILL, as when it used too
/// much memory, and SIGTERM).
const CANNOT_TELL: [i32; 6] = [75, 126, 127, 128, 137, 143];

/// The exit code with which the operator's own program says that the color is bad.
const BAD: i32 = 1;

/// How often the Job controller tries again what can't tell. It waits 10 s before the first retry and twice as long before each
/// further one, so that all of them fit into the default deadline.
const RETRIES: i32 = 5;

/// How much of the app's name is in the name of a Job. With a check's name, a hash and two dashes, it fits into a label.
const NAME: usize = 24;

/// Where a check's Job finds what it asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The image that the color runs.
    pub image: &'a str,
    /// The ClusterIP of the Service that is asked; `None` if it is not known.
    pub address: Option<&'a str>,
    /// The image with the program of the short forms.
    pub checker: &'a str,
}

/// Returns the hash of what a check asks. Whether it decides something is not a part of it.
#[must_use]
pub fn check_hash(check: &Check) -> String {
    short_hash(&as_json(&Check { enforce: true, ..check.clone() }))
}

/// Returns the hash of all checks, and of what they decide.
#[must_use]
pub fn checks_hash(spec: &BlueGreenAppSpec) -> String {
    short_hash(&as_json(&spec.checks))
}

/// Returns the name of a check's Job. It holds everything that the verdict is about, so that two runs never share a Job, and a
/// Job that was created without anybody noting it is found again.
#[must_use]
pub fn job_name(app: &BlueGreenApp, run: &Run, check: &Check, attempt: u8) -> String {
    let identity = json!([
        app.metadata.uid,
        app.metadata.name,
        run.color,
        run.revision,
        run.generation,
        check.name,
        check_hash(check),
        attempt,
    ]);
    let name: String = app.metadata.name.as_deref().unwrap_or_default().chars().take(NAME).collect();
    format!("{}-{}-{}", name.trim_end_matches('-'), check.name, short_hash(&identity))
}

/// Returns the body of a check's Job.
#[must_use]
pub fn job(app: &BlueGreenApp, run: &Run, check: &Check, attempt: u8, asked: &Asked<'_>) -> Value {
    // Of the operator's own program, every other code is a fault of that program.
    let verdict = match check.job {
        Some(_) => json!({ "operator": "NotIn", "values": CANNOT_TELL }),
        None => json!({ "operator": "In", "values": [BAD] }),
    };
    let name = job_name(app, run, check, attempt);
    let revision = run.revision.to_string();
    let labels = [
        (names::COLOR, run.color.as_str()),
        (names::REVISION, revision.as_str()),
        (CHECK, check.name.as_str()),
    ];
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(app, &name, &labels),
        "spec": {
            "backoffLimit": RETRIES,
            "activeDeadlineSeconds": check.deadline_seconds,
            "completions": 1,
            "parallelism": 1,
            // Its pod is gone with the node, or was evicted: that says nothing about the color. Any other exit code is a
            // verdict at once.
            "podFailurePolicy": { "rules": [
                { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
                { "action": "FailJob", "onExitCodes": verdict },
            ] },
            "template": pods::template(app, run, check, asked),
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bluegreen_api::Color;

    fn app(checks: &Value) -> BlueGreenApp {
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": { "name": "hello-of-the-many-teams-of-us", "namespace": "shop", "uid": "1" },
            "spec": { "active": "green", "image": "team/hello", "port": 8080, "green": { "tag": "v2" },
                "service": { "port": 80 }, "checks": checks },
        });
        serde_json::from_value(app).unwrap()
    }

    fn run() -> Run {
        Run { color: Color::Green, revision: 2, generation: 7, open: true, guarded: true }
    }

    fn body(app: &BlueGreenApp, asked: &Asked<'_>) -> Value {
        job(app, &run(), app.spec.checks.first().unwrap(), 1, asked)
    }

    const ASKED: Asked<'_> =
        Asked { image: "team/hello:v2", address: Some("10.0.0.9"), checker: "operator:v1" };

    #[test]
    fn the_name_of_a_job_holds_all_that_its_verdict_is_about_and_fits_into_a_label() {
        let app = app(&json!([{ "name": "a-check-of-20-letters", "when": "Before", "http": {} }]));
        let check = app.spec.checks.first().unwrap();
        let name = |run: &Run, check: &Check, attempt| job_name(&app, run, check, attempt);
        let first = name(&run(), check, 1);
        assert!(first.len() <= 63, "{first}");
        let asks_else = Check { deadline_seconds: 61, ..check.clone() };
        let others = [
            name(&Run { color: Color::Blue, ..run() }, check, 1),
            name(&Run { revision: 3, ..run() }, check, 1),
            name(&Run { generation: 8, ..run() }, check, 1),
            name(&run(), &asks_else, 1),
            name(&run(), check, 2),
        ];
        assert!(others.iter().all(|other| *other != first), "{first}, {others:?}");
        let reports = Check { enforce: false, ..check.clone() };
        assert_eq!(name(&run(), &reports, 1), first, "the same question, whatever follows from the answer");
    }

    /// Otherwise the app would wait for a retry that the deadline never lets begin, and would say that it was late.
    #[test]
    fn every_retry_fits_into_the_default_deadline_with_time_to_run() {
        let app = app(&json!([{ "name": "smoke", "when": "Before", "http": {} }]));
        let body = body(&app, &ASKED);
        let number = |pointer: &str| body.pointer(pointer).and_then(Value::as_u64).unwrap();
        let (retries, deadline) = (number("/spec/backoffLimit"), number("/spec/activeDeadlineSeconds"));
        // `DefaultJobPodFailureBackOff` and `MaxJobPodFailureBackOff` of k8s.io/kubernetes/pkg/controller/job.
        let waits: u64 = (0..retries).map(|retry| (10 << retry).min(600)).sum();
        assert!(waits + (retries + 1) * 30 <= deadline, "{waits} s of {deadline} s are waits");
    }

    #[test]
    fn the_pods_of_a_job_never_carry_the_labels_of_the_apps_pods() {
        let template =
            json!({ "metadata": { "labels": { "team": "a" } }, "spec": { "containers": [{ "name": "c" }] } });
        let app = app(&json!([{ "name": "smoke", "when": "Before", "job": { "template": template } }]));
        let body = body(&app, &ASKED);
        let labels = body.pointer("/spec/template/metadata/labels").unwrap().as_object().unwrap();
        assert!(
            labels.keys().all(|key| !key.starts_with("bluegreen.dev/") && key != names::KUBE_NAME),
            "{labels:?}"
        );
        assert_eq!(labels.get("team"), Some(&json!("a")));
        let own = body.pointer("/metadata/labels").unwrap();
        assert_eq!(own.get(names::APP), Some(&json!("hello-of-the-many-teams-of-us")), "for the watch");
    }

    #[test]
    fn the_containers_of_a_job_know_what_they_check_before_their_own_variables() {
        let template = json!({ "spec": {
            "containers": [{ "name": "c", "env": [{ "name": "TARGET", "value": "$(BLUEGREEN_URL)/x" }] }],
            "initContainers": [{ "name": "i", "image": "busybox" }],
        } });
        let app = app(&json!([{ "name": "smoke", "when": "Before", "job": { "template": template } }]));
        let body = body(&app, &ASKED);
        let pods = body.pointer("/spec/template/spec").unwrap();
        let env = pods.pointer("/containers/0/env").unwrap().as_array().unwrap();
        let value = |name: &str| {
            env.iter().find(|it| it.get("name") == Some(&json!(name))).and_then(|it| it.get("value")).cloned()
        };
        assert_eq!(env.last().unwrap().get("name"), Some(&json!("TARGET")));
        let url = "http://hello-of-the-many-teams-of-us-green.shop.svc:80";
        assert_eq!(value("BLUEGREEN_URL"), Some(json!(url)));
        assert_eq!(value("BLUEGREEN_TAG"), Some(json!("v2")));
        assert_eq!(value("BLUEGREEN_REVISION"), Some(json!("2")));
        assert_eq!(pods.pointer("/containers/0/image"), Some(&json!("team/hello:v2")), "the color's own");
        assert_eq!(pods.pointer("/initContainers/0/image"), Some(&json!("busybox")));
        assert!(pods.pointer("/initContainers/0/env/0").is_some());
        assert_eq!(pods.get("restartPolicy"), Some(&json!("Never")));
    }

    #[test]
    fn a_short_form_asks_the_service_by_its_address_with_its_own_name() {
        let app = app(&json!([{ "name": "answers", "when": "After", "http": {
            "path": "/healthz", "contains": "ok", "httpHeaders": [{ "name": "A", "value": "b" }] } }]));
        let asked = Asked { address: Some("fd00::1"), ..ASKED };
        let body = body(&app, &asked);
        let args = body.pointer("/spec/template/spec/containers/0/args").unwrap();
        let args: Vec<&str> = args.as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let expected = [
            "check",
            "http",
            "--url=http://[fd00::1]:80/healthz",
            "--host=hello-of-the-many-teams-of-us.shop.svc",
            "--header=A: b",
            "--contains=ok",
            "--delay-seconds=10",
            "--period-seconds=10",
            "--timeout-seconds=1",
            "--for-seconds=10",
            "--max-failures=0",
        ];
        assert_eq!(args, expected);
        let pods = body.pointer("/spec/template/spec").unwrap();
        assert_eq!(pods.get("automountServiceAccountToken"), Some(&json!(false)));
        assert_eq!(pods.pointer("/containers/0/image"), Some(&json!("operator:v1")));
    }

    #[test]
    fn a_query_keeps_its_dollar_signs_for_the_checker_and_its_token_in_a_volume() {
        let app = app(&json!([{ "name": "errors", "when": "After", "prometheus": {
            "address": "http://prom:9090", "query": "up{app=\"$(BLUEGREEN_APP)\"}", "max": "0.01",
            "tokenSecret": { "name": "prom", "key": "token" }, "ca": { "configMap": "ca", "key": "ca.crt" } } }]));
        let body = body(&app, &ASKED);
        let container = body.pointer("/spec/template/spec/containers/0").unwrap();
        let args = container.get("args").unwrap().to_string();
        // Kubernetes would expand it without escaping the value.
        assert!(args.contains("$$(BLUEGREEN_APP)"), "{args}");
        assert!(
            args.contains("--max=0.01") && args.contains("--token-file=") && args.contains("--ca-file="),
            "{args}"
        );
        let volumes = body.pointer("/spec/template/spec/volumes").unwrap().as_array().unwrap();
        assert_eq!(volumes.len(), 2);
    }
}
