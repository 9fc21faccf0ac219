//! Blue-green operator.

pub mod api;
pub mod config;
pub mod desired;
pub mod explain;
pub mod fence;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod status;
pub mod telemetry;
pub mod validate;
