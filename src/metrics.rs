//! What the operator exports for Prometheus: one registry, no globals, business names.
//!
//! The series are listed in [`table`]; docs, dashboards and alerts are checked against that list.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

pub mod table;

use table::Series;

/// Label value of `controller`: there is one controller.
const CONTROLLER: &str = "bluegreenapp";

/// Seconds. From a flip of a warm color (milliseconds) to a rollout that ends at its deadline.
const SWITCH_BUCKETS: [f64; 14] =
    [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Seconds; controller-runtime's shape, without its long tail.
const RECONCILE_BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How a switch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwitchResult {
    /// The Service selects the target, and only the target's pods are in its endpoints.
    Succeeded,
    /// Edited back before it was committed.
    Canceled,
    /// The target did not become ready.
    Failed,
}

impl SwitchResult {
    /// Every value of the label `result`.
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Canceled, Self::Failed];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
        }
    }
}

/// What became of a write request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteOutcome {
    /// Acknowledged.
    Ok,
    /// 409: a precondition failed.
    Conflict,
    /// Any other 4xx.
    Rejected,
    /// A timeout, a lost connection or a 5xx: it may have happened.
    Unknown,
    /// Not sent: leadership would have ended before the request's deadline.
    NotLeader,
}

impl WriteOutcome {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::NotLeader => "not_leader",
        }
    }
}

/// How a reconcile ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileResult {
    /// Nothing more to do.
    Success,
    /// Will be looked at again after a delay of its own choosing.
    RequeueAfter,
    /// Failed, or was dropped before its end.
    Error,
}

impl ReconcileResult {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Error => "error",
        }
    }
}

/// All series of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    app_info: IntGaugeVec,
    condition: IntGaugeVec,
    switches: IntCounterVec,
    switch_duration: Histogram,
    leader: IntGauge,
    writes: IntCounterVec,
    reconciles: IntCounterVec,
    reconcile_errors: IntCounterVec,
    reconcile_time: HistogramVec,
    /// What is exported per app, so that it can be taken back. Held while rendering too: a scrape never sees
    /// an app between two states.
    apps: Mutex<HashMap<(String, String), AppSeries>>,
}

/// The series that one app has now.
#[derive(Debug, PartialEq, Eq)]
struct AppSeries {
    active: String,
    desired: String,
    condition_types: HashSet<String>,
}

impl Metrics {
    /// Register everything in [`table::ALL`].
    ///
    /// # Errors
    /// When two series have the same name: a mistake in the table.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let inner = Inner {
            app_info: register(&registry, gauges(table::APP_INFO)?)?,
            condition: register(&registry, gauges(table::CONDITION)?)?,
            switches: register(&registry, counters(table::SWITCHES)?)?,
            switch_duration: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::from(opts(table::SWITCH_DURATION)).buckets(SWITCH_BUCKETS.to_vec()),
                )?,
            )?,
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
            apps: Mutex::default(),
            registry,
        };
        let build = register(&inner.registry, gauges(table::BUILD_INFO)?)?;
        build.with_label_values(&[crate::config::VERSION, crate::config::REVISION]).set(1);
        #[cfg(target_os = "linux")]
        inner.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        inner.start_at_zero();
        Ok(Self { inner: Arc::new(inner) })
    }

    /// One app as it is now: the color that serves (`""` for none), the one that should, and its conditions
    /// as `(type, status)`.
    pub fn set_app(
        &self,
        namespace: &str,
        name: &str,
        active: &str,
        desired: &str,
        conditions: &[(&str, &str)],
    ) {
        let inner = &*self.inner;
        let mut apps = inner.apps();
        let new = AppSeries {
            active: active.to_owned(),
            desired: desired.to_owned(),
            condition_types: conditions.iter().map(|(kind, _)| (*kind).to_owned()).collect(),
        };
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(old) = apps.get(&key)
            && *old != new
        {
            inner.remove_app(&key, old, &new.condition_types);
        }
        inner.app_info.with_label_values(&[namespace, name, active, desired]).set(1);
        for (kind, current) in conditions {
            for status in table::STATUSES {
                let value = i64::from(status == *current);
                inner.condition.with_label_values(&[namespace, name, kind, status]).set(value);
            }
        }
        apps.insert(key, new);
    }

    /// Remove every series of an app that was deleted.
    pub fn forget_app(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut apps = self.inner.apps();
        if let Some(old) = apps.remove(&key) {
            self.inner.remove_app(&key, &old, &HashSet::new());
        }
    }

    /// A switch ended. `from` is `none` for the first activation. `took` is the time from its beginning to its end;
    /// `None` where that is unknown, or says nothing, as of a switch that was canceled.
    pub fn record_switch(&self, from: &str, to: &str, result: SwitchResult, took: Option<Duration>) {
        self.inner.switches.with_label_values(&[from, to, result.as_str()]).inc();
        if let Some(took) = took {
            self.inner.switch_duration.observe(took.as_secs_f64());
        }
    }

    /// A write request was answered, or was not sent. `kind` is the Kubernetes kind.
    pub fn record_write(&self, kind: &str, outcome: WriteOutcome) {
        self.inner.writes.with_label_values(&[kind, outcome.as_str()]).inc();
    }

    /// Whether this replica is the one that acts.
    pub fn set_leader(&self, leading: bool) {
        self.inner.leader.set(leading.into());
    }

    /// Times one reconcile. [`ReconcileTimer::finish`] says how it ended; one that is dropped was an error.
    pub fn reconcile_timer(&self) -> ReconcileTimer {
        ReconcileTimer { metrics: self.clone(), started: Instant::now(), result: ReconcileResult::Error }
    }

    /// Prometheus text format.
    ///
    /// # Errors
    /// When two series contradict each other: a mistake in this file.
    pub fn render(&self) -> prometheus::Result<String> {
        let _still = self.inner.apps();
        TextEncoder::new().encode_to_string(&self.inner.registry.gather())
    }
}

impl Inner {
    fn apps(&self) -> MutexGuard<'_, HashMap<(String, String), AppSeries>> {
        // Nothing in here can be left half done in a way that matters.
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `increase()` misses the first event of a series that appears with it.
    fn start_at_zero(&self) {
        for (from, to) in [("blue", "green"), ("green", "blue"), ("none", "blue"), ("none", "green")] {
            for result in SwitchResult::ALL {
                self.switches.with_label_values(&[from, to, result.as_str()]);
            }
        }
        for result in [ReconcileResult::Success, ReconcileResult::RequeueAfter, ReconcileResult::Error] {
            self.reconciles.with_label_values(&[CONTROLLER, result.as_str()]);
        }
        self.reconcile_errors.with_label_values(&[CONTROLLER]);
        self.reconcile_time.with_label_values(&[CONTROLLER]);
    }

    fn remove_app(&self, (namespace, name): &(String, String), old: &AppSeries, keep: &HashSet<String>) {
        // An error says that the series isn't there, which is what is wanted.
        let _ = self.app_info.remove_label_values(&[namespace, name, &old.active, &old.desired]);
        for kind in old.condition_types.difference(keep) {
            for status in table::STATUSES {
                let _ = self.condition.remove_label_values(&[namespace, name, kind, &status.to_owned()]);
            }
        }
    }
}

/// Counts one reconcile when dropped.
#[derive(Debug)]
pub struct ReconcileTimer {
    metrics: Metrics,
    started: Instant,
    result: ReconcileResult,
}

impl ReconcileTimer {
    /// Say how it ended.
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
            ReconcileResult::Success | ReconcileResult::RequeueAfter => {}
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
