//! Blue-green operator.
