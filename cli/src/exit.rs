//! Exit codes.

use std::process::ExitCode;

/// How a command ended that has printed its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// 0: success, or the goal is reached.
    Reached,
    /// 1: failure, or the goal can't be reached without another edit.
    Failed,
    /// 3: timeout, or a check can't tell.
    TimedOut,
}

/// The exit code for wrong arguments; clap uses the same.
pub const USAGE: u8 = 2;

/// The exit code of a program that was interrupted, as a shell has it.
pub const INTERRUPTED: u8 = 130;

impl End {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Reached => 0,
            Self::Failed => 1,
            Self::TimedOut => 3,
        }
    }
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        Self::from(end.code())
    }
}

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments do not fit together: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The user interrupted a command that had something to clean up: exit code 130.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// Anything else: exit code 1.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Interrupted(_) => INTERRUPTED,
            Self::Other(_) => End::Failed.code(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

/// The result of a command.
pub type Result<T = End> = std::result::Result<T, Failure>;
