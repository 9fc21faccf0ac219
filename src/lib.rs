//! Blue-green operator.

pub mod api;
pub mod desired;
pub mod validate;
