//! The drain's clocks: since when the endpoints of the live color have been as they should be after a switch.

use std::time::Duration;

use bluegreen_api::Color;

/// What the live Service's EndpointSlices show about a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// They hold only the live color's pods, and at least one that is ready: they have followed the switch. How many pods
    /// there are is no question of the drain, or a size that moves would hold it up.
    pub moved: bool,
    /// They hold no pod that is not the live color's.
    pub cleared: bool,
}

/// For how long that has been so without interruption; `None`: it is not so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// As [`Endpoints::moved`].
    pub moved: Option<Duration>,
    /// As [`Endpoints::cleared`]; with what an earlier leader had seen of it.
    pub cleared: Option<Duration>,
    /// For how long they have not been as [`Endpoints::moved`] says, after they had been so: the switch had been completed.
    pub lost: Option<Duration>,
}

/// The clocks of one live color; all times are uptimes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drain(Option<Clocks>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clocks {
    color: Color,
    moved: Option<Duration>,
    cleared: Option<Duration>,
    lost: Option<Duration>,
    /// What an earlier leader had seen of `cleared`; `None` once it was not so, after which it counts no more.
    before: Option<Duration>,
}

impl Drain {
    /// Clocks that have been running for so long, at this uptime.
    pub fn running(color: Color, held: Held, uptime: Duration) -> Self {
        let start = |held: Option<Duration>| held.map(|held| uptime.saturating_sub(held));
        Self(Some(Clocks {
            color,
            moved: start(held.moved),
            cleared: start(held.cleared),
            lost: start(held.lost),
            before: None,
        }))
    }

    /// For how long the endpoints have been so, for the color that is live now.
    pub fn held(&self, live: Option<Color>, uptime: Duration) -> Held {
        let since = |start: Option<Duration>| start.map(|start| uptime.saturating_sub(start));
        match self.0 {
            Some(clocks) if Some(clocks.color) == live => {
                let before = clocks.before.unwrap_or_default();
                Held {
                    moved: since(clocks.moved),
                    cleared: since(clocks.cleared).map(|held| held.saturating_add(before)),
                    lost: since(clocks.lost),
                }
            }
            Some(_) | None => Held::default(),
        }
    }

    /// Takes note of the live color and its endpoints. A clock starts only at a live read, since a cached slice may be
    /// from before the switch; any read stops it. `before` is what an earlier leader had recorded of the drain, as far as it still
    /// counts by this read.
    pub fn update(
        &mut self,
        seen: Option<(Color, Endpoints)>,
        before: Duration,
        live_read: bool,
        uptime: Duration,
    ) {
        let Some((color, seen)) = seen else {
            self.0 = None;
            return;
        };
        let clocks = self.0.filter(|clocks| clocks.color == color);
        let new = Clocks { color, moved: None, cleared: None, lost: None, before: Some(Duration::ZERO) };
        let clocks = clocks.unwrap_or(new);
        let step = |clock: Option<Duration>, holds: bool| match (clock, holds) {
            (_, false) => None,
            (None, true) => live_read.then_some(uptime),
            (running, true) => running,
        };
        let (moved, cleared) = (step(clocks.moved, seen.moved), step(clocks.cleared, seen.cleared));
        let lost = match (clocks.moved, moved) {
            (_, Some(_)) => None,
            (Some(_), None) => Some(uptime),
            (None, None) => clocks.lost,
        };
        let before = match (clocks.cleared, cleared) {
            // Only at its start: later, the record is this leader's own.
            (None, Some(_)) => clocks.before.map(|_| before),
            (Some(_), Some(_)) => clocks.before,
            (_, None) => clocks.before.filter(|_| seen.cleared),
        };
        self.0 = Some(Clocks { color, moved, cleared, lost, before });
    }

    /// Returns true if a cached read shows what would start a clock, which only a live read may do.
    pub fn wants_live_read(&self, color: Color, seen: Endpoints) -> bool {
        let held = self.held(Some(color), Duration::MAX);
        (seen.moved && held.moved.is_none()) || (seen.cleared && held.cleared.is_none())
    }
}

/// A drain of at least so long is divided into so many parts; the status tells how many have passed, but for the last: each leader
/// waits for that itself. A shorter drain is one part. A takeover takes about 15 s, and each record is a write.
const PARTS: [(Duration, u32); 2] = [(Duration::from_secs(60), 4), (Duration::from_secs(30), 2)];

/// The ends of the parts of a drain that takes `all`, but for the last.
fn parts(all: Duration) -> impl DoubleEndedIterator<Item = Duration> {
    let parts = PARTS.iter().find(|(least, _)| all >= *least).map_or(1, |(_, parts)| *parts);
    (1..parts).map(move |end| all / parts * end)
}

/// How much of a drain that takes `all` is recorded once so much has passed: whole parts, and never all.
pub fn recorded(all: Duration, passed: Duration) -> Duration {
    parts(all).rfind(|end| *end <= passed).unwrap_or_default()
}

