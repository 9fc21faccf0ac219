//! The operator: watches, reads, sends and reports. What to do is decided in `bluegreen-core`.
//!
//! ```text
//! watch events ──> stores ──> queue ──> pass ──> read, send, report ──> wait
//! controller       stores     kube's    core     reconcile carries them out
//! ```

pub mod config;
pub mod controller;
pub mod events;
pub mod health;
pub mod hidden;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod notify;
pub mod own_image;
pub mod process;
pub mod reconcile;
pub mod send;
pub mod shutdown;
pub mod stores;
pub mod telemetry;
