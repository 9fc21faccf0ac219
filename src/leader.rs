//! Leader election: two replicas of the operator run, and one of them writes.
//!
//! [`acquire`] waits until this process holds the Lease. Then it keeps renewing the Lease on a thread and with a
//! client of its own, so that a busy worker thread can't delay it. Before every write, the operator asks
//! [`Tenure::may_write`]. When [`Tenure::lost`] returns, the process ends.
//!
//! The rules are in [`election`], which is pure. `renewal` is the loop that drives them, and `lease` is the only part
//! that talks to the API server.

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

/// The settings of the leader election: which Lease, which identity, which times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease. Two installations that must not write at the same time share it.
    pub name: String,
    /// The identity of this process. It must be unique, also across restarts: see [`unique_identity`].
    pub identity: String,
    /// How long a candidate waits after the last change of the Lease before it takes over. Default 15 s.
    pub duration: Duration,
    /// How long a leader may write after the start of its last renewal. Default 10 s.
    pub renew_deadline: Duration,
    /// The time between two attempts, and the deadline of each request. Default 2 s.
    pub retry_period: Duration,
}

impl LeaseConfig {
    /// Returns a configuration with the default times.
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

    /// Checks that the times can't let two leaders overlap, and that a leader can renew in time.
    ///
    /// # Errors
    /// Names the setting that is missing, or the two settings that contradict each other.
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

    /// Returns the deadline of one request for the Lease. It is short, so that an API server that hangs costs one
    /// attempt and not the term.
    pub fn request_timeout(&self) -> Duration {
        self.retry_period
    }
}

/// One term: the time from acquiring the Lease to losing it. It does not change while it lasts, and is never used
/// twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Namespace of the Lease.
    pub lease_namespace: String,
    /// Name of the Lease.
    pub lease_name: String,
    /// uid of the Lease. The epochs of different Leases can't be compared.
    pub lease_uid: String,
    /// The number of the term: `leaseTransitions` of the Lease, which every acquisition raises.
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
        /// The identity on the Lease. It is empty if somebody released the Lease in the name of this process.
        by: String,
    },
    /// The Lease was deleted.
    #[error("the lease was deleted")]
    Deleted,
    /// The Lease is another object of the same name.
    #[error("the lease was deleted and created again")]
    Replaced,
    /// This process released the Lease.
    #[error("the lease was released")]
    Released,
    /// The API server has lost what it had stored: the cluster was restored from a backup. A watch goes on from a version that
    /// the API server has not reached again, and would miss every change until then.
    #[error(
        "the API server knows an earlier version of the lease than before: its data was restored from a backup"
    )]
    Restored,
    /// The thread that renews the Lease has ended.
    #[error("the lease is not being renewed any more")]
    Stopped,
}

#[derive(Clone, Debug)]
enum Standing {
    Leading { valid_until: Instant },
    Lost { reason: LossReason, since: Instant },
}

/// The permission to write, which is asked before every write. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenure {
    term: Arc<Term>,
    standing: watch::Receiver<Standing>,
}

impl Tenure {
    /// Returns a tenure that is valid until then, or one that is over.
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
        // The last value stays readable after its sender has been dropped.
        Self { term: Arc::new(term), standing: watch::channel(standing).1 }
    }

    /// The term this process acts in.
    pub fn term(&self) -> &Term {
        &self.term
    }

    /// Returns the time after which no write may be in flight: the start of the last acknowledged renewal plus the
    /// renew deadline, or the moment at which leadership was lost.
    pub fn valid_until(&self) -> Instant {
        match &*self.standing.borrow() {
            Standing::Leading { valid_until } => *valid_until,
            Standing::Lost { since, .. } => *since,
        }
    }

    /// Returns true if a request that gives up after `deadline` ends before this term can end.
    pub fn may_write(&self, deadline: Duration) -> bool {
        match &*self.standing.borrow() {
            // The clock decides, not the renewing thread. So a process that was frozen notices it here.
            Standing::Leading { valid_until } => Instant::now() + deadline <= *valid_until,
            Standing::Lost { .. } => false,
        }
    }

    /// Waits until leadership is over, and returns why. A process does not become leader again.
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

/// What the leading process holds. Dropping it stops the renewal. [`Leadership::release`] also gives the Lease back.
#[derive(Debug)]
pub struct Leadership {
    /// The term this process acts in.
    pub term: Term,
    tenure: Tenure,
    hold: Hold,
}

/// What keeps a tenure valid.
#[derive(Debug)]
enum Hold {
    Lease {
        resign: CancellationToken,
        /// The renewing thread has the other end. The thread stops when this end is dropped, and drops its own end
        /// when it has finished.
        alive: oneshot::Receiver<()>,
    },
    Nothing(watch::Sender<Standing>),
}

impl Leadership {
    /// Returns a leadership without a Lease, for a single operator that a person runs by hand. The epoch is the Unix
    /// time in seconds, so a later run replaces an earlier one.
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

    /// Returns a handle that everything that writes can ask.
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

    /// Releases the Lease, so that the other replica can take over at once.
    ///
    /// Call this when no write is in flight any more. From then on, [`Tenure::may_write`] returns false. Returns when
    /// the Lease is released, or when the term has ended before that succeeded.
    pub async fn release(self) {
        match self.hold {
            Hold::Lease { resign, alive } => {
                resign.cancel();
                // This waits for an error: it means that the thread has finished and dropped its end.
                let _ = alive.await;
            }
            Hold::Nothing(standing) => {
                let lost = Standing::Lost { reason: LossReason::Released, since: Instant::now() };
                standing.send_replace(lost);
            }
        }
    }
}

/// Waits until this process leads.
///
/// The client is built from `kube` on the renewing thread, without the retries of kube's default client. Returns
/// `None` if `shutdown` came first. If the shutdown comes while a successful claim is under way, the leadership is
/// still returned, and the caller has to release it.
///
/// # Errors
/// Returns an error if `cfg` contradicts itself, or if the client can't be built or the thread can't be started. It
/// is no error if the API server does not answer or refuses: that is logged and tried again.
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
    // The thread has ended, so this returns at once: an error, or nothing if `shutdown` came first.
    failure.await.map_or(Ok(None), Err)
}

/// Returns an identity `<pod or host>_<random>`. No two processes share one, not even two of the same pod.
pub fn unique_identity(pod: Option<&str>) -> String {
    use std::hash::{BuildHasher, RandomState};
    let host = std::env::var("HOSTNAME").ok();
    let name = pod.or(host.as_deref()).filter(|name| !name.is_empty()).unwrap_or("local");
    // The keys of `RandomState` come from the operating system's random numbers.
    let random = RandomState::new().hash_one((std::process::id(), std::time::SystemTime::now()));
    format!("{name}_{random:016x}")
}
