//! What does the program do where the API server loses an answer, and what does it print of an object?

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;
mod server;

use std::collections::BTreeMap;

use fixture::{condition, settled, switching};
use serde_json::{Value, json};
use server::{Answer, Server, prepare, run, run_on};

/// With a wait that reads once, so that the switch always fails.
const SWITCH: [&str; 7] =
    ["switch", "hello", "--to=green", "--tag=v2.0.0", "--wait", "--timeout=0s", "--rollback-on-failure"];

#[test]
fn a_switch_of_unknown_result_is_waited_for_and_taken_back() {
    for (name, lost) in [("lost-after", Answer::LostAfter), ("timeout", Answer::Timeout)] {
        let (output, active, edits) = run(name, &[lost, Answer::Given], &SWITCH);
        assert_eq!((output.status.code(), active, edits), (Some(3), json!("blue"), 2), "{output:?}");
    }
}

#[test]
fn a_switch_that_was_not_stored_is_sent_again_and_taken_back() {
    let answers = [Answer::LostBefore, Answer::Given, Answer::Given];
    let (output, active, edits) = run("lost-before", &answers, &SWITCH);
    assert_eq!((output.status.code(), active, edits), (Some(3), json!("blue"), 3), "{output:?}");
}

#[test]
fn a_group_of_unknown_result_is_waited_for_and_taken_back() {
    let group = [&["switch", "-l", "release=42"][..], &SWITCH[2..]].concat();
    for (name, answers, edits) in [
        ("group-lost-after", &[Answer::LostAfter, Answer::Given][..], 2),
        ("group-lost-before", &[Answer::LostBefore, Answer::Given, Answer::Given], 3),
        ("group-timeout", &[Answer::Timeout, Answer::Given], 2),
    ] {
        let (output, active, sent) = run(name, answers, &group);
        assert_eq!((output.status.code(), active, sent), (Some(3), json!("blue"), edits), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("blue → green: taken back: "), "{told}");
    }
}

/// As for one app: what takes the edit back, and why nothing moves yet.
#[test]
fn a_group_is_told_of_a_gitops_tool_and_of_a_color_that_is_not_ready_yet() {
    let mut app = settled();
    app["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "shop"});
    app["status"]["conditions"][1] = condition("StandbyReady", "False", "ScaledDown", "green is scaled to 0");
    for (format, dry_run) in [("text", false), ("json", false), ("json", true)] {
        let server = Server::of(app.clone(), BTreeMap::new()).answering(&[Answer::Given]);
        let arguments = ["switch", "-l", "release=42", "--to=green", "-o", format];
        let more: &[&str] = if dry_run { &["--dry-run=server"] } else { &[] };
        let (output, _) = run_on("group-managed", server, &[&arguments[..], more].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        let notes = ["green is not ready yet", "Flux (Kustomization shop) applies this app from Git"];
        for (kind, words) in ["note", "warning"].iter().zip(notes) {
            assert!(told.contains(&format!("hello: {kind}: {words}")), "{told}");
        }
        if format == "json" {
            let result: Value = serde_json::from_slice(&output.stdout).unwrap();
            let found: Vec<_> = result["apps"][0]["notes"].as_array().unwrap().iter().collect();
            let has = |(note, words): (&&Value, &str)| note.as_str().unwrap().starts_with(words);
            assert!(found.len() == 2 && found.iter().zip(notes).all(has), "{result}");
        }
    }
}

/// A pipeline that is canceled in the middle of a group: some apps have moved, and nobody takes them back.
#[cfg(unix)]
#[test]
fn a_group_that_is_interrupted_says_what_has_moved_and_how_it_goes_back() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let server = Server::of(settled(), BTreeMap::new()).answering(&[Answer::Given]);
    let arguments =
        ["switch", "-l", "release=42", "--to=green", "--wait", "--timeout=5m", "--rollback-on-failure"];
    let (mut command, server) = prepare("group-interrupted", server, &arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while server.lock().unwrap().edits() == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "no edit came");
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), server.lock().unwrap().edits()), (Some(130), 1), "{told}");
    for words in [
        "1 of 1 apps were edited, and are not taken back",
        "kubectl bluegreen -n shop switch hello --to blue",
    ] {
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
    assert!(String::from_utf8(output.stdout).unwrap().contains("shop/hello: blue → green: "));
}

