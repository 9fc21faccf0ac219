//! From measurements to a verdict, without a clock or a network.
//!
//! Three findings keep apart what the app answered and what nobody knows. Only a measurement that reached the app, or that
//! Prometheus answered with one number, says anything about the app. Everything else is [`Finding::Unknown`], which never
//! makes a check pass and never makes it fail.

use std::fmt;

/// What one measurement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// As the check wants it.
    Good,
    /// Not as the check wants it.
    Bad,
    /// The measurement says nothing about the app.
    Unknown,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        })
    }
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// What it says.
    pub finding: Finding,
    /// What was measured, for people.
    pub words: String,
}

impl Measurement {
    /// A measurement of an app that is as the check wants it.
    pub fn good(words: impl Into<String>) -> Self {
        Self { finding: Finding::Good, words: words.into() }
    }

    /// A measurement of an app that is not as the check wants it.
    pub fn bad(words: impl Into<String>) -> Self {
        Self { finding: Finding::Bad, words: words.into() }
    }

    /// A measurement of which nobody knows whether it is good or bad.
    pub fn unknown(words: impl Into<String>) -> Self {
        Self { finding: Finding::Unknown, words: words.into() }
    }
}

/// What the check says of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The app is as the check wants it.
    Passed,
    /// The app is not as the check wants it.
    Failed,
    /// The measurements don't show which of the two it is.
    CantTell,
}

/// A verdict and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// The verdict.
    pub verdict: Verdict,
    /// The measurement that decided, for people.
    pub words: String,
    /// How many measurements there were of which kind. Empty if there was only one.
    pub counts: String,
}

/// The measurements so far.
#[derive(Clone, Debug)]
pub struct Tally {
    max_failures: u32,
    good: u32,
    bad: u32,
    unknown: u32,
    last_good_or_bad: Option<Measurement>,
    last_unknown: Option<String>,
}

impl Tally {
    /// Starts a tally without measurements. More than `max_failures` bad ones make the check fail.
    pub fn new(max_failures: u32) -> Self {
        Self { max_failures, good: 0, bad: 0, unknown: 0, last_good_or_bad: None, last_unknown: None }
    }

    /// Counts a measurement; returns the verdict, if no later measurement can change it: there are too many bad ones.
    pub fn record(&mut self, measurement: Measurement) -> Option<Conclusion> {
        match measurement.finding {
            Finding::Good => self.good = self.good.saturating_add(1),
            Finding::Bad => self.bad = self.bad.saturating_add(1),
            Finding::Unknown => self.unknown = self.unknown.saturating_add(1),
        }
        if measurement.finding == Finding::Unknown {
            self.last_unknown = Some(measurement.words);
        } else {
            self.last_good_or_bad = Some(measurement);
        }
        (self.bad > self.max_failures).then(|| self.finish())
    }

