//! Notices that somebody reverts what the operator writes: another controller, a webhook, a script. Such a fight has no
//! end, so after a few rounds of it the operator tells, and writes less and less often.

use std::time::Duration;

use crate::plan::Action;

/// After so many equal writes that all succeeded, somebody is taken to revert them.
const REPEATS: u32 = 4;

/// Equal writes that are further apart than this have nothing to do with each other.
const WINDOW: Duration = Duration::from_secs(60);

/// The longest time between two tries.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest time for which the live Service stays edited: requests go astray meanwhile.
const LONGEST_ASTRAY: Duration = Duration::from_secs(1);

/// For which generation of the app, and after how many writes of unknown result, something was written. Equal actions of another
/// generation write something else, and a fence is stamped anew after each unknown result.
pub type Occasion = (i64, u32);

/// The actions that were carried out last, and how often.
#[derive(Clone, Debug, Default)]
pub struct Contest(Option<Repeated>);

#[derive(Clone, Debug)]
struct Repeated {
    actions: Vec<Action>,
    occasion: Occasion,
    times: u32,
    /// When they were carried out last (uptime).
    last: Duration,
}

impl Contest {
    /// The actions succeeded. Returns true when they are taken to be reverted by somebody from now on.
    pub fn done(&mut self, actions: &[Action], occasion: Occasion, uptime: Duration) -> bool {
        let again = self.repeated(actions, occasion, uptime).map_or(0, |repeated| repeated.times);
        let times = again.saturating_add(1);
        self.0 = Some(Repeated { actions: actions.to_vec(), occasion, times, last: uptime });
        times == REPEATS
    }

    /// How long these actions should not be tried; `None`: go on.
    pub fn hold(&self, actions: &[Action], occasion: Occasion, uptime: Duration) -> Option<Duration> {
        let repeated = self.repeated(actions, occasion, uptime)?;
        let over = repeated.times.checked_sub(REPEATS)?;
        let longest = if actions.iter().any(is_restore) { LONGEST_ASTRAY } else { LONGEST };
        let pause = Duration::from_millis(100).saturating_mul(1 << over.min(9)).min(longest);
        let passed = uptime.saturating_sub(repeated.last);
        pause.checked_sub(passed).filter(|left| !left.is_zero())
    }

    fn repeated(&self, actions: &[Action], occasion: Occasion, uptime: Duration) -> Option<&Repeated> {
        let is_same = |repeated: &&Repeated| repeated.actions == actions && repeated.occasion == occasion;
        let is_close = |repeated: &&Repeated| uptime.saturating_sub(repeated.last) < WINDOW;
        self.0.as_ref().filter(is_same).filter(is_close)
    }
}

fn is_restore(action: &Action) -> bool {
    matches!(action, Action::Restore { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bluegreen_api::Color;

    const EDIT: [Action; 1] = [Action::EditDeployment { color: Color::Green, replicas: 3 }];

    const NOW: Occasion = (1, 0);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn equal_writes_one_after_the_other_are_a_contest_and_are_told_once() {
        let mut contest = Contest::default();
        let told: Vec<bool> = (0..6).map(|second| contest.done(&EDIT, NOW, at(second))).collect();
        assert_eq!(told, [false, false, false, true, false, false]);
    }

    #[test]
    fn the_pause_grows_to_half_a_minute_and_is_over_in_time() {
        let mut contest = Contest::default();
        let mut pauses = Vec::new();
        for _ in 0..20 {
            contest.done(&EDIT, NOW, at(100));
            pauses.extend(contest.hold(&EDIT, NOW, at(100)));
        }
        assert_eq!(pauses.first(), Some(&Duration::from_millis(100)));
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&LONGEST));
        assert_eq!(contest.hold(&EDIT, NOW, at(100) + LONGEST), None);
    }

    #[test]
    fn other_actions_are_never_held_up() {
        let mut contest = Contest::default();
        for _ in 0..10 {
            contest.done(&EDIT, NOW, at(1));
        }
        let switch = [Action::Switch { from: Some(Color::Green), to: Color::Blue }];
        assert_eq!(contest.hold(&switch, NOW, at(1)), None);
    }

    #[test]
    fn an_edited_selector_is_held_up_for_a_second_at_most() {
        let restore = [Action::Restore { to: Color::Blue }];
        let mut contest = Contest::default();
        for _ in 0..20 {
            contest.done(&restore, NOW, at(1));
        }
        assert_eq!(contest.hold(&restore, NOW, at(1)), Some(LONGEST_ASTRAY));
    }

    #[test]
    fn writes_that_are_far_apart_are_no_contest() {
        let mut contest = Contest::default();
        assert!((1..20).all(|n| !contest.done(&EDIT, NOW, at(61 * n))));
    }

    /// Four edits of the Service's annotations in a minute, or four fences in a row while the API server gives no answers.
    #[test]
    fn writes_of_another_generation_or_of_another_token_are_no_contest() {
        let update = [Action::UpdateService];
        let mut contest = Contest::default();
        for generation in 1..20 {
            assert!(!contest.done(&update, (generation, 0), at(1)));
            assert_eq!(contest.hold(&update, (generation + 1, 0), at(1)), None);
        }
        let fence = [Action::Fence { service: true, colors: Vec::new() }];
        for attempt in 0..20 {
            assert!(!contest.done(&fence, (1, attempt), at(1)));
        }
    }
}
