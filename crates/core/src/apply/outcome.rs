//! What became of a write.

use std::time::Duration;

use kube::core::Status;

use crate::harmless::{harmless, visible};
use crate::plan::Action;
use crate::text::{cut, listed};
use bluegreen_api::Color;

/// How many bytes of an answer's words are kept. They go into two conditions of the status and into an Event, which may have
/// 1,024 with what is said around them. A webhook may answer with more than an object can hold, and so may the API server, with
/// a cause for each item of a list: the status could then never be written.
const WORDS: usize = 960;

/// A write that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The color that it was about; `None` for the live Service.
    pub color: Option<Color>,
    /// The check whose Job it was about, by its place in `spec.checks`.
    pub check: Option<u8>,
    /// It was to remove what nothing needs any more, so nothing waits for it.
    pub leftover: bool,
    /// Who has to do something about it.
    pub kind: FailureKind,
    /// The API server's words.
    pub words: String,
}

impl Failure {
    /// What such an outcome of an action says; `None` if the write needs no words: it succeeded, another read will
    /// tell, or this process leads no more.
    pub fn of(outcome: &Outcome, action: Option<&Action>) -> Option<Self> {
        let (kind, words) = match outcome {
            Outcome::Refused(words) => (FailureKind::Refused, words.clone()),
            Outcome::Failed(words) | Outcome::Unknown(words) => (FailureKind::Failed, words.clone()),
            Outcome::Later(_) => {
                (FailureKind::Failed, "The API server is overloaded and asks to try again later".to_owned())
            }
            Outcome::Done | Outcome::Stale | Outcome::Gone | Outcome::NotLeading => return None,
        };
        let check = if let Some(Action::RunCheck { check, .. }) = action { Some(*check) } else { None };
        let leftover = matches!(action, Some(Action::DropRevision { .. } | Action::DropJob { .. }));
        Some(Self { color: action.and_then(Action::color), check, leftover, kind, words })
    }
}

/// Who has to do something about a write that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// A person: the API server refuses it, and will refuse it again.
    Refused,
    /// A person: it succeeds, and somebody reverts it each time.
    Reverted,
    /// The cluster: the API server did not answer, or could not do its work. The operator tries again.
    Failed,
}

/// How a write ended. Only `Done` is known to have happened; only `Unknown` may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged.
    Done,
    /// A precondition failed: read again.
    Stale,
    /// The object does not exist.
    Gone,
    /// The API server refused it; the message says why, in its words.
    Refused(String),
    /// The API server could not do its work, and gave up before it stored anything: a webhook does not answer, for
    /// example. The message says why.
    Failed(String),
    /// It may have been carried out, or may still be: everything must be fenced before the next step.
    Unknown(String),
    /// The API server is overloaded and asks to try again after this long.
    Later(Duration),
    /// Not sent: leadership would end before the answer.
    NotLeading,
}

impl Outcome {
    /// The graver of two; of equals the first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    /// Returns how grave it is. Of several outcomes, the gravest decides what happens next.
    pub fn gravity(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Gone | Self::Stale => 1,
            Self::Refused(_) => 2,
            Self::Failed(_) => 3,
            Self::Later(_) => 4,
            Self::NotLeading => 5,
            Self::Unknown(_) => 6,
        }
    }
}

/// What an answer other than success means, for a request about `what`, such as `Service hello`.
pub fn answer(what: &str, status: &Status) -> Outcome {
    let words = || told(&format!("The API server refused {what}: "), status);
    match status.code {
        400..=599 if begins(status, WEBHOOK_DENIED) => Outcome::Refused(words()),
        404 if names_namespace(status) => Outcome::Refused(words()),
        404 => Outcome::Gone,
        409 => Outcome::Stale,
        // Our uid names an object that was replaced by another of its name.
        422 if names_uid(status) => Outcome::Stale,
        429 => {
            let seconds = status.details.as_ref().map_or(1, |details| details.retry_after_seconds.max(1));
            Outcome::Later(Duration::from_secs(u64::from(seconds)))
        }
        400..=499 => Outcome::Refused(words()),
        500..=599 if begins(status, UNREADABLE) => Outcome::Refused(words()),
        500..=599 if begins(status, WEBHOOK_FAILED) => Outcome::Failed(failed(what, status)),
        _ => Outcome::Unknown(failed(what, status)),
    }
}

