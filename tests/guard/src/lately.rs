//! What held one after the other, and what of it a write may still rest on.

use std::time::{Duration, Instant};

/// Values, each with the moment at which another one took its place.
pub(crate) struct Lately<T>(Vec<(Option<Instant>, T)>);

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Lately<T> {
    /// This one holds from now on.
    pub(crate) fn note(&mut self, at: Instant, value: T) {
        if let Some((until @ None, _)) = self.0.last_mut() {
            *until = Some(at);
        }
        self.0.push((None, value));
    }

    /// The one that holds at this moment, and those that held in the time before it.
    pub(crate) fn within(&self, at: Instant, before: Duration) -> impl Iterator<Item = &T> {
        let counts = move |until: &Option<Instant>| {
            until.is_none_or(|until| at.saturating_duration_since(until) < before)
        };
        self.0.iter().filter(move |(until, _)| counts(until)).map(|(_, value)| value)
    }
}
