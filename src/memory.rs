//! What the driver remembers of one app between two looks: nothing that would be missed after a crash.

use std::time::{Duration, Instant};

use crate::api::{Color, PerColor};
use crate::observe::{Endpoints, Held, Versions};

/// A write that the API server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The color that it was about; `None` for the live Service.
    pub color: Option<Color>,
    /// The API server's words.
    pub words: String,
}

/// A color whose pods are not all available.
#[derive(Clone, Debug)]
pub struct Late {
    /// Since when.
    pub since: Instant,
    /// Why, in words, once the pods were asked, and when that was.
    pub words: Option<(Option<String>, Instant)>,
}

impl Late {
    /// Pods that have just been made are not explained: most are ready a moment later.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// How old an explanation may be.
    const FRESH: Duration = Duration::from_secs(15);

    /// Begins now.
    pub fn begin(now: Instant) -> Self {
        Self { since: now, words: None }
    }

    /// How long until the pods should be asked (again); zero means now.
    pub fn ask_in(&self, now: Instant) -> Duration {
        let (start, wait) = match &self.words {
            Some((_, at)) => (*at, Self::FRESH),
            None => (self.since, Self::PATIENCE),
        };
        wait.saturating_sub(now.saturating_duration_since(start))
    }

    /// What is known.
    pub fn why(&self) -> Option<String> {
        self.words.as_ref().and_then(|(words, _)| words.clone())
    }
}

/// One app's memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// Writes of unknown result in this term: part of the fencing token.
    pub attempt: u32,
    /// What the API server refused last, until a write succeeds.
    pub refused: Option<Refusal>,
    /// Failures in a row, for the back-off.
    pub failures: u32,
    /// Each color whose pods are late.
    pub late: PerColor<Option<Late>>,
    /// When a status that only counts pods was written last.
    pub progress: Option<Instant>,
    /// What the last live look saw, and when: a store that is older would only show what we undid.
    pub latest: Option<(Versions, Instant)>,
    /// Since when another installation's operator was seen to leave this generation without a report.
    pub yielding: Option<(i64, Instant)>,
    drain: Option<Drain>,
}

/// How long a store may lag before it is asked for no longer: then a live look replaces it.
const LAG: Duration = Duration::from_secs(1);

/// Since when the endpoints of one live color are as they should be.
#[derive(Clone, Copy, Debug)]
struct Drain {
    color: Color,
    moved: Option<Instant>,
    cleared: Option<Instant>,
}

impl Memory {
    /// How long the endpoints have been so, for the color that is live now.
    pub fn held(&self, live: Option<Color>, now: Instant) -> Held {
        let since = |start: Option<Instant>| start.map(|start| now.saturating_duration_since(start));
        match self.drain {
            Some(drain) if Some(drain.color) == live => {
                Held { moved: since(drain.moved), cleared: since(drain.cleared) }
            }
            Some(_) | None => Held::default(),
        }
    }

    /// Takes note of the endpoints of the live color. A clock starts only at a live read, since a cached slice
    /// may be from before the switch; any look stops it.
    pub fn look(&mut self, color: Option<Color>, seen: Endpoints, live_read: bool, now: Instant) {
        let Some(color) = color else {
            self.drain = None;
            return;
        };
        let drain = self.drain.filter(|drain| drain.color == color);
        let mut drain = drain.unwrap_or(Drain { color, moved: None, cleared: None });
        let step = |clock: Option<Instant>, holds: bool| match (clock, holds) {
            (_, false) => None,
            (None, true) => live_read.then_some(now),
            (running, true) => running,
        };
        drain.moved = step(drain.moved, seen.moved);
        drain.cleared = step(drain.cleared, seen.cleared);
        self.drain = Some(drain);
    }

    /// A cached look saw the endpoints in place but only a live one may start the clock.
    pub fn wants_live_look(&self, color: Option<Color>, seen: Endpoints) -> bool {
        let held = self.held(color, Instant::now());
        color.is_some() && ((seen.moved && held.moved.is_none()) || (seen.cleared && held.cleared.is_none()))
    }

    /// Whether the stores are behind our own last look, and for how long to give them time. `None`: use them, or
    /// look live if they are still behind.
    pub fn give_time(&self, cached: &Versions, now: Instant) -> Option<Duration> {
        let (latest, at) = self.latest.as_ref()?;
        let left = LAG.checked_sub(now.saturating_duration_since(*at))?;
        (cached.is_behind(latest) && !left.is_zero()).then_some(left)
    }

    /// Whether the pods of a late color should be asked now.
    pub fn explanation_is_due(&self, now: Instant) -> bool {
        [&self.late.blue, &self.late.green].into_iter().flatten().any(|late| late.ask_in(now).is_zero())
    }

