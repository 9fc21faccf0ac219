//! Can the checker run every `http` and `prometheus` check that is accepted? What it refuses can't tell, hours after the edit.

use std::cell::Cell;
use std::ffi::OsString;

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::desired::{Asked, job};
use bluegreen_core::plan::Run;
use bluegreen_core::validate::problems;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// A text of some of these parts.
fn text(parts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(select(parts), 0..5).prop_map(|parts| parts.concat())
}

fn odd() -> impl Strategy<Value = String> {
    text(&[
        "a",
        "/",
        "?",
        "#",
        " ",
        "%20",
        "ä",
        "$",
        "$(BLUEGREEN_TAG)",
        "$(X)",
        "$$(X)",
        "$(",
        "\"",
        "<",
        "`",
        "\n",
        "\t",
        "[",
        "]",
        ":",
        "@",
        "-",
        ".",
        "_",
        "{",
        "}",
        "|",
        "\\",
        "^",
        "~",
        "\u{7f}",
        "\u{85}",
        ";",
        "=",
        ",",
    ])
}

fn name() -> impl Strategy<Value = String> {
    let whole = select(vec![
        "Host",
        "connection",
        "TE",
        "Upgrade",
        "X-Tenant",
        "Expect",
        "content-length",
        "tRailer",
    ]);
    prop_oneof![whole.prop_map(str::to_owned), odd()]
}

fn http() -> impl Strategy<Value = Value> {
    let status = text(&["200", "399", "-", "1", "0", "599"]);
    let headers = prop::collection::vec((name(), odd()), 0..3);
    (odd(), status, odd(), headers, any::<bool>()).prop_map(|(path, status, contains, headers, tls)| {
        let headers: Vec<Value> =
            headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let status = if status.is_empty() { Value::Null } else { json!(status) };
        json!({"path": path, "status": status, "contains": contains, "httpHeaders": headers,
            "scheme": if tls { "HTTPS" } else { "HTTP" }})
    })
}

fn prometheus() -> impl Strategy<Value = Value> {
    let limit = || {
        let limit = text(&["1", "9", "0", ".", "e", "E", "+", "-", "99", "999"]);
        limit.prop_map(|text| if text.is_empty() { json!("1") } else { json!(text) })
    };
    let host = text(&[
        "a", ".", "-", "_", "[", "]", "::1", ":", "9090", "0", "65535", "65536", "/", "?", "@", "ä", " ", "x",
    ]);
    let address = (select(vec!["http://", "https://", "http:/"]), host);
    (address, odd(), limit(), limit()).prop_map(|((scheme, host), query, min, max)| {
        json!({"address": format!("{scheme}{host}"), "query": format!("up{query}"), "min": min, "max": max})
    })
}

/// What Kubernetes makes of an argument (`k8s.io/kubernetes/third_party/forked/golang/expansion`).
fn expanded(argument: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut all = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('$') {
        all.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            all.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            all.push_str(&variable(name).unwrap_or_else(|| format!("$({name})")));
            rest = after;
        } else {
            all.push('$');
        }
    }
    all + rest
}

/// What the checker says to the arguments of the Job of this check.
fn checker_says(app: &BlueGreenApp) -> Result<(), String> {
    let run = Run { color: Color::Green, revision: 2, generation: 7, open: true, guarded: true };
    let asked = Asked { image: "team/hello:v2", address: Some("fd00::1"), checker: "operator:v1" };
    let body = job(app, &run, &app.spec.checks[0], 1, &asked);
    let container = &body["spec"]["template"]["spec"]["containers"][0];
    let env = container["env"].as_array().unwrap();
    let variable = |name: &str| {
        let known = env.iter().find(|known| known["name"] == name)?;
        Some(known["value"].as_str().unwrap().to_owned())
    };
    let arguments = container["args"].as_array().unwrap().iter().skip(1);
    let arguments: Vec<OsString> =
        arguments.map(|argument| expanded(argument.as_str().unwrap(), variable).into()).collect();
    bluegreen_checker::accepts(&arguments, variable)
}

#[test]
fn every_short_form_that_is_accepted_can_be_run() {
    let form =
        prop_oneof![http().prop_map(|it| ("http", it)), prometheus().prop_map(|it| ("prometheus", it))];
    let mut runner = TestRunner::new(Config { cases: 4000, failure_persistence: None, ..Config::default() });
    let counts = Cell::new((0, 0));
    let ran = runner.run(&form.no_shrink(), |(kind, form)| {
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": "hello", "namespace": "shop"},
            "spec": {"active": "blue", "image": "team/hello", "port": 8080, "blue": {"tag": "v1"},
                "checks": [{"name": "x", "when": "Before", (kind): form}]},
        });
        let app: BlueGreenApp = serde_json::from_value(app).unwrap();
        let (accepted, refused) = counts.get();
        if !problems("hello", &app.spec).is_empty() {
            counts.set((accepted, refused + 1));
            return Ok(());
        }
        counts.set((accepted + 1, refused));
        checker_says(&app).map_err(|words| TestCaseError::fail(format!("{kind} {form}: {words}")))
    });
    let (accepted, refused) = counts.get();
    println!("{accepted} short forms are accepted and can be run, {refused} are refused");
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
    assert!(accepted > 100 && refused > 100, "{accepted} accepted and {refused} refused say little");
}
