//! What is remembered of a write that does not succeed: when it is told, and when it is tried again.

use std::time::Duration;

use crate::apply::{Failure, FailureKind};
use crate::plan::Action;

/// A failure that the cluster may mend by itself is told when it has lasted for this long: a single lost answer is not
/// worth two writes of the status.
const PATIENCE: Duration = Duration::from_secs(1);

/// Actions that did not succeed; all times are uptimes.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    failure: Failure,
    actions: Vec<Action>,
    /// The app's generation. Equal actions of another generation write something else.
    generation: i64,
    /// When the first of these failures in a row was sent.
    since: Duration,
    /// When the same actions are tried again.
    again: Option<Duration>,
}

impl Failing {
    /// Takes note of a failure. `before`: the failure that it follows without a success in between.
    pub fn note(
        before: Option<Self>,
        failure: Failure,
        actions: &[Action],
        generation: i64,
        sent: Duration,
    ) -> Self {
        let since = before.map_or(sent, |before| before.since);
        Self { failure, actions: actions.to_vec(), generation, since, again: None }
    }

    /// Notes that the same actions wait for this long. Nothing else does: neither a way back nor another color.
    pub fn wait(&mut self, wait: Duration, uptime: Duration) {
        self.again = Some(uptime.saturating_add(wait));
    }

    /// Returns what there is to tell of this generation: one that mends the failure is not called refused before it was tried.
    pub fn told(&self, generation: i64, uptime: Duration) -> Option<&Failure> {
        let is_due = match self.failure.kind {
            FailureKind::Refused | FailureKind::Reverted => true,
            FailureKind::Failed => uptime.saturating_sub(self.since) >= PATIENCE,
        };
        (is_due && self.generation == generation).then_some(&self.failure)
    }

    /// Returns how long these actions should not be tried; `None`: go on. A watch event is no reason to try sooner, or an app
    /// whose pods come and go would send what fails as often.
    pub fn hold(&self, actions: &[Action], generation: i64, uptime: Duration) -> Option<Duration> {
        let is_same = self.actions == actions && self.generation == generation;
        let left = self.again?.checked_sub(uptime)?;
        (is_same && !left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bluegreen_api::Color;

    const EDIT: [Action; 1] = [Action::EditDeployment { color: Color::Green, replicas: 3 }];

    fn failed(kind: FailureKind) -> Failure {
        Failure { color: Some(Color::Green), check: None, leftover: false, kind, words: "no".to_owned() }
    }

    #[test]
    fn a_refusal_is_told_at_once_and_what_may_pass_after_a_second_in_a_row() {
        let start = Duration::from_secs(100);
        let refused = Failing::note(None, failed(FailureKind::Refused), &EDIT, 1, start);
        assert!(refused.told(1, start).is_some());
        assert_eq!(refused.told(2, start), None, "the next generation was not tried yet");
        let first = Failing::note(None, failed(FailureKind::Failed), &EDIT, 1, start);
        assert_eq!(first.told(1, start), None);
        let later = start + PATIENCE;
        assert!(
            Failing::note(Some(first), failed(FailureKind::Failed), &EDIT, 1, later).told(1, later).is_some()
        );
    }

    #[test]
    fn only_the_same_actions_of_the_same_generation_wait() {
        let start = Duration::from_secs(100);
        let mut failing = Failing::note(None, failed(FailureKind::Failed), &EDIT, 1, start);
        assert_eq!(failing.hold(&EDIT, 1, start), None, "it was not asked to wait");
        failing.wait(Duration::from_secs(2), start);
        assert_eq!(failing.hold(&EDIT, 1, start), Some(Duration::from_secs(2)));
        assert_eq!(failing.hold(&EDIT, 2, start), None, "the app was edited");
        let switch = [Action::Switch { from: Some(Color::Green), to: Color::Blue }];
        assert_eq!(failing.hold(&switch, 1, start), None, "something else is to be done");
        assert_eq!(failing.hold(&EDIT, 1, start + Duration::from_secs(2)), None, "it has waited");
    }
}
