//! What is remembered of one app from one pass to the next. It is safe to lose: a new leader reads everything live and
//! fences before it acts.

use std::time::Duration;

use super::contest::Contest;
use super::failing::Failing;
use super::late::{Explanation, Late};
use super::overtaken::Overtaken;
use crate::apply::Failure;
use crate::drain::Drain;
use crate::observe::Versions;
use crate::plan::Observed;
use bluegreen_api::{Color, PerColor};

/// How long the watch caches may lag behind the last live read; then a live read replaces them.
const LAG: Duration = Duration::from_secs(1);

/// One app's memory; all times are uptimes.
#[derive(Debug, Default)]
pub struct Memory {
    /// Writes of unknown result in this term of leadership: part of the fencing token.
    pub attempt: u32,
    /// Since when the endpoints of the live color are as they should be.
    pub drain: Drain,
    /// The write that did not succeed last, until one succeeds or nothing is to be written.
    pub(super) failing: Option<Failing>,
    /// When a status that only counts pods was written last.
    pub(super) progress: Option<Duration>,
    /// The generation that another installation's operator has not reported, and since when.
    pub(super) yielding: Option<(i64, Duration)>,
    /// The writes that somebody may be reverting.
    pub(super) contest: Contest,
    /// The edits of somebody else that are about to be taken back.
    pub(super) overtaken: Overtaken,
    /// Failures in a row.
    failures: u32,
    late: PerColor<Option<Late>>,
    /// The resourceVersions of the last live read, and when that was. While the caches are older, a plan on them would
    /// only undo what was done since.
    latest: Option<(Versions, Duration)>,
}

impl Memory {
    /// Notes that a write got no clear answer: it may still be carried out, so everything is fenced anew before the next step.
    pub fn result_is_unknown(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
    }

    /// Returns the next pause, which grows from 100 ms to 30 s with every failure in a row.
    pub(super) fn back_off(&mut self) -> Duration {
        let wait = Duration::from_millis(100).saturating_mul(1 << self.failures.min(9));
        self.failures = self.failures.saturating_add(1);
        wait.min(Duration::from_secs(30))
    }

    /// Returns the failure that there is to tell of this generation.
    pub(super) fn failure(&self, generation: i64, uptime: Duration) -> Option<&Failure> {
        self.failing.as_ref().and_then(|failing| failing.told(generation, uptime))
    }

    /// Notes that what failed is tried again after this long, and not sooner because of a watch event.
    pub(super) fn try_again_in(&mut self, wait: Duration, uptime: Duration) {
        if let Some(failing) = &mut self.failing {
            failing.wait(wait, uptime);
        }
    }

    /// Notes a success: the next failure is the first in a row.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Notes the versions that a live read, or a write's answer, told.
    pub(super) fn saw(&mut self, versions: Versions, uptime: Duration) {
        self.latest = Some((versions, uptime));
    }

    /// Returns true if any object in the caches is older than the last live read.
    pub(super) fn is_ahead_of(&self, cached: &Versions) -> bool {
        self.latest.as_ref().is_some_and(|(latest, _)| cached.is_behind(latest))
    }

    /// How long to wait for caches that are behind. `None`: they are not, or have had their time.
    pub(super) fn give_time(&self, cached: &Versions, uptime: Duration) -> Option<Duration> {
        let (latest, at) = self.latest.as_ref()?;
        let left = LAG.checked_sub(uptime.saturating_sub(*at))?;
        (cached.is_behind(latest) && !left.is_zero()).then_some(left)
    }

    /// Notes which colors are late; returns those whose pods should be asked now.
    pub(super) fn update_late(&mut self, facts: &Observed, uptime: Duration) -> Vec<Color> {
        let mut due = Vec::new();
        for color in Color::ALL {
            let deployment = facts.colors.get(color).deployment.ours();
            let is_late =
                deployment.is_some_and(|d| d.available.min(d.updated) < d.replicas || d.deadline_exceeded);
            let slot = self.late.get_mut(color);
            if !is_late {
                *slot = None;
                continue;
            }
            let late = slot.get_or_insert_with(|| Late::begin(uptime));
            let passed_deadline = !late.was_asked() && deployment.is_some_and(|d| d.deadline_exceeded);
            if passed_deadline || late.ask_in(uptime).is_zero() {
                due.push(color);
            }
        }
        due
    }

    pub(super) fn explained(&mut self, color: Color, answer: &Explanation, uptime: Duration) {
        if let Some(late) = self.late.get_mut(color) {
            late.explained(answer, uptime);
        }
    }

    /// Why each color's pods are not ready, as far as it is known.
    pub(super) fn pods(&self) -> PerColor<Option<&str>> {
        PerColor::from_fn(|color| self.late.get(color).as_ref().and_then(Late::words))
    }

    /// How long until the pods of a late color should be asked (again).
    pub(super) fn ask_in(&self, uptime: Duration) -> Option<Duration> {
        [&self.late.blue, &self.late.green].into_iter().flatten().map(|late| late.ask_in(uptime)).min()
    }

    pub(super) fn explanation_is_due(&self, uptime: Duration) -> bool {
        self.ask_in(uptime).is_some_and(|wait| wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_that_lag_are_given_time_and_no_more_than_that() {
        let start = Duration::from_secs(100);
        let version = |version| Versions::default().with_app(Some(version));
        let mut memory = Memory::default();
        assert_eq!(memory.give_time(&version("1"), start), None, "nothing was read yet");
        memory.saw(version("2"), start);
        assert_eq!(memory.give_time(&version("1"), start + LAG / 4), Some(LAG * 3 / 4));
        assert_eq!(memory.give_time(&version("2"), start + LAG / 4), None, "it is as new");
        assert_eq!(memory.give_time(&version("1"), start + LAG), None, "its time is over");
        assert!(memory.is_ahead_of(&version("1")) && !memory.is_ahead_of(&version("2")));
    }

    #[test]
    fn back_off_grows_and_is_bounded() {
        let mut memory = Memory::default();
        let waits: Vec<_> = (0..20).map(|_| memory.back_off()).collect();
        assert!(waits.is_sorted());
        assert_eq!(waits.first(), Some(&Duration::from_millis(100)));
        assert_eq!(waits.last(), Some(&Duration::from_secs(30)));
        memory.succeeded();
        assert_eq!(memory.back_off(), Duration::from_millis(100));
    }
}
