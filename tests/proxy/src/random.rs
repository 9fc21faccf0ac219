//! Random numbers that a seed decides.

use std::time::Duration;

use crate::script::Range;

/// SplitMix64: eight lines, and the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw().checked_rem(end).unwrap_or(0)
    }

    /// A time within a range, to the microsecond.
    pub fn within(&mut self, range: &Range) -> Duration {
        let width = range.end().saturating_sub(*range.start());
        let width = u64::try_from(width.as_micros()).unwrap_or(u64::MAX - 1);
        *range.start() + Duration::from_micros(self.below(width + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_delays_within_the_range() {
        let range = Duration::from_millis(5)..=Duration::from_millis(9);
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..100).map(|_| random.within(&range)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).iter().all(|delay| range.contains(delay)));
    }
}
