//! Carries out actions: [`requests`] says what is sent, [`Writer`] sends it and tells what became of it.
//!
//! This is the only module that writes to the cluster.

mod outcome;
mod requests;
mod send;
#[cfg(test)]
mod tests;

pub use outcome::{Outcome, Refusal};
pub use requests::{Object, Only, Request, Target, Verb, requests};
pub use send::Writer;