/// How the API server begins its message when it could not call an admission webhook whose failurePolicy is Fail.
/// Admission comes before storage, so the write was not carried out and is not in flight any more
/// (`k8s.io/apiserver/pkg/util/webhook`, `ErrCallingWebhook`).
const WEBHOOK_FAILED: &str = "Internal error occurred: failed calling webhook ";

/// How the API server begins its message when an admission webhook denied a request. The webhook chooses the code, so a 409
/// need not be a conflict, nor a 404 an object that is gone, nor a 429 an API server that is overloaded.
const WEBHOOK_DENIED: &str = "admission webhook ";

/// How the API server begins its message when it answers 500 to a request that it will never carry out: server-side
/// apply could not read what is declared (`k8s.io/apimachinery/pkg/util/managedfields`: a key twice in a list that is
/// merged by key, or a field that this version of Kubernetes does not know).
const UNREADABLE: &str = "failed to create typed patch object ";

/// Returns true if an answer begins with this phrase of the API server. A proxy's words, or those of etcd, never do: they come
/// without an answer of the admission chain.
fn begins(status: &Status, phrase: &str) -> bool {
    status.message.starts_with(phrase)
}

fn failed(what: &str, status: &Status) -> String {
    told(&format!("The API server answered {} to a write of {what}: ", status.code), status)
}

/// The words of an answer after `prefix`, in a length that conditions and Events can hold.
fn told(prefix: &str, status: &Status) -> String {
    let Status { message, details, .. } = status;
    let causes = details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    if prefix.len().saturating_add(message.len()) <= WORDS || causes.len() < 2 {
        return shortened(&format!("{prefix}{message}"));
    }
    // `Deployment.apps "hello-blue" is invalid: [cause, cause, …]`: how many there are is told, too.
    let head = message.split_once(": [").map_or("", |(head, _)| head);
    let head = shortened(&format!("{prefix}{head}: "));
    let causes = causes.iter().map(|cause| {
        let words = cut(cause.message.clone(), WORDS);
        visible(&if cause.field.is_empty() {
            words
        } else {
            format!("{}: {words}", cut(cause.field.clone(), WORDS))
        })
    });
    format!("{head} {}", listed(causes, WORDS.saturating_sub(head.len() + 1)))
}

/// Returns words in a length that conditions and Events can hold, with nothing in them that a terminal obeys.
fn shortened(words: &str) -> String {
    // What is cut off anyway need not be made visible first.
    harmless(&cut(words.to_owned(), WORDS.saturating_mul(2)), WORDS)
}

/// Returns the outcome where no answer came within this time.
pub fn silence(what: &str, deadline: Duration) -> Outcome {
    Outcome::Unknown(format!("The API server did not answer a write of {what} within {deadline:?}"))
}

/// Returns the outcome where the connection failed, and with it the answer.
pub fn lost(what: &str, error: &dyn std::error::Error) -> Outcome {
    Outcome::Unknown(shortened(&format!("The answer to a write of {what} was lost: {error}")))
}

/// Returns true if the namespace is what was not found, not the object. The message proves nothing: an object's name stands in it.
fn names_namespace(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == "namespaces")
}

