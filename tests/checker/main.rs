//! What does the program of a check's Job say of a real Prometheus, and does it run in the operator's image?
//!
//! `answers.rs` and `outages.rs` ask a real Prometheus that scrapes an exporter of the test. `process.rs` is about the process: exit
//! codes, signals, the environment. `image.rs` runs the image's own program in its own root, where there is nothing else: no
//! libc, no resolver, no list of CAs. It needs `make image` and root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answers;
mod image;
mod outages;
mod process;
mod program;
mod rig;
