//! Answers that say no, as `meta/v1.Status`.

use serde_json::{Value, json};

use crate::kind::Kind;

/// A refusal: what the API server sends instead of the object.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

impl Status {
    /// Any refusal; the reason follows from the code.
    #[must_use]
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        let reason = match code {
            400 => "BadRequest",
            403 => "Forbidden",
            404 => "NotFound",
            405 => "MethodNotAllowed",
            409 => "Conflict",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "",
        };
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    /// 429 that asks the client to wait for so many seconds.
    #[must_use]
    pub fn throttled(seconds: u32) -> Self {
        let details = json!({ "retryAfterSeconds": seconds });
        Self {
            details,
            ..Self::new(429, "the server has received too many requests and has asked us to try again later")
        }
    }

    pub(crate) fn not_found(kind: Kind, name: &str) -> Self {
        Self::about(kind, name, Self::new(404, format!("{} \"{name}\" not found", kind.qualified())))
    }

    pub(crate) fn exists(kind: Kind, name: &str) -> Self {
        let status = Self::new(409, format!("{} \"{name}\" already exists", kind.qualified()));
        Self::about(kind, name, Self { reason: "AlreadyExists", ..status })
    }

    pub(crate) fn conflict(kind: Kind, name: &str, why: &str) -> Self {
        let words = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        Self::about(kind, name, Self::new(409, words))
    }

    /// 422 about one field.
    pub(crate) fn invalid(kind: Kind, name: &str, field: &str, why: &str) -> Self {
        let mut status = Self::new(422, format!("{} \"{name}\" is invalid: {field}: {why}", kind.name()));
        status.details =
            json!({ "causes": [{ "reason": "FieldValueInvalid", "message": why, "field": field }] });
        Self::about(kind, name, status)
    }

    pub(crate) fn expired() -> Self {
        Self::new(410, "too old resource version")
    }

    fn about(kind: Kind, name: &str, mut status: Self) -> Self {
        status.details["name"] = json!(name);
        status.details["kind"] = json!(kind.plural());
        status
    }

    /// The answer's body.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": self.details, "code": self.code,
        })
    }
}
