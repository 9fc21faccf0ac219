//! When the pods of a color that is late are asked for the reason.

use std::time::Duration;

/// What the pods of a color said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// Why they are not ready, in words; `None` if nothing is wrong with them.
    Words(Option<String>),
    /// They could not be read.
    Unread,
}

/// A color whose pods are not all available; all times are uptimes.
#[derive(Clone, Debug)]
pub(super) struct Late {
    since: Duration,
    asked: Option<Duration>,
    words: Option<String>,
}

impl Late {
    /// Pods that have just been made are not explained: most are ready a moment later.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// How old an explanation may be.
    const FRESH: Duration = Duration::from_secs(15);

    pub fn begin(uptime: Duration) -> Self {
        Self { since: uptime, asked: None, words: None }
    }

    /// How long until the pods should be asked (again); zero means now.
    pub fn ask_in(&self, uptime: Duration) -> Duration {
        let (start, wait) = match self.asked {
            Some(at) => (at, Self::FRESH),
            None => (self.since, Self::PATIENCE),
        };
        wait.saturating_sub(uptime.saturating_sub(start))
    }

    pub fn was_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Notes what the pods said. The time of the try counts, not that of its success: pods that may not be listed are not listed
    /// every second.
    pub fn explained(&mut self, answer: &Explanation, uptime: Duration) {
        self.asked = Some(uptime);
        match answer {
            Explanation::Words(words) => self.words.clone_from(words),
            Explanation::Unread => {}
        }
    }

    pub fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_are_late_are_asked_after_some_patience_and_not_too_often() {
        let start = Duration::from_secs(100);
        let mut late = Late::begin(start);
        assert_eq!(late.ask_in(start), Late::PATIENCE);
        assert_eq!(late.ask_in(start + Late::PATIENCE), Duration::ZERO);
        assert_eq!(late.words(), None);
        late.explained(&Explanation::Words(Some("no image".to_owned())), start + Late::PATIENCE);
        assert_eq!(late.ask_in(start + Late::PATIENCE), Late::FRESH);
        assert_eq!(late.words(), Some("no image"));
    }

    #[test]
    fn pods_that_can_not_be_read_are_not_asked_again_at_once_and_the_last_words_stay() {
        let start = Duration::from_secs(100);
        let mut late = Late::begin(start);
        late.explained(&Explanation::Words(Some("no image".to_owned())), start);
        late.explained(&Explanation::Unread, start + Late::FRESH);
        assert_eq!(late.ask_in(start + Late::FRESH), Late::FRESH);
        assert_eq!(late.words(), Some("no image"));
    }
}
