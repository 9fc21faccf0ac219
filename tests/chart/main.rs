//! Is the chart what it says, are chart, `config/` and `dist/` the same operator, and does a real API server take it all?
//!
//! `helm.rs` runs the real Helm, `objects.rs` asks about what comes out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod agreement;
#[path = "../docs/blocks.rs"]
#[allow(dead_code)]
mod blocks;
mod helm;
mod objects;
mod refused;
mod server;
mod values;
