//! The proxy between a client of kube and an API server of a few lines: does each effect do what its name says?

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
mod requests;
mod watches;
