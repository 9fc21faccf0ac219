//! What a test may do to a request, and the log of what became of each.

use crate::request::Request;
use crate::status::Status;

/// What happens to a request instead of its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// It is not carried out: this is the answer.
    Answer(Status),
    /// It is carried out, and the connection is lost before the answer.
    LoseAnswer,
    /// The connection is lost at once; it is carried out when the test calls [`crate::Server::deliver_late`].
    Late,
    /// It is not carried out, and never answered.
    Hang,
}

impl Fault {
    /// An answer with that code.
    #[must_use]
    pub fn answer(code: u16, message: &str) -> Self {
        Self::Answer(Status::new(code, message))
    }
}

/// Decides about a request. It is asked before the request is carried out.
pub(crate) type Rule = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was answered with this code.
    Answered(u16),
    /// It was carried out (with this code) and the answer was lost.
    Lost(u16),
    /// It waits for [`crate::Server::deliver_late`].
    Postponed,
    /// It was never answered.
    Hanging,
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The request.
    pub request: Request,
    /// What became of it.
    pub fate: Fate,
}

impl Logged {
    /// Whether it changed an object, or would have, had the object not been so already.
    #[must_use]
    pub fn wrote(&self) -> bool {
        let code = match self.fate {
            Fate::Answered(code) | Fate::Lost(code) => code,
            Fate::Postponed | Fate::Hanging => return false,
        };
        self.request.verb.writes() && code < 300
    }

    /// `Verb Kind name`, for messages and comparisons.
    #[must_use]
    pub fn words(&self) -> String {
        let Request { verb, kind, name, subresource, .. } = &self.request;
        let part = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
        format!("{verb:?} {} {name}{part}", kind.name())
    }
}
