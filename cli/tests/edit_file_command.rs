//! Does `-f` read, show and write the file as it says, and ask no cluster?

#![allow(clippy::unwrap_used, missing_docs)]

mod manifests;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use manifests::BASIC;
use serde_json::{Value, json};

/// A file of its own for each test.
fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("edit-{name}.yaml"));
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs the program where there is no cluster, nor a way to one.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-bluegreen"))
        .args(arguments)
        .env("KUBECONFIG", "/nonexistent")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_deployment_and_a_switch_write_the_file_and_show_the_difference() {
    let path = file("release", BASIC);
    let path = path.to_str().unwrap();
    let output = run(&["deploy", "-f", path, "--tag", "v3.0.0"], "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = text(output.stdout);
    let wanted = format!(
        "{path}: hello: deploy v3.0.0 to green\n--- {path}\n+++ {path}\n@@ -11 +11 @@\n-    tag: v2.0.0\n+    tag: v3.0.0\n"
    );
    assert_eq!(shown, wanted);
    let deployed = BASIC.replace("v2.0.0", "v3.0.0");
    assert_eq!(std::fs::read_to_string(path).unwrap(), deployed);
    // The tag says which color is meant, and a run of an older pipeline is refused.
    let output = run(&["switch", "-f", path, "--tag", "v2.0.0"], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(path).unwrap(), deployed);
    let output = run(&["switch", "-f", path, "--tag", "v3.0.0"], "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(output.stdout).contains("note: a manifest does not tell whether that color is ready"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), deployed.replace("active: blue", "active: green"));
    let output = run(&["rollback", "-f", path, "--tag", "v3.0.0", "--back-to", "v1.0.0"], "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), deployed);
    let again = run(&["deploy", "-f", path, "--tag", "v3.0.0"], "");
    assert!(text(again.stdout).ends_with("(no change: the file already says so)\n"));
}

/// What the edit would do is the plan of the same file.
#[test]
fn a_plan_of_the_edited_file_says_what_the_edit_does() {
    let (before, after) = (file("plan-before", BASIC), file("plan-after", BASIC));
    let (before, after) = (before.to_str().unwrap(), after.to_str().unwrap());
    assert!(run(&["switch", "-f", after], "").status.success());
    let plan = run(&["plan", "-f", after, "--from", before, "-o", "json"], "");
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!([&plan["kind"], &plan["good"]], [&json!("Plan"), &json!(true)]);
    assert!(plan["after"].as_str().unwrap().starts_with("green"), "{plan}");
}

#[test]
fn a_dry_run_writes_nothing_and_a_filter_only_prints() {
    let path = file("dry", BASIC);
    let path = path.to_str().unwrap();
    let output = run(&["switch", "-f", path, "--dry-run=client", "-o", "json"], "");
    let edit: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(edit["apiVersion"], "cli.bluegreen.dev/v1alpha1");
    assert_eq!((&edit["kind"], &edit["written"]), (&json!("ManifestEdit"), &json!(false)));
    assert_eq!((&edit["patch"], &edit["name"]), (&json!({"active": "green"}), &json!("hello")));
    assert!(edit["diff"].as_str().unwrap().ends_with("-  active: blue\n+  active: green\n"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), BASIC);
    let output = run(&["switch", "-f", "-"], BASIC);
    assert_eq!(text(output.stdout), BASIC.replace("active: blue", "active: green"));
    assert!(text(output.stderr).contains("+  active: green\n"));
}

#[test]
fn what_does_not_fit_together_is_2_and_what_is_refused_1() {
    let path = file("refused", BASIC);
    let path = path.to_str().unwrap();
    for arguments in [
        &["switch", "-f", path, "--wait"][..],
        &["switch", "-f", path, "--timeout=5s"],
        &["switch", "-f", path, "--dry-run=server"],
        &["switch", "hello", "--dry-run=client"],
        &["switch", "hello", "--live"],
        &["switch"],
        &["rollback", "-f", path],
        &["switch", "-f", "-", "-o", "json"],
    ] {
        assert_eq!(run(arguments, BASIC).status.code(), Some(2), "{arguments:?}");
    }
    for (arguments, words) in [
        (&["switch", "other", "-f", path][..], "there is no BlueGreenApp other in this file; there is hello"),
        (&["deploy", "-f", path, "--to=blue", "--tag=v9"], "--live asks the cluster"),
        (&["switch", "-f", "/nonexistent.yaml"], "can't read /nonexistent.yaml"),
        (&["switch", "-f", path, "--live"], "error: "),
    ] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let told = text(output.stderr);
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), BASIC);
}
