//! What was built: the same for the operator and for the command line.

/// Version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Source revision of this build: `BLUEGREEN_REVISION` at compile time.
pub const REVISION: &str = match option_env!("BLUEGREEN_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
