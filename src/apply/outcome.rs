//! What became of a write.

use std::time::Duration;

use kube::core::Status;

use crate::metrics::WriteOutcome;

/// How a write ended. Only `Done` is known to have happened, only `Unknown` may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged.
    Done,
    /// A precondition failed: look again.
    Stale,
    /// The object, or its namespace, does not exist.
    Gone,
    /// The API server will not have it as it is, in its words.
    Refused(String),
    /// It may have been carried out, or may still be: everything must be fenced before the next step.
    Unknown(String),
    /// The API server asks for patience.
    Later(Duration),
    /// Not sent: leadership would end before the answer.
    NotLeading,
}

impl Outcome {
    /// The graver of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    /// Of several outcomes, the gravest decides what happens next.
    pub fn gravity(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Gone | Self::Stale => 1,
            Self::Refused(_) => 2,
            Self::Later(_) => 3,
            Self::NotLeading => 4,
            Self::Unknown(_) => 5,
        }
    }

    pub(super) fn metric(&self) -> WriteOutcome {
        match self {
            Self::Done => WriteOutcome::Ok,
            Self::Stale | Self::Gone => WriteOutcome::Conflict,
            Self::Refused(_) | Self::Later(_) => WriteOutcome::Rejected,
            Self::Unknown(_) => WriteOutcome::Unknown,
            Self::NotLeading => WriteOutcome::NotLeader,
        }
    }
}

/// Classifies a failed request. Whatever is not clearly an answer counts as unknown.
pub(super) fn of(kind: &str, error: kube::Error) -> Outcome {
    match error {
        kube::Error::Api(status) => answer(kind, &status),
        other => Outcome::Unknown(other.to_string()),
    }
}

fn answer(kind: &str, status: &Status) -> Outcome {
    let words = || format!("the API server refused the {kind}: {}", status.message);
    match status.code {
        404 if status.message.contains("namespaces") => Outcome::Refused(words()),
        404 => Outcome::Gone,
        409 => Outcome::Stale,
        // Our uid names an object that was replaced by another of its name.
        422 if names_uid(status) => Outcome::Stale,
        429 => {
            let seconds = status.details.as_ref().map_or(1, |details| details.retry_after_seconds.max(1));
            Outcome::Later(Duration::from_secs(u64::from(seconds)))
        }
        400..=499 => Outcome::Refused(words()),
        _ => Outcome::Unknown(format!("{} {}", status.code, status.message)),
    }
}

fn names_uid(status: &Status) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| details.causes.iter().any(|cause| cause.field == "metadata.uid"))
}
