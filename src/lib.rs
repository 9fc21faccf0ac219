//! Blue-green operator.
pub mod leader;
