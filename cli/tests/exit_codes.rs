//! The exit codes that need no cluster; the others are in `tests/cli.rs` at the root of the repository.

#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

const SMALLEST: &str = include_str!("../../tests/golden_smallest.yaml");

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-bluegreen"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn code(arguments: &[&str], input: &str) -> i32 {
    run(arguments, input).status.code().unwrap()
}

#[test]
fn wrong_arguments_are_2() {
    for arguments in [
        &["frobnicate"][..],
        &["status", "hello", "--for=green"],
        &["status", "hello", "--timeout=5"],
        &["deploy", "hello"],
        &["switch", "hello", "--to=red"],
        &["switch", "hello", "--wait", "--dry-run=server"],
        &["switch", "hello", "--rollback-on-failure"],
        &["switch", "hello", "-l", "a=b"],
        &["switch", "hello", "--count=2"],
        &["switch", "-l", "a=b", "-f", "hello.yaml"],
        &["switch", "-l", "a=b", "--dry-run=client"],
        &["lint"],
    ] {
        assert_eq!(code(arguments, ""), 2, "{arguments:?}");
    }
    assert_eq!(code(&["lint", "-f", "-"], "kind: ConfigMap\n"), 2, "nothing to check is no success");
}

#[test]
fn a_good_manifest_is_0_and_a_bad_one_1() {
    assert_eq!(code(&["lint", "-f", "-"], SMALLEST), 0);
    let bad = SMALLEST.replace("replicas", "replica");
    let output = run(&["lint", "-f", "-"], &bad);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "-: hello: spec.replica: unknown field\n");
}

/// A warning is no refusal.
#[test]
fn a_manifest_with_a_warning_is_0_and_says_it() {
    let check = "  checks:\n  - {name: smoke, when: Before, job: {template: {spec: {containers: [{name: c, image: smoke}]}}}}\n";
    let output = run(&["lint", "-f", "-"], &format!("{}\n{check}", SMALLEST.trim_end()));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.starts_with("warning: -: hello: spec.checks[0].job.template.spec.containers[0].image: "),
        "{told}"
    );
    assert!(told.ends_with("1 of 1 apps are valid\n"), "{told}");
}

#[test]
fn a_plan_that_ends_well_is_0_and_one_that_stalls_1() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (old, held) = (folder.join("old.yaml"), folder.join("held.yaml"));
    std::fs::write(&old, SMALLEST).unwrap();
    std::fs::write(&held, SMALLEST.replace("v1.0.0", "v1.0.1")).unwrap();
    let (old, held) = (old.display().to_string(), held.display().to_string());
    assert_eq!(code(&["plan", "-f", &old, "--new"], ""), 0);
    assert_eq!(code(&["plan", "-f", &held, "--from", &old], ""), 1);
    assert_eq!(code(&["plan", "-f", "/nonexistent", "--new"], ""), 1);
}

#[test]
fn no_cluster_is_1_and_told_in_words() {
    let output = run(&["status", "hello"], "");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("no cluster"), "{words}");
}

/// Port 1 of this machine, where nobody listens.
fn nobody(name: &str) -> String {
    let kubeconfig = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.kubeconfig"));
    let text = "{clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}], \
                contexts: [{name: c, context: {cluster: c, user: u}}], current-context: c}";
    std::fs::write(&kubeconfig, text).unwrap();
    kubeconfig.display().to_string()
}

#[test]
fn interrupted_is_130() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-bluegreen"))
        .args(["status", "hello", "--timeout=60s", "--kubeconfig", &nobody("interrupted")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It has said something: so it waits by now.
    let mut byte = [0];
    std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut byte).unwrap();
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_cluster_that_does_not_answer_is_3_when_the_time_is_up() {
    let output = run(&["status", "hello", "--timeout=1s", "--kubeconfig", &nobody("nobody")], "");
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("can't reach the cluster"), "{words}");
}