    /// Grows from 100 ms to 30 s with every failure in a row.
    pub fn back_off(&mut self) -> Duration {
        let wait = Duration::from_millis(100).saturating_mul(1 << self.failures.min(9));
        self.failures = self.failures.saturating_add(1);
        wait.min(Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Endpoints = Endpoints { moved: true, cleared: true };
    const LOST: Endpoints = Endpoints { moved: false, cleared: true };

    #[test]
    fn a_cached_look_never_starts_the_drain_clock() {
        let mut memory = Memory::default();
        memory.look(Some(Color::Green), HERE, false, Instant::now());
        assert_eq!(memory.held(Some(Color::Green), Instant::now()), Held::default());
        assert!(memory.wants_live_look(Some(Color::Green), HERE));
    }

    #[test]
    fn any_look_stops_it() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        memory.look(Some(Color::Green), HERE, true, start);
        let later = start + Duration::from_secs(5);
        assert_eq!(memory.held(Some(Color::Green), later).moved, Some(Duration::from_secs(5)));
        memory.look(Some(Color::Green), LOST, false, later);
        assert_eq!(memory.held(Some(Color::Green), later).moved, None);
    }

    #[test]
    fn a_clock_that_runs_goes_on_at_every_look() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        memory.look(Some(Color::Green), HERE, true, start);
        memory.look(Some(Color::Green), HERE, false, at(2));
        memory.look(Some(Color::Green), HERE, true, at(4));
        let all = Some(Duration::from_secs(5));
        assert_eq!(memory.held(Some(Color::Green), at(5)), Held { moved: all, cleared: all });
    }

    #[test]
    fn the_clock_of_a_color_that_was_left_says_nothing_about_the_next() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        memory.look(Some(Color::Green), HERE, true, start);
        memory.look(Some(Color::Blue), HERE, true, start + Duration::from_secs(3));
        let held = memory.held(Some(Color::Blue), start + Duration::from_secs(4));
        assert_eq!(held.moved, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_live_look_is_wanted_only_for_a_clock_that_could_start() {
        let color = Some(Color::Green);
        let mut memory = Memory::default();
        assert!(!memory.wants_live_look(None, HERE), "nothing is live");
        assert!(!memory.wants_live_look(color, Endpoints { moved: false, cleared: false }), "nothing moved");
        assert!(memory.wants_live_look(color, LOST), "one of the two is enough");
        memory.look(color, LOST, true, Instant::now());
        assert!(!memory.wants_live_look(color, LOST), "that clock runs");
        assert!(memory.wants_live_look(color, HERE), "the other one does not");
        memory.look(color, HERE, true, Instant::now());
        assert!(!memory.wants_live_look(color, HERE), "both run");
    }

    #[test]
    fn pods_that_are_late_are_asked_after_some_patience_and_not_too_often() {
        let start = Instant::now();
        let mut late = Late::begin(start);
        assert_eq!(late.ask_in(start), Late::PATIENCE);
        assert_eq!(late.ask_in(start + Late::PATIENCE), Duration::ZERO);
        assert_eq!(late.why(), None);
        late.words = Some((Some("no image".to_owned()), start + Late::PATIENCE));
        assert_eq!(late.ask_in(start + Late::PATIENCE), Late::FRESH);
        assert_eq!(late.why().as_deref(), Some("no image"));
    }

    #[test]
    fn stores_that_lag_are_given_time_and_no_more_than_that() {
        let start = Instant::now();
        let version = |version| Versions::default().with_app(Some(version));
        let mut memory = Memory::default();
        assert_eq!(memory.give_time(&version("1"), start), None, "nothing was looked at yet");
        memory.latest = Some((version("2"), start));
        assert_eq!(memory.give_time(&version("1"), start + LAG / 4), Some(LAG * 3 / 4));
        assert_eq!(memory.give_time(&version("2"), start + LAG / 4), None, "it is as new");
        assert_eq!(memory.give_time(&version("1"), start + LAG), None, "its time is over");
    }

    #[test]
    fn an_explanation_is_due_when_that_of_either_color_is() {
        let start = Instant::now();
        let mut memory = Memory::default();
        assert!(!memory.explanation_is_due(start));
        memory.late.green = Some(Late::begin(start));
        assert!(!memory.explanation_is_due(start));
        assert!(memory.explanation_is_due(start + Late::PATIENCE));
    }

    #[test]
    fn the_clock_belongs_to_one_color() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        memory.look(Some(Color::Green), HERE, true, start);
        assert_eq!(memory.held(Some(Color::Blue), start + Duration::from_secs(60)).moved, None);
    }

    #[test]
    fn back_off_grows_and_is_bounded() {
        let mut memory = Memory::default();
        let waits: Vec<_> = (0..20).map(|_| memory.back_off()).collect();
        assert!(waits.is_sorted());
        assert_eq!(waits.first(), Some(&Duration::from_millis(100)));
        assert_eq!(waits.last(), Some(&Duration::from_secs(30)));
    }
}
