//! One check: wait, measure, conclude.

use tokio::time::{Instant, sleep, sleep_until};

use crate::args::Check;
use crate::http::Http;
use crate::pace::Pace;
use crate::prometheus::Prometheus;
use crate::verdict::{Conclusion, Measurement, Tally};
use crate::words::{LONGEST, one_line};

/// Runs a check to its end. `told` gets a line for each measurement, if there are several.
///
/// # Errors
/// The check can't be run: the flags contradict each other, or a file can't be read.
pub async fn run(
    check: Check,
    variable: impl Fn(&str) -> Option<String>,
    told: impl FnMut(&str),
) -> Result<Conclusion, String> {
    let pace = check.pace().clone();
    match check {
        Check::Http(args) => {
            let mut http = Http::new(*args)?;
            Ok(repeat(&pace, async || http.measure().await, told).await)
        }
        Check::Prometheus(args) => {
            let mut prometheus = Prometheus::new(*args, variable)?;
            Ok(repeat(&pace, async || prometheus.measure().await, told).await)
        }
    }
}

/// Does all that comes before the first measurement.
///
/// # Errors
/// As told by [`run`].
pub fn prepare(check: Check, variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    match check {
        Check::Http(args) => Http::new(*args).map(drop),
        Check::Prometheus(args) => Prometheus::new(*args, variable).map(drop),
    }
}

/// Measures as often as `pace` says, or until the verdict is certain.
async fn repeat(
    pace: &Pace,
    mut measure: impl AsyncFnMut() -> Measurement,
    mut told: impl FnMut(&str),
) -> Conclusion {
    sleep(pace.delay()).await;
    let start = Instant::now();
    let mut tally = Tally::new(pace.max_failures);
    loop {
        let measurement = measure().await;
        if pace.for_seconds > 0 {
            told(&one_line(&format!("{}: {}", measurement.finding, measurement.words), LONGEST));
        }
        if let Some(certain) = tally.record(measurement) {
            return certain;
        }
        match pace.next(start.elapsed()) {
            Some(next) => sleep_until(start + next).await,
            None => return tally.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    /// A check of at most three measurements, the first of which finds `first`.
    async fn ended(first: fn(&'static str) -> Measurement) -> (Conclusion, Vec<String>) {
        let pace =
            Pace { delay_seconds: 0, period_seconds: 1, timeout_seconds: 1, for_seconds: 2, max_failures: 0 };
        let (mut count, mut told) = (0, Vec::new());
        let measure = async || {
            count += 1;
            if count == 1 { first("first") } else { Measurement::good("later") }
        };
        let conclusion = repeat(&pace, measure, |line| told.push(line.to_owned())).await;
        (conclusion, told)
    }

    #[tokio::test]
    async fn it_measures_until_the_time_ends() {
        let (conclusion, told) = ended(Measurement::unknown).await;
        assert_eq!(conclusion.verdict, Verdict::Passed);
        assert_eq!(told, ["unknown: first", "good: later", "good: later"]);
    }

    #[tokio::test]
    async fn it_ends_as_soon_as_the_verdict_is_certain() {
        let (conclusion, told) = ended(Measurement::bad).await;
        assert_eq!(conclusion.verdict, Verdict::Failed);
        assert_eq!(told, ["bad: first"]);
    }
}
