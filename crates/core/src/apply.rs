//! How actions are carried out: [`requests`] says what is sent, and [`Outcome`] what became of it. The operator sends.

mod outcome;
mod requests;

pub use outcome::{Outcome, Refusal, answer};
pub use requests::{NO_SUCH_VERSION, Object, Only, Request, Target, Verb, requests};
