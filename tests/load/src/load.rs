//! Keeps the schedule.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tokio::{
    net::TcpStream,
    sync::{oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    client::Worker,
    plan::Plan,
    record::{Counts, Failure, Store},
    report::{Mark, Report},
    safety,
};

/// A load that runs until [`stop`](Load::stop) is called or this is dropped.
///
/// It has a thread of its own, so that a busy program around it doesn't delay requests.
#[derive(Debug)]
pub struct Load {
    plan: Plan,
    started: Instant,
    /// When to stop, once that is known.
    end: watch::Sender<Option<Instant>>,
    done: oneshot::Receiver<Vec<u64>>,
    store: Arc<Store>,
    marks: Mutex<Vec<Mark>>,
}

impl Load {
    /// Starts to send.
    ///
    /// # Errors
    /// When the plan can't be carried out, or its target is neither this machine nor in one of its own networks and
    /// the plan doesn't allow that.
    pub fn start(plan: Plan) -> anyhow::Result<Self> {
        plan.check()?;
        if !plan.allow_remote {
            safety::check(plan.target)?;
        }
        safety::raise_open_files_limit();

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("could not start the load's runtime")?;
        let store = Arc::new(Store::default());
        let (end, ends) = watch::channel(None);
        let (finished, done) = oneshot::channel();
        let started = Instant::now();
        let run = run(plan.clone(), store.clone(), started, ends);
        std::thread::Builder::new()
            .name("load".into())
            .spawn(move || {
                // No one waits when the load was dropped.
                let _ = finished.send(runtime.block_on(run));
            })
            .context("could not start the load's thread")?;
        Ok(Self { plan, started, end, done, store, marks: Mutex::default() })
    }

    /// Waits until the target takes connections, and starts to send: kube-proxy may hear of a Service a second later
    /// than its user.
    ///
    /// # Errors
    /// When nobody answers within 30 seconds, or the load can't start.
    pub async fn once_answered(plan: Plan) -> anyhow::Result<Self> {
        let start = Instant::now();
        while TcpStream::connect(plan.target).await.is_err() {
            ensure!(start.elapsed() < Duration::from_secs(30), "nobody answers at {}", plan.target);
            sleep(Duration::from_millis(200)).await;
        }
        Self::start(plan)
    }

    /// Notes that something happens now, and returns how long the load has run.
    pub fn mark(&self, label: impl Into<String>) -> Duration {
        let at = self.started.elapsed();
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(Mark { at, label: label.into() });
        at
    }

    /// Totals so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.store.counts()
    }

    /// Starts no more requests, waits for those in flight, and reports. Every request that was due before this call is
    /// in the report. Takes up to the request timeout when the target hangs.
    ///
    /// # Errors
    /// When the load's thread has died.
    pub async fn stop(self) -> anyhow::Result<Report> {
        let end = Instant::now();
        self.end.send_replace(Some(end));
        let connections = self.done.await.context("the load's thread has died")?;
        let marks = self.marks.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Report::new(&self.plan, end - self.started, marks, &connections, self.store.take()))
    }
}

/// Runs all clients until the end, and returns how many connections each has opened.
async fn run(
    plan: Plan,
    store: Arc<Store>,
    started: Instant,
    end: watch::Receiver<Option<Instant>>,
) -> Vec<u64> {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::new();
    let mut schedules = JoinSet::new();
    for (index, client) in (0_u8..).zip(&plan.clients) {
        let worker = Arc::new(Worker::new(&plan, client));
        workers.push(worker.clone());
        let schedule = Schedule {
            index,
            worker,
            rate: client.rate_per_second,
            timeout: plan.request_timeout + client.asked_wait,
            started,
            store: store.clone(),
            in_flight: in_flight.clone(),
            max_in_flight: plan.max_in_flight,
        };
        schedules.spawn(schedule.run(end.clone()));
    }
    schedules.join_all().await;
    workers.iter().map(|worker| worker.connected()).collect()
}

/// One client's timetable.
struct Schedule {
    index: u8,
    worker: Arc<Worker>,
    rate: f64,
    timeout: Duration,
    started: Instant,
    store: Arc<Store>,
    in_flight: Arc<AtomicUsize>,
    max_in_flight: usize,
}

impl Schedule {
    async fn run(self, mut end: watch::Receiver<Option<Instant>>) {
        let mut requests = JoinSet::new();
        for turn in 0_u32.. {
            // From the start and not from the turn before, so that no delay adds up; after a delay, the turns that
            // were missed follow at once.
            let at = Duration::from_secs_f64(f64::from(turn) / self.rate);
            if !due(self.started + at, &mut end).await {
                break;
            }
            while requests.try_join_next().is_some() {}
            requests.spawn(self.request(at));
        }
        requests.join_all().await;
    }

    /// One request with the intended start `at`.
    fn request(&self, at: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.store.started();
        let intended = self.started + at;
        let (index, store, worker, limit) =
            (self.index, self.store.clone(), self.worker.clone(), self.timeout);
        let slot = Slot::take(&self.in_flight, self.max_in_flight);
        async move {
            let lateness = intended.elapsed();
            let answer = match slot {
                Some(_slot) => {
                    timeout(limit, worker.send()).await.unwrap_or_else(|_| Failure::Timeout.into())
                }
                None => Failure::Local.into(),
            };
            store.ended(index, at, lateness, intended.elapsed(), answer);
        }
    }
}

/// Waits until `turn`. False when the load ends before it.
async fn due(turn: Instant, end: &mut watch::Receiver<Option<Instant>>) -> bool {
    loop {
        let ended = *end.borrow_and_update();
        if ended.is_some_and(|end| turn >= end) {
            return false;
        }
        tokio::select! {
            () = sleep_until(turn) => return true,
            // An error means that the load was dropped, so no one wants to know any more.
            changed = end.changed() => if changed.is_err() { return false },
        }
    }
}

/// A place among the requests in flight.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(in_flight: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let slot = Self(in_flight.clone());
        (in_flight.fetch_add(1, Ordering::Relaxed) < max).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
