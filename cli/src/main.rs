//! `kubectl bluegreen`.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::Parser;
use kubectl_bluegreen::args::{Cli, Command};
use kubectl_bluegreen::commands;
use kubectl_bluegreen::exit::INTERRUPTED;
use kubectl_bluegreen::output::say;

/// Source revision of this build, where it was told.
const REVISION: Option<&str> = option_env!("BLUEGREEN_REVISION");

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // The one deletes its Jobs first, the other one says which apps have moved.
    let minds = match &cli.command {
        Command::Check(_) => true,
        Command::Switch(args) => args.selector.is_some(),
        Command::Get(_)
        | Command::List(_)
        | Command::Status(_)
        | Command::Deploy(_)
        | Command::Rollback(_)
        | Command::Pause(_)
        | Command::Resume(_)
        | Command::Plan(_)
        | Command::Dashboard(_)
        | Command::Lint(_)
        | Command::Completion(_)
        | Command::Man(_)
        | Command::Version(_) => false,
    };
    let ended = tokio::select! {
        ended = commands::run(cli, REVISION) => ended,
        // Whatever was shown stays.
        _ = tokio::signal::ctrl_c(), if !minds => return ExitCode::from(INTERRUPTED),
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
