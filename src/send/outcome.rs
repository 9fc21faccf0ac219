//! What became of a request that failed, and how that is counted.

use bluegreen_core::apply::{Outcome, answer, lost};

use crate::metrics::WriteOutcome;

/// How an outcome is counted.
pub(super) fn metric(outcome: &Outcome) -> WriteOutcome {
    match outcome {
        Outcome::Done => WriteOutcome::Ok,
        Outcome::Stale | Outcome::Gone => WriteOutcome::Conflict,
        Outcome::Refused(_) | Outcome::Later(_) => WriteOutcome::Rejected,
        Outcome::Failed(_) => WriteOutcome::Failed,
        Outcome::Unknown(_) => WriteOutcome::Unknown,
        Outcome::NotLeading => WriteOutcome::NotLeader,
    }
}

/// Classifies a failed request about `what`, such as `Service hello`. Whatever is not clearly an answer counts as unknown.
pub(super) fn of(what: &str, error: kube::Error) -> Outcome {
    match error {
        kube::Error::Api(status) => answer(what, &status),
        other => lost(what, &other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn refused(message: &str) -> Outcome {
        Outcome::Refused(format!("The API server refused Service hello: {message}"))
    }

    #[test]
    fn an_answer_is_read_and_what_is_none_may_have_happened() {
        let status = json!({ "status": "Failure", "code": 422, "message": "it is invalid" });
        let answered = kube::Error::Api(serde_json::from_value(status).unwrap());
        assert_eq!(of("Service hello", answered), refused("it is invalid"));
        let lost = kube::Error::Service("connection reset".into());
        assert!(matches!(of("Service hello", lost), Outcome::Unknown(_)));
    }

    #[test]
    fn what_is_counted() {
        for (outcome, counted) in [
            (Outcome::Done, WriteOutcome::Ok),
            (Outcome::Stale, WriteOutcome::Conflict),
            (Outcome::Gone, WriteOutcome::Conflict),
            (refused("a"), WriteOutcome::Rejected),
            (Outcome::Later(Duration::ZERO), WriteOutcome::Rejected),
            (Outcome::Failed("a webhook".into()), WriteOutcome::Failed),
            (Outcome::Unknown("no answer".into()), WriteOutcome::Unknown),
            (Outcome::NotLeading, WriteOutcome::NotLeader),
        ] {
            assert_eq!(metric(&outcome), counted, "{outcome:?}");
        }
    }
}
