//! The command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use common::{Act, Server};

fn load(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bluegreen-load"));
    command.arg("--target").arg(server.address.to_string()).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_run_without_losses_succeeds_and_reports() {
    let server = Server::start(|_| Act::Answer("green"));
    let folder = std::env::temp_dir().join(format!("bluegreen-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("report.json");
    let output =
        load(&server, &["--rate", "100", "--kinds", "fresh,keepalive", "--duration", "500ms", "--json"])
            .arg(&file)
            .output()
            .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains(", 0 lost\n"), "{}", stdout(&output));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(json["total"]["sent"], server.requests());
    assert_eq!(json["total"]["by_color"]["green"], server.requests());
    // Both kinds got half of the rate.
    let [fresh, kept] = ["fresh", "keepalive"].map(|kind| json["by_kind"][kind]["sent"].as_u64().unwrap());
    assert!(fresh.abs_diff(kept) <= 1, "{fresh} and {kept}");
}

#[test]
fn a_lost_request_is_an_exit_code() {
    let server = Server::start(|n| if n == 5 { Act::Reset } else { Act::Answer("green") });
    let output = load(&server, &["--kinds", "fresh", "--duration", "0.3s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("1 × reset"), "{}", stdout(&output));
}

#[test]
fn an_interrupt_ends_it_with_a_report() {
    let server = Server::start(|_| Act::Answer("green"));
    let child = load(&server, &["--kinds", "fresh"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.requests() < 10 {
        assert!(Instant::now() < deadline, "sends nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        stdout(&output).starts_with(&format!("{} requests to ", server.requests())),
        "{}",
        stdout(&output)
    );
}

#[test]
fn what_can_not_be_run_is_said_before_anything_is_sent() {
    let server = Server::start(|_| Act::Answer("green"));
    for (arguments, expected) in [
        (&["--kinds", "fast"][..], "a kind is fresh, keepalive or long, not \"fast\""),
        (&["--rate", "0"], "must be above 0"),
        (&["--duration", "soon"], "must be a number with ms, s, m or h"),
        (&["--path", "here"], "\"here\" can't be a path"),
    ] {
        let output = load(&server, arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(server.requests(), 0);
}
