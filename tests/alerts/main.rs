//! Does each alert fire when it should, and stay quiet when it should? promtool plays the series of `rules.yaml`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Command;

use bluegreen_cluster::{prometheus, target};
use bluegreen_operator::metrics::table;
use serde_json::Value;

const ALERTS: &str = include_str!("../../charts/bluegreen-operator/files/alerts.yaml");
const CASES: &str = include_str!("rules.yaml");

fn promtool(arguments: &[&str], folder: &Path) -> (bool, String) {
    let folder_of_tools = prometheus::ensure(&target().unwrap()).unwrap();
    let output =
        Command::new(folder_of_tools.join("promtool")).args(arguments).current_dir(folder).output().unwrap();
    let words =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), words)
}

fn names() -> Vec<String> {
    let rules: Value = serde_yaml_ng::from_str(ALERTS).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn does_each_alert_fire_when_it_should_and_only_then() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alerts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("alerts.yaml"), ALERTS).unwrap();
    std::fs::write(folder.join("rules.yaml"), CASES).unwrap();
    let (good, words) = promtool(&["check", "rules", "alerts.yaml"], &folder);
    assert!(good, "{words}");
    let (good, words) = promtool(&["test", "rules", "rules.yaml"], &folder);
    assert!(good, "{words}");
    // The cases can fail: without its alert, each alert's case does.
    for name in names() {
        std::fs::write(
            folder.join("alerts.yaml"),
            ALERTS.replace(&format!("alert: {name}\n"), "alert: Other\n"),
        )
        .unwrap();
        let (good, _) = promtool(&["test", "rules", "rules.yaml"], &folder);
        assert!(!good, "no case notices that {name} is gone");
    }
    println!("{} alerts fire", names().len());
}

/// A selector with a label or a value that is never exported would select nothing, for ever.
#[test]
fn does_every_alert_name_series_and_labels_that_are_exported() {
    let rules: Value = serde_yaml_ng::from_str(ALERTS).unwrap();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let expression = rule["expr"].as_str().unwrap();
        let mut found = 0;
        for series in table::ALL {
            for (at, _) in expression.match_indices(series.name) {
                let rest = &expression[at + series.name.len()..];
                if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                found += 1;
                let inside = rest
                    .strip_prefix('{')
                    .and_then(|rest| rest.split_once('}'))
                    .map_or("", |(inside, _)| inside);
                for matcher in inside.split(',').filter(|matcher| !matcher.trim().is_empty()) {
                    let label = matcher.trim().split(['=', '!']).next().unwrap_or_default();
                    assert!(
                        series.labels.contains(&label),
                        "{}: {} has no label {label}",
                        rule["alert"],
                        series.name
                    );
                }
            }
        }
        assert!(found > 0, "{} names no series of ours", rule["alert"]);
    }
}

/// The configuration of docs/notifications.md, section "Alerts".
#[test]
fn does_alertmanager_take_the_documented_configuration_and_route_each_alert() {
    let document = include_str!("../../docs/notifications.md");
    let (_, section) = document.split_once("\n## Alerts\n").unwrap();
    let config = section.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alertmanager.yaml");
    std::fs::write(&file, config).unwrap();
    let amtool = prometheus::ensure_amtool(&target().unwrap()).unwrap().join("amtool");
    let run = |arguments: &[&str]| {
        let output = Command::new(&amtool).args(arguments).output().unwrap();
        let words =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), words.trim().to_owned())
    };
    let file = file.to_str().unwrap();
    let (good, words) = run(&["check-config", file]);
    assert!(good && words.contains("2 receivers"), "{words}");
    for alert in names() {
        for (namespace, receiver) in [("shop", "shop"), ("bank", "platform")] {
            let labels =
                [format!("alertname={alert}"), format!("namespace={namespace}"), "name=hello".to_owned()];
            let file = format!("--config.file={file}");
            let arguments: Vec<&str> = ["config", "routes", "test", &file]
                .into_iter()
                .chain(labels.iter().map(String::as_str))
                .collect();
            let (good, words) = run(&arguments);
            // Below the receiver it warns that this is a file.
            assert!(good && words.lines().next() == Some(receiver), "{alert} in {namespace}: {words}");
        }
    }
}
