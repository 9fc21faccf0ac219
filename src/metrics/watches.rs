//! The series of the watches, made at each scrape.

use std::fmt;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType};

use super::render::{counter, describe, family, gauge};
use super::table;
use crate::health::Watch;

/// What this replica sees of the cluster, and what it does not.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    /// Every watch: one of each kind, or one of each kind in each namespace.
    pub watches: Vec<WatchState>,
    /// Every kind, and the number of its objects that can't be decoded.
    pub unreadable: Vec<(String, usize)>,
    /// For how long the edit that has waited longest has had no answer in a status.
    pub oldest_unobserved: Duration,
}

/// A watch.
#[derive(Clone, Debug)]
pub struct WatchState {
    /// What it watches.
    pub watch: Watch,
    /// How often it has failed.
    pub errors: u64,
    /// For how long it has failed without success; zero while it works.
    pub failing: Duration,
}

/// Renders the series of [`Watching`].
pub(super) struct Watches<F> {
    source: F,
    descriptions: [Desc; 4],
}

impl<F> Watches<F> {
    /// # Errors
    /// When a series has an invalid name: a mistake in the table.
    pub(super) fn new(source: F) -> prometheus::Result<Self> {
        let descriptions = [
            describe(table::WATCH_ERRORS)?,
            describe(table::WATCH_FAILING)?,
            describe(table::UNREADABLE)?,
            describe(table::UNOBSERVED)?,
        ];
        Ok(Self { source, descriptions })
    }
}

impl<F: Fn() -> Watching + Send + Sync> Collector for Watches<F> {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    #[allow(clippy::cast_precision_loss)] // Counts, far below 2^53.
    fn collect(&self) -> Vec<MetricFamily> {
        let Watching { watches, unreadable, oldest_unobserved } = (self.source)();
        let (mut errors, mut failing) = (Vec::new(), Vec::new());
        for state in &watches {
            let labels = [state.watch.kind.as_str(), state.watch.namespace.as_deref().unwrap_or_default()];
            errors.push(counter(table::WATCH_ERRORS, &labels, state.errors as f64));
            failing.push(gauge(table::WATCH_FAILING, &labels, state.failing.as_secs_f64()));
        }
        let unreadable =
            unreadable.iter().map(|(kind, count)| gauge(table::UNREADABLE, &[kind], *count as f64)).collect();
        let unobserved = vec![gauge(table::UNOBSERVED, &[], oldest_unobserved.as_secs_f64())];
        vec![
            family(table::WATCH_ERRORS, MetricType::COUNTER, errors),
            family(table::WATCH_FAILING, MetricType::GAUGE, failing),
            family(table::UNREADABLE, MetricType::GAUGE, unreadable),
            family(table::UNOBSERVED, MetricType::GAUGE, unobserved),
        ]
    }
}

impl<F> fmt::Debug for Watches<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watches").finish_non_exhaustive()
    }
}
