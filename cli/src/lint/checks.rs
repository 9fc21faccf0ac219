//! PURE: what the API server accepts in `spec.checks`, and what is probably a mistake all the same.

use std::collections::BTreeMap;

use bluegreen_api::{BlueGreenApp, Check, CheckTime, JobCheck, Pace};
use bluegreen_core::desired::names;
use bluegreen_core::validate::Problem;
use kube::ResourceExt;
use serde_json::Value;

/// How long an enforced check after a switch may hold up everything else before it is pointed out, in seconds.
const LONG: i32 = 1800;

/// Returns what is probably a mistake in the checks of this app. `objects`: all objects of the manifests, for their Services.
pub fn warnings(app: &BlueGreenApp, objects: &[Value]) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, check) in app.spec.checks.iter().enumerate() {
        let at = format!("spec.checks[{index}]");
        if let Some(job) = &check.job {
            labels(&mut found, app, objects, &at, job);
            images(&mut found, &at, job);
        }
        deadline(&mut found, &at, check);
        let paces = [
            ("http", check.http.as_ref().map(|it| it.pace())),
            ("prometheus", check.prometheus.as_ref().map(|it| it.pace())),
        ];
        for (form, pace) in paces {
            if let Some(pace) = pace {
                failures(&mut found, &format!("{at}.{form}"), check.when, &pace);
            }
        }
    }
    found
}

fn note(found: &mut Vec<Problem>, field: String, message: String) {
    found.push(Problem { field, message });
}

/// Warns of labels by which others select the pods of a check: a Service would send requests to them.
fn labels(found: &mut Vec<Problem>, app: &BlueGreenApp, objects: &[Value], at: &str, job: &JobCheck) {
    let Some(labels) = job.template.metadata.as_ref().map(|metadata| &metadata.labels) else { return };
    let field = format!("{at}.job.template.metadata.labels");
    for service in objects.iter().filter(|object| selects(object, app, labels)) {
        let name = service["metadata"]["name"].as_str().unwrap_or("?");
        let message = format!(
            "Service {name} selects the pods of this check by these labels, and would send requests to them: remove a label that is in \
             its selector"
        );
        note(found, field.clone(), message);
    }
    if labels.get(names::KUBE_NAME) == Some(&app.name_any()) {
        let message = format!(
            "{} is the name of the app, as on the app's own pods: a Service, NetworkPolicy or PodDisruptionBudget that selects by it \
             would take the pods of this check for pods of the app; give it another value",
            names::KUBE_NAME
        );
        note(found, field, message);
    }
}

fn selects(object: &Value, app: &BlueGreenApp, labels: &BTreeMap<String, String>) -> bool {
    let namespace = object["metadata"]["namespace"].as_str();
    let is_near = namespace.zip(app.metadata.namespace.as_deref()).is_none_or(|(one, other)| one == other);
    let Some(selector) = object["spec"]["selector"].as_object().filter(|selector| !selector.is_empty())
    else {
        return false;
    };
    let has = |(key, value): (&String, &Value)| labels.get(key).map(String::as_str) == value.as_str();
    object["kind"] == "Service" && object["apiVersion"] == "v1" && is_near && selector.iter().all(has)
}

/// Warns of an image without a tag: what it runs is decided anew at each check.
fn images(found: &mut Vec<Problem>, at: &str, job: &JobCheck) {
    let spec = &job.template.spec;
    let own = spec.containers.iter().map(|container| (container.name.as_str(), container.image.as_deref()));
    let own = own.enumerate().map(|(number, (name, image))| ("containers", number, name, image));
    let init = spec.others.get("initContainers").and_then(Value::as_array).into_iter().flatten().enumerate();
    let init = init.map(|(number, it)| {
        ("initContainers", number, it["name"].as_str().unwrap_or("?"), it["image"].as_str())
    });
    for (list, number, name, image) in own.chain(init) {
        let Some(what) = image.and_then(moves) else { continue };
        let message = format!(
            "the image of container {name} {what}: the same check may run something else tomorrow; add a tag or a digest"
        );
        note(found, format!("{at}.job.template.spec.{list}[{number}].image"), message);
    }
}

/// Says why an image is not the same one at each pull.
fn moves(image: &str) -> Option<&'static str> {
    if image.is_empty() || image.contains('@') {
        return None;
    }
    let name = image.rsplit_once('/').map_or(image, |(_, name)| name);
    match name.split_once(':') {
        None => Some("has no tag"),
        Some((_, "latest")) => Some("has the tag `latest`"),
        Some(_) => None,
    }
}

/// Warns of a long deadline: until a check after a switch has a verdict, the app is not ready and the old color is kept.
fn deadline(found: &mut Vec<Problem>, at: &str, check: &Check) {
    let seconds = check.deadline_seconds;
    if check.when == CheckTime::After && check.enforce && seconds > LONG {
        let message = format!(
            "if this check has no verdict, Ready stays False and the old color is kept for {} minutes after each switch, longer than \
             most tools wait: lower it, or set enforce: false",
            seconds / 60
        );
        note(found, format!("{at}.deadlineSeconds"), message);
    }
}

/// Warns of a check that may be bad each time, which is not what anybody means.
fn failures(found: &mut Vec<Problem>, at: &str, when: CheckTime, pace: &Pace) {
    let measurements = pace.lasts(when) / pace.period().max(1) + 1;
    if pace.tolerated() >= measurements {
        let message = format!(
            "allows {} bad measurements, and there are {measurements} (forSeconds / periodSeconds + 1): lower it, or measure for longer",
            pace.tolerated()
        );
        note(found, format!("{at}.maxFailures"), message);
    }
}
