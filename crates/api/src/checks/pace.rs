//! When and how often the short forms of checks measure, with their defaults.

use super::CheckTime;

/// When and how often a short form measures, as the spec says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// `delaySeconds`.
    pub delay_seconds: Option<i32>,
    /// `periodSeconds`.
    pub period_seconds: Option<i32>,
    /// `timeoutSeconds`.
    pub timeout_seconds: Option<i32>,
    /// `forSeconds`.
    pub for_seconds: Option<i32>,
    /// `maxFailures`.
    pub max_failures: Option<i32>,
}

impl Pace {
    /// Seconds before the first measurement.
    #[must_use]
    pub fn delay(&self, when: CheckTime) -> i32 {
        let default = match when {
            CheckTime::Before => 0,
            CheckTime::After => 10,
        };
        self.delay_seconds.unwrap_or(default)
    }

    /// Seconds between measurements.
    #[must_use]
    pub fn period(&self) -> i32 {
        self.period_seconds.unwrap_or(10)
    }

    /// Seconds after which one measurement is over.
    #[must_use]
    pub fn timeout(&self) -> i32 {
        self.timeout_seconds.unwrap_or(1)
    }

    /// Seconds for which it is measured.
    #[must_use]
    pub fn lasts(&self, when: CheckTime) -> i32 {
        let default = match when {
            CheckTime::Before => 0,
            CheckTime::After => 10,
        };
        self.for_seconds.unwrap_or(default)
    }

    /// Measurements that may be bad.
    #[must_use]
    pub fn tolerated(&self) -> i32 {
        self.max_failures.unwrap_or(0)
    }
}
