//! Whether this process is live, and could act. The probes ask that, and passes and watches tell it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whether this process does its work.
///
/// It is live if the controller's loop runs and no pass hangs; a replica that does not lead has no loop, and is live. It is ready once every
/// kind has been listed, so that it can act at once, and while no watch has failed for long; leading is not part of it.
#[derive(Debug)]
pub struct Health {
    limits: HealthLimits,
    state: Mutex<HealthState>,
}

/// When a process counts as stuck.
#[derive(Clone, Copy, Debug)]
pub struct HealthLimits {
    /// Longest time between two [`Health::beat`]s, from the first one on. Default 30 s.
    pub heartbeat: Duration,
    /// Longest time that one pass may run. Default 2 min.
    pub reconcile: Duration,
    /// Longest time that a watch may fail again and again before the replica is not ready. Default 2 min.
    pub watch: Duration,
    /// A watch that has not failed for so long works again: more than its longest pause between two tries. Default 90 s.
    pub calm: Duration,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            reconcile: Duration::from_secs(120),
            watch: Duration::from_secs(120),
            calm: Duration::from_secs(90),
        }
    }
}

#[derive(Debug, Default)]
struct HealthState {
    last_beat: Option<Instant>,
    /// The start of every pass that runs, by a number that is never used again: the first one is the oldest.
    running: BTreeMap<u64, Instant>,
    next_id: u64,
    ready: bool,
    /// The watches that fail.
    failing: BTreeMap<Watch, Failing>,
}

/// The watch of a kind, or that of a kind in one namespace among several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watch {
    /// The Kubernetes kind.
    pub kind: String,
    /// None: in all namespaces that are watched.
    pub namespace: Option<String>,
}

impl Watch {
    /// The watch of a kind, wherever it is watched.
    pub fn of(kind: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: None }
    }

    /// The watch of a kind in one namespace among several.
    pub fn within(kind: &str, namespace: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: Some(namespace.to_owned()) }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.kind)?;
        match &self.namespace {
            Some(namespace) => write!(formatter, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// A row of failures of one watch.
#[derive(Clone, Copy, Debug)]
struct Failing {
    first: Instant,
    last: Instant,
    /// Set if the API server does not allow this watch: the number of namespaces in which its kind is watched.
    refused_of: Option<usize>,
}

impl Health {
    /// The health of a process that starts: live, and not ready.
    pub fn new(limits: HealthLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Notes that the controller's loop runs. From the first call on, it has to be called in time.
    pub fn beat(&self) {
        self.state().last_beat = Some(Instant::now());
    }

    /// Notes that a pass begins; it ends when the guard is dropped.
    pub fn reconciling(self: &Arc<Self>) -> Reconciling {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        state.running.insert(id, Instant::now());
        Reconciling { health: Arc::clone(self), id }
    }

    /// How many passes run.
    #[cfg(test)]
    pub(crate) fn running(&self) -> usize {
        self.state().running.len()
    }

    /// Notes that a watch has failed. It tries again by itself.
    pub fn watch_failed(&self, watch: &Watch) {
        self.watch_failed_at(watch, None, Instant::now());
    }

    /// Notes that the watch of one namespace among `of` is not allowed. It tries again by itself. Whoever may edit RoleBindings
    /// there can bring that about, so the replica stays ready for the other namespaces, as long as there is one.
    pub fn watch_refused(&self, watch: &Watch, of: usize) {
        self.watch_failed_at(watch, Some(of), Instant::now());
    }

    fn watch_failed_at(&self, watch: &Watch, refused_of: Option<usize>, now: Instant) {
        let mut state = self.state();
        let new = Failing { first: now, last: now, refused_of };
        let failing = state.failing.entry(watch.clone()).or_insert(new);
        if now.saturating_duration_since(failing.last) > self.limits.calm {
            failing.first = now;
        }
        (failing.last, failing.refused_of) = (now, refused_of);
    }

    /// Notes that a watch has delivered something.
    pub fn watch_worked(&self, watch: &Watch) {
        self.state().failing.remove(watch);
    }

    /// Returns for how long this watch has failed again and again. A watch that works says nothing as long as nothing happens,
    /// so it counts as working when it has not failed for a while.
    pub fn failing(&self, watch: &Watch) -> Duration {
        self.failing_at(watch, Instant::now())
    }

    fn failing_at(&self, watch: &Watch, now: Instant) -> Duration {
        let failing = self.state().failing.get(watch).copied();
        failing.map_or(Duration::ZERO, |failing| self.lasts(&failing, now))
    }

    fn lasts(&self, failing: &Failing, now: Instant) -> Duration {
        let is_recent = now.saturating_duration_since(failing.last) <= self.limits.calm;
        if is_recent { now.saturating_duration_since(failing.first) } else { Duration::ZERO }
    }

    /// Notes that every kind has been listed once. From then on a replica is ready, except while a watch fails.
    pub fn set_ready(&self) {
        self.state().ready = true;
    }

    /// Returns whether the process makes progress, as `/livez` answers it.
    ///
    /// # Errors
    /// When something hangs: what, and for how long.
    pub fn live(&self) -> Result<(), String> {
        self.live_at(Instant::now())
    }

    fn live_at(&self, now: Instant) -> Result<(), String> {
        let state = self.state();
        let silence = state.last_beat.map(|beat| now.saturating_duration_since(beat));
        if let Some(silence) = silence.filter(|silence| *silence > self.limits.heartbeat) {
            return Err(format!("the controller's loop has been silent for {} s", silence.as_secs()));
        }
        let oldest = state.running.values().next().map(|start| now.saturating_duration_since(*start));
        match oldest.filter(|age| *age > self.limits.reconcile) {
            Some(age) => Err(format!("a reconcile has been running for {} s", age.as_secs())),
            None => Ok(()),
        }
    }

    /// Returns whether this replica could act now, as `/readyz` answers it.
    ///
    /// # Errors
    /// As long as not every kind has been listed, or while a watch fails.
    pub fn ready(&self) -> Result<(), String> {
        self.ready_at(Instant::now())
    }

    fn ready_at(&self, now: Instant) -> Result<(), String> {
        let state = self.state();
        if !state.ready {
            return Err("starting".to_owned());
        }
        let all = state
            .failing
            .iter()
            .map(|(watch, failing)| (self.lasts(failing, now), watch, failing.refused_of));
        let long: Vec<_> = all.filter(|(time, ..)| *time > self.limits.watch).collect();
        let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, watch, _) in long.iter().filter(|(.., of)| of.is_some()) {
            *refused.entry(&watch.kind).or_default() += 1;
        }
        let is_refused_everywhere =
            |kind: &str, of: usize| refused.get(kind).is_some_and(|count| *count >= of);
        let counts = |(_, watch, of): &&(Duration, &Watch, Option<usize>)| {
            of.is_none_or(|of| is_refused_everywhere(&watch.kind, of))
        };
        match long.iter().filter(counts).max() {
            Some((time, watch, _)) => {
                Err(format!("the watch of {watch} has failed for {} s", time.as_secs()))
            }
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Reconciling {
    health: Arc<Health>,
    id: u64,
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        self.health.state().running.remove(&self.id);
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
