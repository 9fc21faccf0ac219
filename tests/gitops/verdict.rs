//! What somebody who waits for an app is told.

use std::fmt;

/// The three answers of kstatus, by which Flux and Helm 4 wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was asked for is there: the wait returns.
    Done,
    /// It will not come without a change: the wait fails at once.
    Failed,
    /// It is on its way, or nobody knows yet: the wait goes on.
    Waits,
}

impl Verdict {
    /// The health that Argo CD shall show for it.
    pub fn health(self) -> &'static str {
        match self {
            Self::Done => "Healthy",
            Self::Failed => "Degraded",
            Self::Waits => "Progressing",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "returns",
            Self::Failed => "fails at once",
            Self::Waits => "waits",
        })
    }
}