/// When, of a drain that takes `all`, something is to be done next: a part to be recorded, or the old color may be touched.
pub fn next(all: Duration, passed: Duration) -> Duration {
    parts(all).find(|end| *end > passed).unwrap_or(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Endpoints = Endpoints { moved: true, cleared: true };
    const LOST: Endpoints = Endpoints { moved: false, cleared: true };
    const NONE: Duration = Duration::ZERO;
    const GREEN: Option<(Color, Endpoints)> = Some((Color::Green, HERE));

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_cached_read_never_starts_a_clock() {
        let mut drain = Drain::default();
        drain.update(GREEN, NONE, false, at(0));
        assert_eq!(drain.held(Some(Color::Green), at(0)), Held::default());
        assert!(drain.wants_live_read(Color::Green, HERE));
    }

    #[test]
    fn any_read_stops_it() {
        let mut drain = Drain::default();
        drain.update(GREEN, NONE, true, at(0));
        assert_eq!(drain.held(Some(Color::Green), at(5)).moved, Some(at(5)));
        drain.update(Some((Color::Green, LOST)), NONE, false, at(5));
        assert_eq!(drain.held(Some(Color::Green), at(5)).moved, None);
    }

    #[test]
    fn endpoints_that_are_lost_after_a_switch_have_a_time_of_their_own() {
        let mut drain = Drain::default();
        drain.update(Some((Color::Green, LOST)), NONE, true, at(0));
        assert_eq!(drain.held(Some(Color::Green), at(1)).lost, None, "they have not followed yet");
        drain.update(GREEN, NONE, true, at(2));
        drain.update(Some((Color::Green, LOST)), NONE, false, at(1000));
        drain.update(Some((Color::Green, LOST)), NONE, true, at(1001));
        assert_eq!(drain.held(Some(Color::Green), at(1003)).lost, Some(at(3)));
        drain.update(GREEN, NONE, true, at(1004));
        assert_eq!(drain.held(Some(Color::Green), at(1005)).lost, None);
    }

    #[test]
    fn a_clock_that_runs_goes_on_at_every_read() {
        let mut drain = Drain::default();
        drain.update(GREEN, NONE, true, at(0));
        drain.update(GREEN, NONE, false, at(2));
        drain.update(GREEN, NONE, true, at(4));
        let all = Some(at(5));
        assert_eq!(drain.held(Some(Color::Green), at(5)), Held { moved: all, cleared: all, lost: None });
    }

    #[test]
    fn the_clock_of_a_color_that_was_left_says_nothing_about_the_next() {
        let mut drain = Drain::default();
        drain.update(GREEN, NONE, true, at(0));
        drain.update(Some((Color::Blue, HERE)), NONE, true, at(3));
        assert_eq!(drain.held(Some(Color::Blue), at(4)).moved, Some(at(1)));
        assert_eq!(drain.held(Some(Color::Green), at(4)).moved, None);
        drain.update(None, NONE, true, at(5));
        assert_eq!(drain.held(Some(Color::Blue), at(6)), Held::default());
    }

    #[test]
    fn a_live_read_is_wanted_only_for_a_clock_that_could_start() {
        let mut drain = Drain::default();
        let nothing = Endpoints { moved: false, cleared: false };
        assert!(!drain.wants_live_read(Color::Green, nothing), "nothing moved");
        assert!(drain.wants_live_read(Color::Green, LOST), "one of the two is enough");
        drain.update(Some((Color::Green, LOST)), NONE, true, at(1));
        assert!(!drain.wants_live_read(Color::Green, LOST), "that clock runs");
        assert!(drain.wants_live_read(Color::Green, HERE), "the other one does not");
        drain.update(GREEN, NONE, true, at(1));
        assert!(!drain.wants_live_read(Color::Green, HERE), "both run");
    }

    fn cleared(drain: &Drain, uptime: u64) -> Option<Duration> {
        drain.held(Some(Color::Green), at(uptime)).cleared
    }

    #[test]
    fn what_an_earlier_leader_had_seen_counts_from_the_first_live_read() {
        let mut drain = Drain::default();
        drain.update(GREEN, at(45), false, at(0));
        assert_eq!(cleared(&drain, 1), None, "a cached read starts nothing");
        drain.update(GREEN, at(45), true, at(2));
        assert_eq!(cleared(&drain, 3), Some(at(46)));
        drain.update(GREEN, at(90), true, at(20));
        assert_eq!(
            cleared(&drain, 20),
            Some(at(63)),
            "what this leader has recorded itself is not counted twice"
        );
    }

    #[test]
    fn what_an_earlier_leader_had_seen_is_void_once_an_endpoint_was_back() {
        let nothing = Some((Color::Green, Endpoints { moved: false, cleared: false }));
        for (first, live) in [(nothing, true), (nothing, false)] {
            let mut drain = Drain::default();
            drain.update(first, at(45), live, at(0));
            drain.update(GREEN, at(45), true, at(1));
            assert_eq!(cleared(&drain, 2), Some(at(1)));
        }
        let mut drain = Drain::default();
        drain.update(GREEN, at(45), true, at(0));
        drain.update(nothing, at(45), false, at(1));
        drain.update(GREEN, at(45), true, at(2));
        assert_eq!(cleared(&drain, 3), Some(at(1)));
    }

    #[test]
    fn a_drain_is_recorded_at_each_quarter_but_the_last_a_shorter_one_at_its_half_and_a_short_one_not_at_all()
    {
        let steps =
            [(0, 0, 15), (14, 0, 15), (15, 15, 30), (31, 30, 45), (45, 45, 60), (59, 45, 60), (600, 45, 60)];
        for (passed, is_recorded, is_next) in steps {
            assert_eq!(recorded(at(60), at(passed)), at(is_recorded), "{passed}");
            assert_eq!(next(at(60), at(passed)), at(is_next), "{passed}");
        }
        for (passed, is_recorded, is_next) in
            [(0, 0, 15), (14, 0, 15), (15, 15, 30), (29, 15, 30), (600, 15, 30)]
        {
            assert_eq!(recorded(at(30), at(passed)), at(is_recorded), "{passed}");
            assert_eq!(next(at(30), at(passed)), at(is_next), "{passed}");
        }
        assert_eq!((recorded(at(29), at(28)), next(at(29), at(1))), (at(0), at(29)));
        assert_eq!((recorded(at(0), at(58)), next(at(0), at(1))), (at(0), at(0)));
    }
}
