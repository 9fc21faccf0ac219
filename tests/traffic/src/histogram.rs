//! Latencies that can be written to a file and added up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Steps between one power of two and the next.
const STEPS: f64 = 32.0;

/// How often which latency was seen, each to within about one percent. In JSON a map from a step of the scale to a count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies(BTreeMap<i32, u64>);

impl Latencies {
    /// One more.
    #[allow(clippy::cast_possible_truncation, reason = "a logarithm of a number of microseconds is small")]
    pub fn add(&mut self, latency: Duration) {
        let micros = (latency.as_secs_f64() * 1e6).max(1.0);
        *self.0.entry((micros.log2() * STEPS).round() as i32).or_default() += 1;
    }

    /// All of the other's, too.
    pub fn extend(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            *self.0.entry(*step).or_default() += count;
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The latency that `share` of all do not exceed; `None` where there are none.
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn at(&self, share: f64) -> Option<Duration> {
        let wanted = share * self.count() as f64;
        let mut sum = 0;
        let found = self.0.iter().find(|(_, count)| {
            sum += **count;
            sum as f64 >= wanted
        });
        found.map(|(step, _)| Duration::from_secs_f64((f64::from(*step) / STEPS).exp2() / 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn do_latencies_survive_the_file_and_add_up() {
        let mut one = Latencies::default();
        for millis in 1..=100 {
            one.add(Duration::from_millis(millis));
        }
        let text = serde_json::to_string(&one).unwrap();
        let mut sum: Latencies = serde_json::from_str(&text).unwrap();
        assert_eq!(sum, one);
        sum.extend(&one);
        assert_eq!(sum.count(), 200);
        for (share, millis) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let found = sum.at(share).unwrap().as_secs_f64() * 1e3;
            assert!((found / millis - 1.0).abs() < 0.012, "{share}: {found} and not {millis}");
        }
        assert_eq!(Latencies::default().at(0.5), None);
    }
}
