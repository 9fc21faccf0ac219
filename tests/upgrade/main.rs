//! Does an operator take over from the release before it, and back, in the middle of anything, without touching a pod?
//!
//! `recorded` meets what the older release left in the cluster, from files: it needs nothing but this checkout. `both` runs
//! the two programs one after the other, and has to build the older one: `make upgrade-test`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}

mod both;
mod files;
mod moments;
mod recorded;

pub use e2e::harness;
