//! How actions are carried out: [`requests`] says what is sent, and [`Outcome`] what became of it. The operator sends.

mod outcome;
mod requests;

pub use outcome::{Failure, FailureKind, Outcome, answer, lost, silence};
pub use requests::{Fallback, NO_SUCH_VERSION, Object, Only, Request, Target, Verb, requests};
