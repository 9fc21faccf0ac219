//! What other suites use: how the peer's controller is had, and few numbers from many.

pub mod rollouts;
pub mod stats;
