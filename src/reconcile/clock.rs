//! The driver's clock, which a test may turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use bluegreen_core::pass::Now;

/// Tells the time of this process.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    /// For tests: the time stands still at this start, and goes by this many milliseconds only when it is turned.
    turned: Option<(Timestamp, Arc<AtomicU64>)>,
}

impl Default for Clock {
    /// The real time.
    fn default() -> Self {
        Self { start: Instant::now(), turned: None }
    }
}

impl Clock {
    /// A clock that stands still until it is turned.
    pub fn standing_at(wall: Timestamp) -> Self {
        Self { start: Instant::now(), turned: Some((wall, Arc::default())) }
    }

    /// Turns a standing clock, and all its copies, forward. Millisecond resolution.
    pub fn turn(&self, by: Duration) {
        if let Some((_, turned)) = &self.turned {
            turned.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// The time.
    pub fn now(&self) -> Now {
        match &self.turned {
            None => Now { uptime: self.start.elapsed(), wall: Timestamp::now() },
            Some((start, turned)) => {
                let uptime = Duration::from_millis(turned.load(Ordering::SeqCst));
                Now { uptime, wall: start.checked_add(uptime).unwrap_or(*start) }
            }
        }
    }
}
