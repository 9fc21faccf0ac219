//! What does the operator do? The real `reconcile()`, pass by pass, on an API server in memory.
//!
//! Nothing here waits: a test makes a pass, lets the controllers take a step, and turns the clock. What Kubernetes itself
//! does is asked in `tests/e2e`, on a real API server.
//!
//! | file | asks about |
//! |---|---|
//! | `rig` | one operator and one app, and what a test does with them |
//! | `activation` | from nothing to an app that serves |
//! | `bounds` | answers that say no |
//! | `quiet` | an app at rest: no writes |
//! | `told` | conditions and Events: what a person is told |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod activation;
mod bounds;
mod quiet;
#[allow(dead_code)]
mod rig;
mod told;
