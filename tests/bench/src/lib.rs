//! What other suites use: how the peers' controllers are had, and few numbers from many.

pub mod peer;
pub mod stats;
