//! What is a trial of checks about, and what does it say?

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;
mod trials;

use bluegreen_api::{CheckResult, Color};
use fixture::{app, condition, settled, switching};
use kubectl_bluegreen::line::render;
use kubectl_bluegreen::trial::{chosen, end, lines, subject, verdict};
use serde_json::{Value, json};
use trials::{trial, tried};

fn with(pointer: &str, value: Value) -> Value {
    let mut app = settled();
    *app.pointer_mut(pointer).unwrap() = value;
    app
}

#[test]
fn a_trial_is_about_the_pods_of_the_idle_color() {
    let about = subject(&app(settled())).unwrap();
    assert_eq!((about.run.color, about.run.revision), (Color::Green, 1));
    assert_eq!(about.image, "registry.example.com/team/hello:v2.0.0");
    let mut first = settled();
    first["status"]["active"] = Value::Null;
    assert_eq!(
        subject(&app(first)).unwrap().run.color,
        Color::Blue,
        "nothing is live: the color in spec.active"
    );
    // After a check has refused the switch, spec.active still names the color, which is idle.
    let mut refused = settled();
    refused["spec"]["active"] = json!("green");
    refused["status"]["conditions"] =
        json!([condition("StandbyReady", "False", "Switching", "no color is idle")]);
    assert_eq!(subject(&app(refused)).unwrap().run.color, Color::Green);
}

#[test]
fn a_color_that_is_not_ready_is_not_checked() {
    let words = |value: Value| subject(&app(value)).unwrap_err();
    assert!(words(with("/metadata/generation", json!(5))).contains("has not observed the last edit"));
    assert!(words(switching()).contains("green is not ready: 2 of 3 pods are ready"));
    assert!(
        words(with("/status/green/endpoints", json!(0))).contains("0 are endpoints of Service hello-green")
    );
    let mut updates = settled();
    updates["status"]["conditions"][1] =
        condition("StandbyReady", "False", "NotReady", "green is rolling out");
    assert!(words(updates).contains("green is not ready: green is rolling out"));
    let mut none = settled();
    none["status"].as_object_mut().unwrap().remove("green");
    assert!(words(none).contains("green has no pods"));
}

#[test]
fn only_checks_before_a_switch_can_be_tried() {
    let http = |name: &str, when: &str| json!({"name": name, "when": when, "http": {}});
    let mut checked = settled();
    checked["spec"]["checks"] = json!([http("a", "Before"), http("b", "Before"), http("c", "After")]);
    let checked = app(checked);
    let names = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        chosen(&checked, &only)
            .map(|all| all.iter().map(|check| check.name.clone()).collect::<Vec<_>>().concat())
    };
    assert_eq!(names(&[]).as_deref(), Ok("ab"));
    assert_eq!(names(&["b"]).as_deref(), Ok("b"));
    assert!(names(&["c"]).unwrap_err().contains("runs after the switch"));
    assert!(names(&["d"]).unwrap_err().contains("is not in spec.checks; --only takes one of a, b"));
    assert!(
        chosen(&app(settled()), &[]).unwrap_err().contains("no check with `when: Before`"),
        "that is no success"
    );
}

#[test]
fn what_only_reports_changes_no_exit_code() {
    use CheckResult::{Failed, Inconclusive, Passed};
    let code = |results: &[(bool, CheckResult)]| {
        let all: Vec<_> = results.iter().map(|(enforced, result)| tried("x", *enforced, *result)).collect();
        end(verdict(&all)).code()
    };
    assert_eq!(code(&[(true, Passed), (false, Failed)]), 0);
    assert_eq!(code(&[(true, Inconclusive), (true, Failed)]), 1);
    assert_eq!(code(&[(true, Passed), (true, Inconclusive)]), 3);
}

#[test]
fn a_trial_is_told_check_by_check_with_the_end_of_each_log() {
    let expected = "\
Passed       good (4s)
  | GET / answered 500
Failed       reports (4s, reports only): exit code 3
  | GET / answered 500
Inconclusive slow (4s): exit code 3
  | GET / answered 500
Inconclusive: green (revision 3, team/hello:v2): a check can't tell: the operator would not switch. The operator does not use this result
";
    assert_eq!(render(&lines(&trial()), usize::MAX, false), expected);
}
