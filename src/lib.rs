//! Blue-green operator.
pub mod config;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod telemetry;
