//! Blue-green operator.
//!
//! One direction of data, one module a step:
//!
//! ```text
//! watch events ──> key ──> observe ──> Observed ──> plan ──> Plan ──> apply ──> status
//! controller      (queue)  stores +     plain      PURE     actions   the only   one write,
//!                          live reads   facts                         writer     if changed
//! ```

pub mod api;
pub mod apply;
pub mod client;
pub mod config;
pub mod controller;
pub mod desired;
pub mod drain;
pub mod events;
pub mod explain;
pub mod fence;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod observe;
pub mod pass;
pub mod plan;
pub mod reconcile;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod validate;
