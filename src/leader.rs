//! Leadership: two replicas run, one acts.
//!
//! [`acquire`] waits until this process holds the Lease and then keeps renewing it on a thread and client of
//! its own, so that a busy worker can't starve it. Every write of the operator asks [`Tenure::may_write`]
//! first; when [`Tenure::lost`] returns, the process ends. The rules are in [`election`], which is pure;
//! `renewal` is the loop that drives them, `lease` the only part that talks to the API server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

pub mod election;
mod lease;
mod renewal;

/// Which Lease, who asks for it, and how patient everybody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease. Two installs that must not act at the same time share it.
    pub name: String,
    /// Unique for every process, also across restarts: see [`unique_identity`].
    pub identity: String,
    /// How long a candidate waits after the Lease last changed before it takes over. Default 15 s.
    pub duration: Duration,
    /// How long after its last renewal began a leader may act. Default 10 s.
    pub renew_deadline: Duration,
    /// Time between two attempts, and the deadline of each request. Default 2 s.
    pub retry_period: Duration,
}

impl LeaseConfig {
    /// The default timings.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }

    /// Refuse timings under which two leaders could overlap or one could never renew.
    ///
    /// # Errors
    /// Names the two settings that contradict each other.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.identity.is_empty(), "the lease identity is empty");
        ensure!(!self.retry_period.is_zero(), "lease retry period must be longer than 0 s");
        ensure!(
            self.duration > self.renew_deadline,
            "lease duration ({:?}) must be longer than the renew deadline ({:?})",
            self.duration,
            self.renew_deadline
        );
        ensure!(
            self.renew_deadline >= self.retry_period * 2,
            "lease renew deadline ({:?}) must be at least twice the retry period ({:?})",
            self.renew_deadline,
            self.retry_period
        );
        Ok(())
    }

    /// Deadline of one request to the Lease: an API server that hangs costs one attempt, not the term.
    pub fn request_timeout(&self) -> Duration {
        self.retry_period
    }
}

/// One period of leadership; constant while it lasts, and never used twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Namespace of the Lease.
    pub lease_namespace: String,
    /// Name of the Lease.
    pub lease_name: String,
    /// uid of the Lease; epochs of different Leases can't be compared.
    pub lease_uid: String,
    /// `leaseTransitions`, raised by every acquisition.
    pub epoch: i64,
}

/// Why leadership ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LossReason {
    /// No renewal was acknowledged in time.
    #[error("the lease was not renewed within its deadline")]
    Expired,
    /// Another process holds the Lease.
    #[error("the lease is held by {by:?}")]
    TakenOver {
        /// The identity on the Lease, empty if it was released in our name.
        by: String,
    },
    /// The Lease is gone.
    #[error("the lease was deleted")]
    Deleted,
    /// The Lease is another object of the same name.
    #[error("the lease was deleted and created again")]
    Replaced,
    /// This process gave it back.
    #[error("the lease was released")]
    Released,
    /// The thread that renews is gone.
    #[error("the lease is not being renewed any more")]
    Stopped,
}

#[derive(Clone, Debug)]
enum Standing {
    Leading { valid_until: Instant },
    Lost { reason: LossReason, since: Instant },
}

/// Proof of leadership, to be asked before every write. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenure {
    term: Arc<Term>,
    standing: watch::Receiver<Standing>,
}

impl Tenure {
    /// One that lasts until then, or is over.
    #[cfg(test)]
    pub(crate) fn for_tests(valid_until: Option<Instant>) -> Self {
        let standing = match valid_until {
            Some(valid_until) => Standing::Leading { valid_until },
            None => Standing::Lost { reason: LossReason::Expired, since: Instant::now() },
        };
        let term = Term {
            lease_namespace: "system".to_owned(),
            lease_name: "operator".to_owned(),
            lease_uid: "0a1b2c3d".to_owned(),
            epoch: 7,
        };
        // What was said last stays readable without whom said it.
        Self { term: Arc::new(term), standing: watch::channel(standing).1 }
    }

    /// The term this process acts in.
    pub fn term(&self) -> &Term {
        &self.term
    }

    /// No write may be in flight past this: the start of the last acknowledged renewal plus the renew
    /// deadline, or the moment at which leadership was lost.
    pub fn valid_until(&self) -> Instant {
        match &*self.standing.borrow() {
            Standing::Leading { valid_until } => *valid_until,
            Standing::Lost { since, .. } => *since,
        }
    }

    /// Whether a request that gives up after `deadline` ends before leadership can.
    pub fn may_write(&self, deadline: Duration) -> bool {
        match &*self.standing.borrow() {
            // Asked of the clock, not of the renewing thread: a process that was frozen finds out here.
            Standing::Leading { valid_until } => Instant::now() + deadline <= *valid_until,
            Standing::Lost { .. } => false,
        }
    }

