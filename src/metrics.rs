//! The metrics that the operator exports for Prometheus.
//!
//! The series are listed in [`table`]; tests check docs, dashboards and alerts against that list. There is one registry a
//! process and no global one, so that tests don't share it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

mod apps;
mod render;
pub mod table;
pub mod watches;

use bluegreen_api::{BlueGreenApp, CheckResult, CheckTime};
use table::Series;

/// Value of the label `controller`: this program has one controller.
const CONTROLLER: &str = "bluegreenapp";

/// Bounds of the switch durations, in seconds: from a switch to a color that is ready already (milliseconds) to one whose
/// rollout takes until its deadline.
const SWITCH_BUCKETS: [f64; 14] =
    [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Bounds of the reconcile durations, in seconds: as in controller-runtime, without the longest ones.
const RECONCILE_BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How a switch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwitchResult {
    /// The Service selects the target.
    Succeeded,
    /// `spec.active` was set back, or to another color, before the Service selected the target.
    Canceled,
}

impl SwitchResult {
    /// Every value of the label `result`.
    pub const ALL: [Self; 2] = [Self::Succeeded, Self::Canceled];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// The result of a write request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteOutcome {
    /// The API server acknowledged it.
    Ok,
    /// The API server answered 409: a precondition failed.
    Conflict,
    /// The API server answered another 4xx.
    Rejected,
    /// The API server could not do its work: an admission webhook did not answer, for example. Nothing was written.
    Failed,
    /// A timeout, a lost connection or another 5xx: the write may have happened.
    Unknown,
    /// Not sent, because leadership could have ended before the request's timeout.
    NotLeader,
}

/// What is written: the kinds of [`bluegreen_core::apply::Object::label`], and the status.
const WRITTEN: [&str; 5] = ["service", "deployment", "controllerrevision", "job", "status"];

impl WriteOutcome {
    const ALL: [Self; 6] =
        [Self::Ok, Self::Conflict, Self::Rejected, Self::Failed, Self::Unknown, Self::NotLeader];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotLeader => "not_leader",
        }
    }
}

/// How a pass ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileResult {
    /// It ended by itself.
    Success,
    /// It failed, or was dropped before its end.
    Error,
}

impl ReconcileResult {
    /// Every value of the label `result`.
    pub const ALL: [Self; 2] = [Self::Success, Self::Error];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// The metrics of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    switches: IntCounterVec,
    switch_duration: Histogram,
    checks: IntCounterVec,
    switches_back: IntCounter,
    leader: IntGauge,
    writes: IntCounterVec,
    reconciles: IntCounterVec,
    reconcile_errors: IntCounterVec,
    reconcile_time: HistogramVec,
}

