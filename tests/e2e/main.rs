//! The operator as a process, on a real API server with simulated nodes: one file per group of questions.
//!
//! Every test has a namespace and an operator of its own (see `harness`), and a guard that watches everything
//! from outside and checks at the end that no instant broke a promise. Tests mostly wait, so more threads than
//! cores pay off: `cargo test -p bluegreen-suites --test e2e -- --test-threads 6`. `QUIET_SECONDS` and `APPS` make the
//! test of quiet times longer and larger.

// Some of it is for the other test programs that use it.
#[allow(dead_code)]
mod harness;

mod apps;
mod at_rest;
mod checks;
mod common;
mod conflicts;
mod contested;
mod covers;
mod edits;
mod escalation;
mod failure;
mod fights;
mod healing;
mod hpa;
mod input;
mod kustomize;
mod late;
mod lists;
mod namespaces;
mod notify;
mod pdb;
mod policy;
mod ports;
mod preview;
mod processes;
mod pull;
mod ratcheting;
mod recipes;
mod rights;
mod service;
mod switching;
mod teeth;
mod tls;
mod traffic;
mod unwritable;
mod version;
mod words;