    /// Returns when leadership is over, for good.
    pub async fn lost(&self) -> LossReason {
        let mut standing = self.standing.clone();
        loop {
            let valid_until = match standing.borrow_and_update().clone() {
                Standing::Lost { reason, .. } => return reason,
                Standing::Leading { valid_until } => valid_until,
            };
            if valid_until <= Instant::now() {
                return LossReason::Expired;
            }
            tokio::select! {
                () = tokio::time::sleep_until(valid_until.into()) => {}
                news = standing.changed() => if news.is_err() {
                    return match &*standing.borrow() {
                        Standing::Lost { reason, .. } => reason.clone(),
                        Standing::Leading { .. } => LossReason::Stopped,
                    };
                },
            }
        }
    }
}

/// Held by the process that leads. Dropping it stops the renewal; [`Leadership::release`] also hands over.
#[derive(Debug)]
pub struct Leadership {
    /// The term this process acts in.
    pub term: Term,
    tenure: Tenure,
    hold: Hold,
}

/// What keeps a tenure going.
#[derive(Debug)]
enum Hold {
    Lease {
        resign: CancellationToken,
        /// The renewing thread has the other end: it stops when this one is dropped, and drops its own when
        /// it is done.
        alive: oneshot::Receiver<()>,
    },
    Nothing(watch::Sender<Standing>),
}

impl Leadership {
    /// Act without a Lease, for one operator run by hand: the epoch is the Unix time in seconds, so that a
    /// later run supersedes an earlier one.
    pub fn unelected(namespace: &str, name: &str) -> Self {
        let term = Term {
            lease_namespace: namespace.to_owned(),
            lease_name: name.to_owned(),
            lease_uid: String::new(),
            epoch: jiff::Timestamp::now().as_second(),
        };
        let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
        let (sender, standing) =
            watch::channel(Standing::Leading { valid_until: Instant::now() + ten_years });
        Self::new(term, standing, Hold::Nothing(sender))
    }

    fn new(term: Term, standing: watch::Receiver<Standing>, hold: Hold) -> Self {
        let tenure = Tenure { term: Arc::new(term.clone()), standing };
        Self { term, tenure, hold }
    }

    /// A handle for everything that writes.
    pub fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    /// See [`Tenure::valid_until`].
    pub fn valid_until(&self) -> Instant {
        self.tenure.valid_until()
    }

    /// See [`Tenure::may_write`].
    pub fn may_write(&self, deadline: Duration) -> bool {
        self.tenure.may_write(deadline)
    }

    /// See [`Tenure::lost`].
    pub async fn lost(&self) -> LossReason {
        self.tenure.lost().await
    }

    /// Hand the Lease back so that the standby takes over at once. Call it when no write is in flight any
    /// more; from here on [`Tenure::may_write`] is false. Returns when the Lease is released, or when the term
    /// ran out in trying.
    pub async fn release(self) {
        match self.hold {
            Hold::Lease { resign, alive } => {
                resign.cancel();
                // An error is what we wait for: the thread dropped its end because it is done.
                let _ = alive.await;
            }
            Hold::Nothing(standing) => {
                let lost = Standing::Lost { reason: LossReason::Released, since: Instant::now() };
                standing.send_replace(lost);
            }
        }
    }
}

/// Wait for leadership. The client is built from `kube` on the renewing thread, without the blind retries
/// that kube's default client makes.
///
/// Returns `None` when `shutdown` came first. A shutdown that meets the very claim that succeeds still
/// returns the leadership: release it.
///
/// # Errors
/// When `cfg` contradicts itself, the client can't be built or the thread can't be started. An API server
/// that does not answer or refuses is no error: it is logged, and tried again.
pub async fn acquire(
    kube: kube::Config,
    cfg: LeaseConfig,
    shutdown: CancellationToken,
) -> anyhow::Result<Option<Leadership>> {
    cfg.check()?;
    let (won, wait) = oneshot::channel();
    let (failed, failure) = oneshot::channel();
    std::thread::Builder::new()
        .name("lease".to_owned())
        .spawn(move || {
            if let Err(err) = renewal::run(kube, cfg, shutdown, won) {
                let _ = failed.send(err);
            }
        })
        .context("can't start the thread that renews the lease")?;
    if let Ok(leadership) = wait.await {
        return Ok(Some(leadership));
    }
    // The thread is over, so this answers at once: with an error, or with nothing if `shutdown` came first.
    failure.await.map_or(Ok(None), Err)
}

/// `<pod or host>_<random>`: two processes never share it, also not two of one pod.
pub fn unique_identity(pod: Option<&str>) -> String {
    use std::hash::{BuildHasher, RandomState};
    let host = std::env::var("HOSTNAME").ok();
    let name = pod.or(host.as_deref()).filter(|name| !name.is_empty()).unwrap_or("local");
    // `RandomState` is keyed by the operating system's randomness.
    let random = RandomState::new().hash_one((std::process::id(), std::time::SystemTime::now()));
    format!("{name}_{random:016x}")
}
