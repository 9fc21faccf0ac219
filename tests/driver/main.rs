//! What does the operator do? The real `reconcile()`, pass by pass, on an API server in memory.
//!
//! Nothing here waits: a test makes a pass, lets the controllers take a step, and turns the clock. What Kubernetes itself
//! does is asked in `tests/e2e`, on a real API server.
//!
//! | file | asks about |
//! |---|---|
//! | `rig` | one operator and one app, and what a test does with them |
//! | `activation` | from nothing to an app that serves |
//! | `announcement` | the report that comes before a switch |
//! | `checks` | tests that gate a switch, and a switch that takes itself back |
//! | `common` | labels and annotations for all children |
//! | `conflicts` | names that somebody else uses already |
//! | `drains` | the time after a switch |
//! | `edits` | what each edit of the spec means |
//! | `healing` | what people do to children by hand |
//! | `health` | whether what serves is called healthy |
//! | `looks` | what is read to confirm a switch |
//! | `midway` | what happens while a target rolls |
//! | `operators` | the operator ends, or there are two, or a result is unknown |
//! | `ports` | more ports than one |
//! | `poison` | objects that hold what the operator can't read |
//! | `preview` | the Service of the idle color |
//! | `published` | Events and metrics |
//! | `quiet` | an app at rest: no writes |
//! | `reads` | what is read, and how often |
//! | `refusals` | what the API server does not take |
//! | `sizes` | how many pods each color has |
//! | `stalls` | what is called stalled |
//! | `switching` | from one color to the other |
//! | `failures` | writes that the cluster does not carry out: webhooks, lost answers, overload |
//! | `templates` | what becomes of `spec.template` |
//! | `told` | conditions and Events: what a person is told |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod activation;
mod announcement;
mod checks;
mod common;
mod conflicts;
mod drains;
mod edits;
mod failures;
mod fights;
mod healing;
mod health;
mod looks;
mod midway;
mod operators;
mod poison;
mod ports;
mod preview;
mod published;
mod quiet;
mod reads;
mod refusals;
#[allow(dead_code)]
mod rig;
mod sizes;
mod stalls;
mod switching;
mod templates;
mod told;
