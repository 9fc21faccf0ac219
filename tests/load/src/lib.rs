//! Open-loop load: requests start on schedule, whatever became of the earlier ones.
//!
//! A loop that waits for each answer before it asks again hides exactly what a switch between two versions may break:
//! while the server hangs it asks less, and the requests that users would have sent are never counted. Here every
//! request has an intended start, its latency counts from there, and a request that could not start in time is
//! reported as late.
//!
//! ```no_run
//! use bluegreen_load::{Client, Kind, Load, Plan};
//! use std::time::Duration;
//!
//! # async fn run() -> anyhow::Result<()> {
//! let load = Load::start(Plan {
//!     clients: vec![Client::fresh(200.0), Client::keep_alive(200.0), Client::long(2.0, Duration::from_secs(5))],
//!     ..Plan::new("10.200.0.2:30007".parse()?)
//! })?;
//! load.mark("switch patched");
//! tokio::time::sleep(Duration::from_secs(10)).await;
//! let report = load.stop().await?;
//! assert_eq!(report.total.failed(), 0, "{report}");
//! let after = report.after("switch patched").expect("marked above").kind(Kind::Fresh);
//! assert_eq!(after.count_started_later("blue", Duration::from_secs(2)), 0);
//! # Ok(())
//! # }
//! ```
//!
//! The modules in the order in which data flows: `plan` says what to send, `safety` whether that is allowed, `load`
//! keeps the schedule, `client` sends, `record` keeps what came back, `report` answers questions about it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod client;
mod load;
mod plan;
mod record;
mod report;
mod safety;
mod text;

pub use crate::{
    load::Load,
    plan::{Client, Kind, Plan},
    record::{Counts, Failure, Outcome, Request},
    report::{Latency, Mark, Report, Summary, Window},
};
