//! `kubectl bluegreen`.

use std::io::Write;
use std::process::ExitCode;

use bluegreen_core::harmless::is_harmful;
use clap::Parser;
use kubectl_bluegreen::args::Cli;
use kubectl_bluegreen::commands;

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
            // The words may be the API server's, or those of somebody's policy.
            let words = failure.to_string().replace(|c| c != '\n' && is_harmful(c), "");
            // Nobody is left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr(), "error: {words}");
            ExitCode::from(code)
        }
    }
}
