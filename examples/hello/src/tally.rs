//! Counts the requests for the page, and decides which of them fail where the app is told to be a bad version.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many requests were answered, and how many of these with an error.
#[derive(Debug)]
pub struct Tally {
    fail_percent: u64,
    requests: AtomicU64,
}

impl Tally {
    /// Nothing was asked yet; `fail_percent` of a hundred requests are to fail.
    #[must_use]
    pub fn new(fail_percent: u8) -> Self {
        Self { fail_percent: fail_percent.into(), requests: AtomicU64::new(0) }
    }

    /// Counts one more request; true if it is to fail. Not by chance, so that a test can tell the number of failures.
    pub fn fails(&self) -> bool {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        self.failed(before + 1) > self.failed(before)
    }

    /// How many of the first requests fail.
    fn failed(&self, requests: u64) -> u64 {
        requests * self.fail_percent / 100
    }

    /// The counters in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self, version: &str, color: &str) -> String {
        let requests = self.requests.load(Ordering::Relaxed);
        let failed = self.failed(requests);
        let line = |code: u16, count: u64| {
            let [version, color] = [version, color].map(escaped);
            format!(
                "hello_requests_total{{version=\"{version}\",color=\"{color}\",code=\"{code}\"}} {count}\n"
            )
        };
        let [good, bad] = [line(200, requests - failed), line(500, failed)];
        format!(
            "# HELP hello_requests_total Requests for the page, by the status of the answer.\n\
             # TYPE hello_requests_total counter\n{good}{bad}"
        )
    }
}

/// A label's value as the text format wants it; line breaks are no part of the settings.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_requests_fail() {
        for (percent, expected) in [(0, 0), (5, 50), (33, 330), (100, 1000)] {
            let tally = Tally::new(percent);
            let failed = (0..1000).filter(|_| tally.fails()).count();
            assert_eq!(failed, expected, "{percent} %");
            let metrics = tally.metrics("v1", "blue");
            assert!(metrics.contains(&format!("code=\"500\"}} {expected}\n")), "{metrics}");
            assert!(metrics.contains(&format!("code=\"200\"}} {}\n", 1000 - expected)), "{metrics}");
        }
    }

    #[test]
    fn do_failures_come_one_by_one() {
        let tally = Tally::new(5);
        let failed: Vec<usize> = (1..=60).filter(|_| tally.fails()).collect();
        assert_eq!(failed, [20, 40, 60]);
    }

    #[test]
    fn can_a_setting_break_the_format() {
        assert!(Tally::new(0).metrics(r#"v"1\"#, "blue").contains(r#"version="v\"1\\","#));
    }
}
