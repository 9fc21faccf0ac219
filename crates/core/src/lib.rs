//! What the operator decides: pure functions, without a client, a clock or a runtime.
//!
//! ```text
//! objects ──> observe ──> facts ──> plan ──> actions ──> apply::requests ──> requests
//!                                    │
//!                                    └─────> status ──> the status and its Events
//! ```
//!
//! [`pass`] is the state machine that puts these together: it says what to read, what to send, what to report and when to
//! look again. The operator carries that out; the exhaustive model, the property tests and `kubectl bluegreen plan` run the
//! same functions.
// A new state, action or outcome is to be thought of wherever one is told apart from others. Tests may pick what they ask for.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod app_observer;
pub mod apply;
pub mod desired;
pub mod drain;
pub mod explain;
pub mod fence;
pub mod harmless;
pub mod observe;
pub mod pass;
pub mod plan;
pub mod status;
pub mod text;
pub mod validate;

pub use app_observer::AppObserver;
