//! The program of a check's Job: `bluegreen-operator check http …` and `bluegreen-operator check prometheus …`.
//!
//! ```text
//! args ──> http, prometheus ──> measurements ──> verdict ──> exit code, last words
//!          exchange, connect                     PURE
//! ```
//!
//! It is in the operator's image so that a check needs no other one. The operator itself never runs it: it talks to nobody but
//! the API server.
//!
//! **Exit codes are the contract with the Job**: see [`Exit`]. The Job takes every code that it does not know for a failure of the
//! app, so nothing else may end this program with one: not wrong flags, and not a panic.

mod address;
mod args;
mod connect;
mod exchange;
mod expand;
mod http;
mod pace;
mod prometheus;
mod run;
mod sample;
#[cfg(test)]
mod stub;
mod trouble;
mod verdict;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Check, Cli, MESSAGE_FILE};
use crate::verdict::Verdict;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The app is as the check wants it.
    Passed,
    /// The app is not as the check wants it.
    Failed,
    /// Nobody knows; also for wrong flags, files that can't be read, and errors of this program. `EX_TEMPFAIL` of `sysexits.h`.
    CantTell,
    /// Ended by SIGTERM or SIGINT. Nobody knows either. What a shell says of a program that SIGTERM has ended.
    Ended,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::CantTell => 75,
            Self::Ended => 143,
        }
    }
}

/// Runs `check` with the arguments that follow this word on the command line.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let file = message_file(&arguments);
    end_on_panic(file.clone());
    let (exit, line) = match parse(&arguments) {
        Ok(Some(check)) => start(check),
        Ok(None) => return ExitCode::from(Exit::Passed.code()),
        Err(line) => (Exit::CantTell, line),
    };
    words::print(&line);
    words::leave(&line, &file);
    ExitCode::from(exit.code())
}

/// The check; nothing if help was asked for, and given. Otherwise what is wrong.
fn parse(arguments: &[OsString]) -> Result<Option<Check>, String> {
    let name = OsString::from("bluegreen-operator check");
    match Cli::try_parse_from(std::iter::once(&name).chain(arguments)) {
        Ok(cli) => Ok(Some(cli.check)),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            // Who closes stdout does not want it.
            let _ = error.print();
            Ok(None)
        }
        Err(error) => Err(words::one_line(&format!("can't run: {}", error.render()), words::LONGEST)),
    }
}

/// Tells whether `check` could run with these arguments, without measuring anything. `variable` has the environment. What admission
/// accepts in a short form must be accepted here, so a test asks both.
///
/// # Errors
/// What is wrong, in words.
pub fn accepts(arguments: &[OsString], variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    parse(arguments)?.map_or(Ok(()), |check| run::prepare(check, variable))
}

/// Runs a check in a runtime of its own.
fn start(check: Check) -> (Exit, String) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return (Exit::CantTell, format!("can't run: {}", trouble::causes(&error))),
    };
    let variable = |name: &str| std::env::var(name).ok();
    let end = runtime.block_on(async {
        tokio::select! {
            // A check that is ended and certain at the same time is certain.
            biased;
            conclusion = run::run(check, variable, words::print) => match conclusion {
                Ok(conclusion) => {
                    let exit = match conclusion.verdict {
                        Verdict::Passed => Exit::Passed,
                        Verdict::Failed => Exit::Failed,
                        Verdict::CantTell => Exit::CantTell,
                    };
                    (exit, words::joined(&conclusion.words, &conclusion.counts))
                }
                Err(wrong) => (Exit::CantTell, words::one_line(&format!("can't run: {wrong}"), words::LONGEST)),
            },
            () = asked_to_end() => (Exit::Ended, "ended by a signal before the last measurement".to_owned()),
        }
    });
    // Looking up an address can't be canceled. It ends with the process.
    runtime.shutdown_background();
    end
}

/// SIGTERM or SIGINT. The first process of a container has no default for them.
async fn asked_to_end() {
    let of_kind = async |kind| match signal(kind) {
        Ok(mut signals) => signals.recv().await,
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        _ = of_kind(SignalKind::terminate()) => {}
        _ = of_kind(SignalKind::interrupt()) => {}
    }
}

/// The file for the last words, also for those about flags that can't be parsed.
fn message_file(arguments: &[OsString]) -> PathBuf {
    let mut arguments = arguments.iter();
    let named = arguments.find_map(|argument| match argument.to_str() {
        Some("--message-file") => Some(None),
        Some(other) => other.strip_prefix("--message-file=").map(|path| Some(PathBuf::from(path))),
        None => None,
    });
    match named {
        Some(Some(path)) => path,
        Some(None) => arguments.next().map_or_else(|| PathBuf::from(MESSAGE_FILE), PathBuf::from),
        None => PathBuf::from(MESSAGE_FILE),
    }
}

/// Makes a panic mean [`Exit::CantTell`]. Rust would exit with 101, which the Job takes for a failure of the app.
fn end_on_panic(file: PathBuf) {
    std::panic::set_hook(Box::new(move |panic| {
        let line = format!("can't tell because of an error in the check itself, please report it: {panic}");
        let line = words::one_line(&line, words::LONGEST);
        words::print(&line);
        words::leave(&line, &file);
        std::process::exit(Exit::CantTell.code().into());
    }));
}

#[cfg(test)]
#[path = "lib_tests.rs"]
mod tests;
