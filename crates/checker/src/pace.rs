//! When to measure.

use std::time::Duration;

use clap::Args;

/// How often and for how long to measure. Every check has these flags.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Measurements")]
pub struct Pace {
    /// Time before the first measurement, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=3600))]
    pub delay_seconds: u32,

    /// Time from the start of one measurement to the start of the next, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub period_seconds: u32,

    /// Longest time that one measurement may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub timeout_seconds: u32,

    /// Time from the start of the first measurement to the start of the last one, in seconds; 0: one measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=3600))]
    pub for_seconds: u32,

    /// Bad measurements that the check allows, if others are good
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub max_failures: u32,
}

impl Pace {
    /// The time before the first measurement.
    pub fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_seconds.into())
    }

    /// The longest time that one measurement may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    /// When the next measurement starts, if one just ended: both as times since the start of the first one. `None` if there is
    /// no next one. A measurement that took longer than the period skips those that it was in the way of: they are not
    /// made up for, because two close to each other say less than two apart.
    pub fn next(&self, ended: Duration) -> Option<Duration> {
        let period = u64::from(self.period_seconds.max(1));
        let next = (ended.as_secs() / period + 1).saturating_mul(period);
        (next <= self.for_seconds.into()).then(|| Duration::from_secs(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(period: u32, total: u32, each_takes: Duration) -> Vec<u64> {
        let pace = Pace {
            delay_seconds: 0,
            period_seconds: period,
            timeout_seconds: 1,
            for_seconds: total,
            max_failures: 0,
        };
        let mut at = Duration::ZERO;
        let mut starts = vec![0];
        while let Some(next) = pace.next(at + each_takes) {
            assert!(next > at);
            starts.push(next.as_secs());
            at = next;
        }
        starts
    }

    #[test]
    fn zero_seconds_are_one_measurement() {
        assert_eq!(starts(10, 0, Duration::ZERO), [0]);
    }

    #[test]
    fn the_last_measurement_starts_when_the_time_ends() {
        assert_eq!(starts(10, 30, Duration::from_millis(5)), [0, 10, 20, 30]);
        assert_eq!(starts(10, 29, Duration::from_millis(5)), [0, 10, 20]);
        assert_eq!(starts(60, 30, Duration::from_millis(5)), [0]);
    }

    #[test]
    fn a_slow_measurement_skips_those_that_it_was_in_the_way_of() {
        assert_eq!(starts(1, 6, Duration::from_millis(2500)), [0, 3, 6]);
        assert_eq!(starts(1, 3, Duration::from_secs(1)), [0, 2]);
    }
}
