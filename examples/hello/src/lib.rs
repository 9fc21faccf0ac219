//! The sample app: a page that says which version, color and pod answered.
//!
//! Read it in the order in which a request meets it: [`config`] turns the environment into settings, [`serve`]
//! accepts connections and shuts them down without losing a request, [`routes`] answers, [`page`] draws, [`tally`] counts.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod config;
pub mod page;
pub mod routes;
pub mod serve;
pub mod tally;