    /// The verdict after the last measurement.
    ///
    /// - Failed: more bad measurements than `max_failures`; or not a single good one, although at least half were good or bad.
    ///   The second rule is for a check with one measurement, or with fewer than `max_failures`.
    /// - Passed: the last measurement that was good or bad was good, and at least half were good or bad.
    /// - Can't tell: everything else. A check that ends with a bad measurement, but with no more than `max_failures`, has
    ///   shown neither that the app is bad (the user allows that many) nor that it is good. The Job tries again.
    pub fn finish(&self) -> Conclusion {
        let measured = u64::from(self.good) + u64::from(self.bad);
        let all = measured + u64::from(self.unknown);
        let enough = measured > 0 && measured * 2 >= all;
        let bad = format!("{} of {all} measurements were bad", self.bad);
        let (verdict, counts) = if self.bad > self.max_failures {
            (Verdict::Failed, format!("{bad}, and maxFailures is {}", self.max_failures))
        } else if !enough {
            let words = format!(
                "{} of {all} measurements were neither good nor bad, and at most half may be",
                self.unknown
            );
            (Verdict::CantTell, words)
        } else if self.good == 0 {
            (Verdict::Failed, format!("{bad}, and none was good"))
        } else if self.last_good_or_bad.as_ref().is_some_and(|last| last.finding == Finding::Good) {
            (Verdict::Passed, format!("{} of {all} measurements were good", self.good))
        } else {
            let words = format!("{bad}, the last one among them, but maxFailures is {}", self.max_failures);
            (Verdict::CantTell, words)
        };
        let last = self.last_good_or_bad.as_ref().map(|last| last.words.clone());
        let words = if enough || verdict == Verdict::Failed { last } else { self.last_unknown.clone() };
        Conclusion {
            verdict,
            words: words.unwrap_or_else(|| "nothing was measured".to_owned()),
            counts: if all > 1 { counts } else { String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use Finding::{Bad, Good, Unknown};
    use proptest::prelude::*;

    use super::*;

    /// The conclusion as the program draws it, and after how many measurements.
    fn judge(findings: &[Finding], max_failures: u32) -> (Conclusion, usize) {
        let mut tally = Tally::new(max_failures);
        for (index, finding) in findings.iter().enumerate() {
            let measurement = Measurement { finding: *finding, words: format!("{finding} {index}") };
            if let Some(conclusion) = tally.record(measurement) {
                return (conclusion, index + 1);
            }
        }
        (tally.finish(), findings.len())
    }

    fn verdict(findings: &[Finding], max_failures: u32) -> Verdict {
        judge(findings, max_failures).0.verdict
    }

    #[test]
    fn one_measurement_decides_alone_whatever_max_failures_is() {
        for max_failures in [0, 1, 9] {
            assert_eq!(verdict(&[Good], max_failures), Verdict::Passed);
            assert_eq!(verdict(&[Bad], max_failures), Verdict::Failed);
            assert_eq!(verdict(&[Unknown], max_failures), Verdict::CantTell);
        }
    }

    #[test]
    fn nothing_measured_is_no_verdict() {
        assert_eq!(verdict(&[], 0), Verdict::CantTell);
    }

    #[test]
    fn the_first_bad_one_too_many_ends_the_check() {
        let (conclusion, after) = judge(&[Good, Bad, Good, Bad, Bad, Good, Good], 2);
        assert_eq!((conclusion.verdict, after), (Verdict::Failed, 5));
        assert_eq!(conclusion.words, "bad 4");
        assert_eq!(conclusion.counts, "3 of 5 measurements were bad, and maxFailures is 2");
    }

    #[test]
    fn bad_ones_within_the_limit_are_forgiven_if_a_good_one_follows() {
        assert_eq!(verdict(&[Bad, Good, Bad, Good], 2), Verdict::Passed);
        assert_eq!(verdict(&[Bad, Good, Bad, Good, Unknown], 2), Verdict::Passed);
    }

    #[test]
    fn a_bad_one_at_the_end_within_the_limit_says_neither() {
        let (conclusion, _) = judge(&[Good, Good, Bad], 1);
        assert_eq!(conclusion.verdict, Verdict::CantTell);
        assert_eq!(conclusion.words, "bad 2");
        assert_eq!(verdict(&[Good, Good, Bad, Unknown], 1), Verdict::CantTell);
    }

    #[test]
    fn only_bad_ones_fail_even_if_there_are_no_more_than_the_limit() {
        assert_eq!(verdict(&[Bad, Bad], 5), Verdict::Failed);
        assert_eq!(verdict(&[Bad, Unknown], 5), Verdict::Failed);
        assert_eq!(verdict(&[Bad, Unknown, Unknown], 5), Verdict::CantTell);
    }

    #[test]
    fn half_of_the_measurements_must_say_something() {
        assert_eq!(verdict(&[Good, Unknown], 0), Verdict::Passed);
        let (conclusion, _) = judge(&[Good, Unknown, Unknown], 0);
        assert_eq!(conclusion.verdict, Verdict::CantTell);
        assert_eq!(conclusion.words, "unknown 2");
        assert_eq!(
            conclusion.counts,
            "2 of 3 measurements were neither good nor bad, and at most half may be"
        );
    }

    fn findings() -> impl Strategy<Value = Vec<Finding>> {
        proptest::collection::vec(prop_oneof![Just(Good), Just(Bad), Just(Unknown)], 0..40)
    }

    proptest! {
        #[test]
        fn a_pass_and_a_failure_have_what_they_need(findings in findings(), max_failures in 0u32..6) {
            let (conclusion, after) = judge(&findings, max_failures);
            let seen = findings.get(..after).unwrap();
            let count = |finding| seen.iter().filter(|one| **one == finding).count();
            let enough = count(Good) + count(Bad) >= count(Unknown) && count(Good) + count(Bad) > 0;
            let over = count(Bad) > usize::try_from(max_failures).unwrap();
            let last = seen.iter().rev().find(|finding| **finding != Unknown);
            let passed = enough && !over && last == Some(&Good);
            let failed = over || enough && count(Good) == 0;
            prop_assert_eq!(conclusion.verdict == Verdict::Passed, passed);
            prop_assert_eq!(conclusion.verdict == Verdict::Failed, failed);
        }

        #[test]
        fn what_nobody_knows_never_decides(count in 0usize..40, max_failures in 0u32..6) {
            prop_assert_eq!(verdict(&vec![Unknown; count], max_failures), Verdict::CantTell);
        }

        #[test]
        fn a_worse_measurement_never_gives_a_better_verdict(
            findings in findings(), at in any::<proptest::sample::Index>(), max_failures in 0u32..6,
        ) {
            prop_assume!(findings.contains(&Good));
            let goods: Vec<_> = (0..findings.len()).filter(|index| findings.get(*index) == Some(&Good)).collect();
            let mut worse = findings.clone();
            *worse.get_mut(*at.get(&goods)).unwrap() = Bad;
            let rank = |verdict| match verdict {
                Verdict::Failed => 0,
                Verdict::CantTell => 1,
                Verdict::Passed => 2,
            };
            prop_assert!(rank(verdict(&worse, max_failures)) <= rank(verdict(&findings, max_failures)));
        }

        #[test]
        fn a_failure_does_not_depend_on_what_was_not_measured(findings in findings(), rest in findings(), max_failures in 0u32..6) {
            let (conclusion, after) = judge(&findings, max_failures);
            prop_assume!(after < findings.len());
            let longer = [findings.get(..after).unwrap(), &rest].concat();
            prop_assert_eq!(judge(&longer, max_failures), (conclusion, after));
        }
    }
}
