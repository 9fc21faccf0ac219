//! Few numbers from many.

use std::fmt;
use std::time::Duration;

/// Durations of one kind.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<Duration>);

impl FromIterator<Duration> for Sample {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut all: Vec<_> = durations.into_iter().collect();
        all.sort();
        Self(all)
    }
}

impl Sample {
    /// The value below which this share of all lies.
    pub fn quantile(&self, share: f64) -> Duration {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "few"
        )]
        let index = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(index.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// Median, ninth decile and the worst, in milliseconds; a dash where there is none.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "–");
        }
        let ms = |share| self.quantile(share).as_secs_f64() * 1000.0;
        write!(f, "{:.1} ms, p90 {:.1}, max {:.1} (n = {})", ms(0.5), ms(0.9), ms(1.0), self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sample: Sample = (1..=10).rev().map(Duration::from_millis).collect();
        assert_eq!(sample.quantile(0.5), Duration::from_millis(5));
        assert_eq!(sample.quantile(0.9), Duration::from_millis(9));
        assert_eq!(sample.quantile(1.0), Duration::from_millis(10));
        assert_eq!(Sample::default().quantile(0.5), Duration::ZERO);
        assert_eq!(Sample::default().to_string(), "–");
    }
}
