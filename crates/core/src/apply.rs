//! How actions are carried out: [`requests`] says what is sent, and [`Outcome`] what became of it. The operator sends.

mod outcome;
mod request;
mod requests;
mod take_over;

pub use outcome::{Failure, FailureKind, Outcome, answer, lost, silence};
pub use request::{Fallback, NO_SUCH_VERSION, Object, Only, Request, Verb};
pub use requests::{Target, requests};
