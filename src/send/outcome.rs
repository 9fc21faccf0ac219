//! What became of a request that failed, and how that is counted.

use bluegreen_core::apply::{Outcome, answer};

use crate::metrics::WriteOutcome;

/// How an outcome is counted.
pub(super) fn metric(outcome: &Outcome) -> WriteOutcome {
    match outcome {
        Outcome::Done => WriteOutcome::Ok,
        Outcome::Stale | Outcome::Gone => WriteOutcome::Conflict,
        Outcome::Refused(_) | Outcome::Later(_) => WriteOutcome::Rejected,
        Outcome::Unknown(_) => WriteOutcome::Unknown,
        Outcome::NotLeading => WriteOutcome::NotLeader,
    }
}

/// Classifies a failed request about `what`, such as `Service hello`. Whatever is not clearly an answer counts as unknown.
pub(super) fn of(what: &str, error: kube::Error) -> Outcome {
    match error {
        kube::Error::Api(status) => answer(what, &status),
        other => Outcome::Unknown(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn answered(code: u16, message: &str, details: &Value) -> Outcome {
        let status = json!({ "status": "Failure", "code": code, "message": message, "details": details });
        of("Service hello", kube::Error::Api(serde_json::from_value(status).unwrap()))
    }

    fn refused(message: &str) -> Outcome {
        Outcome::Refused(format!("The API server refused Service hello: {message}"))
    }

    #[test]
    fn what_an_answer_means() {
        let cause = |field: &str| json!({ "causes": [{ "reason": "Invalid", "field": field }] });
        let kind = |kind: &str| json!({ "kind": kind });
        let later = |seconds| Outcome::Later(Duration::from_secs(seconds));
        for (code, message, details, means) in [
            (400, "no such field", Value::Null, refused("no such field")),
            (403, "not allowed", Value::Null, refused("not allowed")),
            (404, "services \"hello\" not found", Value::Null, Outcome::Gone),
            (404, "services \"namespaces\" not found", kind("services"), Outcome::Gone),
            (404, "namespaces \"n\" not found", kind("namespaces"), refused("namespaces \"n\" not found")),
            (409, "the object has been modified", Value::Null, Outcome::Stale),
            (422, "the uid is another's", cause("metadata.uid"), Outcome::Stale),
            (422, "the address is taken", cause("spec.clusterIP"), refused("the address is taken")),
            (422, "it is invalid", Value::Null, refused("it is invalid")),
            (429, "too many requests", Value::Null, later(1)),
            (429, "too many requests", json!({ "retryAfterSeconds": 0 }), later(1)),
            (429, "too many requests", json!({ "retryAfterSeconds": 7 }), later(7)),
            (499, "odd", Value::Null, refused("odd")),
        ] {
            assert_eq!(answered(code, message, &details), means, "{code} {message}");
        }
    }

    /// A request that may have been carried out must be fenced before the next step.
    #[test]
    fn what_is_no_clear_answer_may_have_happened() {
        for code in [0, 200, 302, 399, 500, 503, 504] {
            assert!(matches!(answered(code, "odd", &Value::Null), Outcome::Unknown(_)), "{code}");
        }
        let lost = kube::Error::Service("connection reset".into());
        assert!(matches!(of("Service hello", lost), Outcome::Unknown(_)));
    }

    #[test]
    fn of_two_outcomes_the_graver_counts_and_of_equals_the_first() {
        let unknown = || Outcome::Unknown("no answer".into());
        let order = [
            Outcome::Done,
            Outcome::Stale,
            refused("a"),
            Outcome::Later(Duration::ZERO),
            Outcome::NotLeading,
        ];
        let order: Vec<Outcome> = order.into_iter().chain([unknown()]).collect();
        for (lighter, graver) in order.iter().zip(&order[1..]) {
            for outcome in [lighter.clone().and(graver.clone()), graver.clone().and(lighter.clone())] {
                assert_eq!(outcome, *graver);
            }
        }
        assert_eq!(Outcome::Gone.gravity(), Outcome::Stale.gravity());
        assert_eq!(refused("a").and(refused("b")), refused("a"));
    }

    #[test]
    fn what_is_counted() {
        for (outcome, counted) in [
            (Outcome::Done, WriteOutcome::Ok),
            (Outcome::Stale, WriteOutcome::Conflict),
            (Outcome::Gone, WriteOutcome::Conflict),
            (refused("a"), WriteOutcome::Rejected),
            (Outcome::Later(Duration::ZERO), WriteOutcome::Rejected),
            (Outcome::Unknown("no answer".into()), WriteOutcome::Unknown),
            (Outcome::NotLeading, WriteOutcome::NotLeader),
        ] {
            assert_eq!(metric(&outcome), counted, "{outcome:?}");
        }
    }
}
