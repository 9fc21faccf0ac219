//! The program of a check's Job in tests on real nodes: ends as its arguments say. Built by `pause.rs` with plain `rustc`, so it
//! uses std only.
//!
//! | arguments | it |
//! |---|---|
//! | `exit CODE` | exits with that code |
//! | `later SECONDS CODE` | does so after that time |
//! | `memory` | takes memory until it is killed |
//!
//! It does not handle SIGTERM, which the kernel keeps from the first process of a container then: like many a test program, it ends
//! only when it is killed.

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["exit", code] => exit(code),
        ["later", seconds, code] => {
            std::thread::sleep(Duration::from_secs(seconds.parse().unwrap_or_default()));
            exit(code)
        }
        ["memory"] => loop {
            // Written to, so that it is really used.
            std::mem::forget(vec![1_u8; 4 << 20]);
            std::thread::sleep(Duration::from_millis(10));
        },
        // Of no use as a verdict, and so the mistake shows.
        _ => ExitCode::from(64),
    }
}

fn exit(code: &str) -> ExitCode {
    println!("ends with {code}");
    ExitCode::from(code.parse::<u8>().unwrap_or(64))
}