impl Metrics {
    /// Registers every series of [`table::ALL`] but those of the apps, which [`Metrics::export_apps`] adds. `revision` is the source
    /// revision of this build.
    ///
    /// # Errors
    /// When two series have the same name: a mistake in the table.
    pub fn new(revision: &str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let inner = Inner {
            switches: register(&registry, counters(table::SWITCHES)?)?,
            switch_duration: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::from(opts(table::SWITCH_DURATION)).buckets(SWITCH_BUCKETS.to_vec()),
                )?,
            )?,
            checks: register(&registry, counters(table::CHECKS)?)?,
            switches_back: register(&registry, IntCounter::with_opts(opts(table::SWITCHES_BACK))?)?,
            leader: register(&registry, IntGauge::with_opts(opts(table::LEADER))?)?,
            writes: register(&registry, counters(table::WRITES)?)?,
            reconciles: register(&registry, counters(table::RECONCILES)?)?,
            reconcile_errors: register(&registry, counters(table::RECONCILE_ERRORS)?)?,
            reconcile_time: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::from(opts(table::RECONCILE_TIME)).buckets(RECONCILE_BUCKETS.to_vec()),
                    table::RECONCILE_TIME.labels,
                )?,
            )?,
            registry,
        };
        let build = register(&inner.registry, gauges(table::BUILD_INFO)?)?;
        build.with_label_values(&[bluegreen_api::version::VERSION, revision]).set(1);
        #[cfg(target_os = "linux")]
        inner.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        inner.start_at_zero();
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Adds the series of the apps. `source` returns every app in the store; it is asked at each scrape, and only while this
    /// replica leads.
    ///
    /// # Errors
    /// When it is called twice.
    pub fn export_apps(
        &self,
        source: impl Fn() -> Vec<Arc<BlueGreenApp>> + Send + Sync + 'static,
    ) -> prometheus::Result<()> {
        let apps = apps::Apps::new(source, self.inner.leader.clone())?;
        self.inner.registry.register(Box::new(apps))
    }

    /// Adds the series of the watches. `source` is asked at each scrape.
    ///
    /// # Errors
    /// When it is called twice.
    pub fn export_watches(
        &self,
        source: impl Fn() -> watches::Watching + Send + Sync + 'static,
    ) -> prometheus::Result<()> {
        self.inner.registry.register(Box::new(watches::Watches::new(source)?))
    }

    /// Counts a switch that ended. `from` is `none` for the first activation. `took` is the time from its beginning to its
    /// end; `None` where that is unknown, or says nothing, as of a switch that was canceled.
    pub fn record_switch(&self, from: &str, to: &str, result: SwitchResult, took: Option<Duration>) {
        self.inner.switches.with_label_values(&[from, to, result.as_str()]).inc();
        if let Some(took) = took {
            self.inner.switch_duration.observe(took.as_secs_f64());
        }
    }

    /// Counts a check that has its verdict.
    pub fn record_check(&self, when: CheckTime, result: CheckResult) {
        self.inner.checks.with_label_values(&[when.as_str(), result.as_str()]).inc();
    }

    /// Counts a switch that a check has taken back.
    pub fn record_switch_back(&self) {
        self.inner.switches_back.inc();
    }

    /// Counts a write request that was answered or was not sent. `kind` is the Kubernetes kind.
    pub fn record_write(&self, kind: &str, outcome: WriteOutcome) {
        self.inner.writes.with_label_values(&[kind, outcome.as_str()]).inc();
    }

    /// Sets whether this replica leads.
    pub fn set_leader(&self, leading: bool) {
        self.inner.leader.set(leading.into());
    }

    /// Times one pass. [`ReconcileTimer::finish`] sets how it ended; a timer that is dropped counts as an error.
    pub fn reconcile_timer(&self) -> ReconcileTimer {
        ReconcileTimer { metrics: self.clone(), started: Instant::now(), result: ReconcileResult::Error }
    }

    /// All series in the Prometheus text format. With thousands of apps this takes a while: don't call it on a thread that
    /// other tasks wait for.
    ///
    /// # Errors
    /// When two series contradict each other: a mistake in this file.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.inner.registry.gather())
    }
}

impl Inner {
    /// Exports counters before their first event: Prometheus' `increase()` doesn't count an event with which a series appears.
    fn start_at_zero(&self) {
        for (from, to) in [("blue", "green"), ("green", "blue"), ("none", "blue"), ("none", "green")] {
            for result in SwitchResult::ALL {
                self.switches.with_label_values(&[from, to, result.as_str()]);
            }
        }
        for when in [CheckTime::Before, CheckTime::After] {
            for result in [CheckResult::Passed, CheckResult::Failed, CheckResult::Inconclusive] {
                self.checks.with_label_values(&[when.as_str(), result.as_str()]);
            }
        }
        for kind in WRITTEN {
            for outcome in WriteOutcome::ALL {
                self.writes.with_label_values(&[kind, outcome.as_str()]);
            }
        }
        for result in ReconcileResult::ALL {
            self.reconciles.with_label_values(&[CONTROLLER, result.as_str()]);
        }
        self.reconcile_errors.with_label_values(&[CONTROLLER]);
        self.reconcile_time.with_label_values(&[CONTROLLER]);
    }
}

/// Counts one pass when it is dropped.
#[derive(Debug)]
pub struct ReconcileTimer {
    metrics: Metrics,
    started: Instant,
    result: ReconcileResult,
}

impl ReconcileTimer {
    /// Ends the timer with this result.
    pub fn finish(mut self, result: ReconcileResult) {
        self.result = result;
    }
}

impl Drop for ReconcileTimer {
    fn drop(&mut self) {
        let inner = &self.metrics.inner;
        inner.reconciles.with_label_values(&[CONTROLLER, self.result.as_str()]).inc();
        match self.result {
            ReconcileResult::Error => inner.reconcile_errors.with_label_values(&[CONTROLLER]).inc(),
            ReconcileResult::Success => {}
        }
        inner.reconcile_time.with_label_values(&[CONTROLLER]).observe(self.started.elapsed().as_secs_f64());
    }
}

fn opts(series: Series) -> Opts {
    Opts::new(series.name, series.help)
}

fn gauges(series: Series) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(opts(series), series.labels)
}

fn counters(series: Series) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(opts(series), series.labels)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

#[cfg(test)]
#[path = "metrics/tests.rs"]
mod tests;