/// Decided anew it would be the cancelation of itself.
#[test]
fn a_rollback_that_was_stored_is_not_rolled_back() {
    let (output, active, edits) = run("rollback", &[Answer::LostAfter], &["rollback", "hello"]);
    assert_eq!((output.status.code(), active, edits), (Some(0), json!("green"), 1), "{output:?}");
}

#[test]
fn the_object_is_printed_as_kubectl_prints_it() {
    let printed = |format: &str| {
        let (output, ..) = run(&format!("get-{format}"), &[], &["get", "hello", "-o", format]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&printed("json")).unwrap();
    let yaml: Value = serde_yaml_ng::from_str(&printed("yaml")).unwrap();
    for object in [json, yaml] {
        assert_eq!([&object["apiVersion"], &object["kind"]], ["bluegreen.dev/v1alpha1", "BlueGreenApp"]);
        assert_eq!(object["spec"]["active"], "blue");
        assert_eq!(object["metadata"].get("managedFields"), None);
    }
    let report: Value = serde_json::from_str(&printed("report")).unwrap();
    assert_eq!(
        [&report["live"], &report["apiVersion"], &report["kind"]],
        ["blue", "cli.bluegreen.dev/v1alpha1", "AppReport"]
    );
}

/// With the user's own rights, since the operator may not read Events.
#[test]
fn the_newest_warning_of_late_pods_is_told_to_whom_may_list_events() {
    let late = json!([{"metadata": {"name": "late", "uid": "u-late"}, "status": {"phase": "Pending"}}]);
    let warning = json!([{"metadata": {}, "involvedObject": {"name": "late"}, "reason": "FailedMount",
        "message": "secret \"tls\" not found\u{1b}[2J", "lastTimestamp": "2026-01-01T00:00:00Z"}]);
    let status = |name: &str, app: Value, events: Option<Value>| {
        let lists = BTreeMap::from([("pods", Some(late.clone())), ("events", events)]);
        let (output, server) =
            run_on(name, Server::of(app, lists), &["status", "hello", "--timeout=0s", "--for=active=green"]);
        (String::from_utf8(output.stderr).unwrap(), server.listed)
    };
    let (told, listed) = status("late", switching(), Some(warning.clone()));
    assert!(
        told.ends_with(
            "blue stays live\nWarning of pod/late: FailedMount: secret \"tls\" not found\\u{1b}[2J\n"
        ),
        "{told}"
    );
    assert!(
        listed.iter().any(|asked| asked.starts_with("events?") && asked.contains("u-late")),
        "{listed:?}"
    );
    let (told, _) = status("late-denied", switching(), None);
    assert!(told.ends_with("blue stays live\n"), "{told}");
    let (_, listed) = status("not-late", settled(), Some(warning));
    assert_eq!(listed, Vec::<String>::new(), "nothing is late");
}

/// One app that can't be read, as after an edit by a newer version of the operator, hides no other one, and is not missing without a word.
#[test]
fn a_list_leaves_out_an_app_that_it_cannot_read_and_names_it() {
    let mut unreadable = settled();
    unreadable["metadata"]["name"] = json!("odd");
    unreadable["spec"]["replicas"] = json!("two");
    for format in ["text", "json"] {
        let lists = BTreeMap::from([("bluegreenapps", Some(json!([unreadable, settled()])))]);
        let server = Server::of(settled(), lists);
        let (output, _) = run_on(&format!("list-{format}"), server, &["list", "-o", format]);
        let [listed, told] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.starts_with("left out: shop/odd can't be read: ") && told.contains("two"), "{told}");
        assert!(listed.contains("hello") && !listed.contains("odd"), "{listed}");
    }
}
