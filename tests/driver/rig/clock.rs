//! The time of a test: Tokio's, which stands still until it is turned.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Lets time pass, on every clock.
pub async fn advance(time: Duration) {
    tokio::time::advance(time).await;
}

/// The monotonic time.
pub fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day.
pub fn timestamp() -> Timestamp {
    static START: OnceLock<(Instant, Timestamp)> = OnceLock::new();
    let (start, time) = START.get_or_init(|| (Instant::now(), Timestamp::now()));
    let now = instant();
    match now.checked_duration_since(*start) {
        Some(passed) => *time + passed,
        None => *time - start.duration_since(now),
    }
}
