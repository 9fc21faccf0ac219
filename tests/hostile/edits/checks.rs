//! Edits of `spec.checks`.

use bluegreen_proxy::Random;
use serde_json::{Value, json};

use super::pick;

/// A check that passes at once, for an app that has one from the beginning.
pub fn passing(random: &mut Random) -> Value {
    let when = pick(random, &["Before", "After"]);
    json!([check("base", when, &job(&json!({"exit": "0"})))])
}

/// Other checks, good and bad ones.
pub fn edit(random: &mut Random) -> Value {
    let exit = pick(random, &["0", "0", "1", "1", "75", "127", "137"]);
    let when = pick(random, &["Before", "After"]);
    let other = if when == "Before" { "After" } else { "Before" };
    let ends = job(&json!({ "exit": exit }));
    let runs = job(&json!({}));
    let with = |key: &str, value: Value| {
        let mut check = check("smoke", when, &ends);
        check[key] = value;
        json!([check])
    };
    let checks = pick(
        random,
        &[
            Value::Null,
            json!([]),
            json!([check("smoke", when, &ends)]),
            json!([check("smoke", when, &ends)]),
            json!([check("smoke", when, &ends), check("load", when, &runs)]),
            json!([check("smoke", when, &ends), check("errors", other, &ends)]),
            json!([check("smoke", when, &runs)]),
            json!([check("smoke", when, &ends), check("smoke", when, &ends)]),
            with("enforce", json!(false)),
            with("deadlineSeconds", json!(1)),
            with("deadlineSeconds", json!(0)),
            with("when", json!("During")),
            with("name", json!("Not A Name")),
            with("http", json!({"path": "/healthz"})),
            with("job", json!({"template": {"spec": {"containers": []}}})),
            with(
                "job",
                json!({"template": {"spec": {"containers": [{"name": "Not A Name", "image": "x"}]}}}),
            ),
            with(
                "job",
                job_of(&json!({"name": "c", "image": "x", "resources": {"limits": {"cpu": "banana"}}})),
            ),
            with(
                "job",
                job_of(
                    &json!({"name": "c", "image": "x", "volumeMounts": [{"name": "y", "mountPath": "/y"}]}),
                ),
            ),
            (0..9).map(|number| check(&format!("n{number}"), when, &ends)).collect(),
        ],
    );
    let mut patch = json!({ "checks": checks });
    if random.below(2) == 0 {
        patch["active"] = json!(super::color(random));
    }
    patch
}

fn check(name: &str, when: &str, job: &Value) -> Value {
    json!({"name": name, "when": when, "deadlineSeconds": 20, "job": job})
}

/// A Job whose pod simulated nodes treat so.
fn job(behavior: &Value) -> Value {
    let mut job = job_of(&json!({"name": "c", "image": "team/check"}));
    for (key, value) in behavior.as_object().into_iter().flatten() {
        job["template"]["metadata"]["annotations"][format!("test.bluegreen.dev/{key}")] = value.clone();
    }
    job
}

fn job_of(container: &Value) -> Value {
    json!({"template": {"spec": {"containers": [container]}}})
}
