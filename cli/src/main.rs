//! `kubectl bluegreen`.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::Parser;
use kubectl_bluegreen::args::Cli;
use kubectl_bluegreen::commands;
use kubectl_bluegreen::output::say;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = tokio::select! {
        ended = commands::run(cli) => ended,
        // Whatever was shown stays; 130 is what a shell says of an interrupted program.
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match ended {
        Ok(end) => end.into(),
        Err(failure) => {
            let code = failure.code();
            say(format!("error: {failure}"));
            ExitCode::from(code)
        }
    }
}
