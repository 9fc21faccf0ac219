//! The notifier: tells receivers over HTTP what happens to apps.
//!
//! ```text
//! versions of apps ──> memory ──> detect ──> queue ──> courier ──> exchange ──> receiver
//!                      baseline,  PURE       bounded   retries     one POST
//!                      ids                             format: the body
//! ```
//!
//! It runs as a process of its own (`bluegreen-operator notify`), which may list and watch apps and nothing else. Receivers come
//! from its configuration alone, never from an app. Each transition is told at most once: a message whose outcome is unknown is
//! not sent again.

pub mod config;
mod connect;
pub mod counts;
mod courier;
mod detect;
mod exchange;
mod filter;
mod format;
pub mod memory;
mod pace;
mod queue;
#[cfg(test)]
mod samples;
pub mod transition;
mod url;

pub use config::Config;
pub use counts::Counts;
pub use courier::{Couriers, Limits};
pub use memory::Memory;
pub use transition::{Kind, Transition};
