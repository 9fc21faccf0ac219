//! Do Helm, kubectl, Flux's rules and Argo CD see every app as it is?
//!
//! `rows.rs` names each state that an app can be in and what everybody who waits is told; `table.rs` brings real apps into
//! these states on a real API server and asks the real consumers. `states.yaml` keeps what was seen there, so that the Lua of
//! `examples/gitops` is also tried where there is no time for that: by a Lua 5.1 here, by Argo CD itself in `cli.rs`.
//! `story.rs` lets a real Argo CD deploy from a real Git repository, with traffic on. `bot.rs` lets a real Renovate write tags into one.
//!
//! `make gitops-test` runs everything; `make test` what takes a minute or so. `STATES=held,stable` runs these rows alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod application;
mod argo;
mod bot;
#[path = "../waits/check.rs"]
#[allow(dead_code)]
mod check;
mod cli;
mod document;
#[path = "../e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
mod helm;
mod kinds;
mod lua;
mod managers;
mod reach;
mod releases;
mod repository;
mod rows;
mod shell;
mod sizes;
mod stage;
mod states;
mod story;
mod table;
mod verdict;

use std::path::Path;

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a folder of the repository")
}

/// Whether there is time for everything.
fn full() -> bool {
    std::env::var("FULL").is_ok_and(|full| full == "1")
}
