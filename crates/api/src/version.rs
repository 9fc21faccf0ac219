//! What was built: the same for the operator and for the command line.

/// Version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