/// Returns true if the uid that was sent is what is invalid.
fn names_uid(status: &Status) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| details.causes.iter().any(|cause| cause.field == "metadata.uid"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answered(code: u16, message: &str, details: &Value) -> Outcome {
        let status = json!({ "status": "Failure", "code": code, "message": message, "details": details });
        answer("Service hello", &serde_json::from_value(status).unwrap())
    }

    fn refused(message: &str) -> Outcome {
        Outcome::Refused(format!("The API server refused Service hello: {message}"))
    }

    /// A webhook's answer, with a code of its own choice.
    const DENIAL: &str = "admission webhook \"a.b\" denied the request: no";

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
            (404, DENIAL, Value::Null, refused(DENIAL)),
            (409, DENIAL, Value::Null, refused(DENIAL)),
            (429, DENIAL, Value::Null, refused(DENIAL)),
            (503, DENIAL, Value::Null, refused(DENIAL)),
        ] {
            assert_eq!(answered(code, message, &details), means, "{code} {message}");
        }
    }

    /// A webhook may answer with more than an object can hold.
    #[test]
    fn the_words_of_a_refusal_are_bounded_and_keep_their_beginning() {
        for code in [422, 502] {
            let (Outcome::Refused(words) | Outcome::Unknown(words)) =
                answered(code, &"é".repeat(1_500_000), &Value::Null)
            else {
                panic!("{code}")
            };
            assert!((WORDS - 1..=WORDS).contains(&words.len()) && words.ends_with("é…"), "{}", words.len());
        }
        let policy = "x".repeat(900);
        assert_eq!(answered(403, &policy, &Value::Null), refused(&policy), "that of a policy is kept whole");
    }

    /// 5,000 names that are none: 1.5 MB.
    #[test]
    fn a_refusal_for_many_causes_tells_the_first_and_how_many_there_are() {
        let causes: Vec<Value> = (0..5000)
            .map(|i| {
                let message = format!("Invalid value: \"_{i:05}\u{1b}[2J\": a lowercase RFC 1123 label{}", "x".repeat(200));
                json!({ "reason": "FieldValueInvalid", "field": format!("spec.volumes[{i}].name"), "message": message })
            })
            .collect();
        let words: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause["field"], cause["message"])).collect();
        let message = format!("Deployment.apps \"hello\" is invalid: [{}]", words.join(", "));
        assert!(message.len() > 1_400_000);
        let Outcome::Refused(words) = answered(422, &message, &json!({ "causes": causes })) else { panic!() };
        let begins = "The API server refused Service hello: Deployment.apps \"hello\" is invalid: \
                      spec.volumes[0].name: Invalid value: \"_00000\\u{1b}[2J\": a lowercase RFC 1123 label";
        assert!(words.starts_with(begins), "{words}");
        assert!(words.ends_with(" … and 4997 more"), "{words}");
        assert!(words.len() <= WORDS, "{}", words.len());
    }

    /// Admission comes before storage: what fails there is not in flight, and nothing has to be fenced.
    #[test]
    fn a_server_that_gave_up_before_it_stored_anything_has_not_carried_it_out() {
        let unreachable = "Internal error occurred: failed calling webhook \"a.b\": failed to call webhook: Post \"x\": EOF";
        let expected = format!("The API server answered 500 to a write of Service hello: {unreachable}");
        assert_eq!(answered(500, unreachable, &Value::Null), Outcome::Failed(expected));
        for refusal in [
            "failed to create typed patch object (n/hello; apps/v1, Kind=Deployment): .spec.x: field not declared in schema",
            DENIAL,
        ] {
            assert_eq!(answered(500, refusal, &Value::Null), refused(refusal));
        }
    }

    /// A request that may have been carried out must be fenced before the next step.
    #[test]
    fn what_is_no_clear_answer_may_have_happened() {
        for code in [0, 200, 302, 399, 500, 503, 504] {
            assert!(matches!(answered(code, "odd", &Value::Null), Outcome::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn of_two_outcomes_the_graver_counts_and_of_equals_the_first() {
        let unknown = || Outcome::Unknown("no answer".into());
        let order = [
            Outcome::Done,
            Outcome::Stale,
            refused("a"),
            Outcome::Failed("a".into()),
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
}
