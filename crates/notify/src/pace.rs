//! PURE: how long to wait before a message is tried again.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause that the notifier chooses by itself.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause after so many tries: twice as long each time, and at least as long as the receiver asks for.
pub fn pause(tries: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    doubled.min(LONGEST).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_a_receiver_may_ask_for_longer_ones() {
        let seconds: Vec<_> = (1..=8).map(|tries| pause(tries, None).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(u32::MAX, None), LONGEST);
        assert_eq!(pause(1, Some(Duration::from_secs(90))).as_secs(), 90);
        assert_eq!(pause(8, Some(Duration::from_secs(5))), LONGEST);
    }
}
