//! The loop that drives the election, on a thread of its own.

use std::time::Instant;

use anyhow::Context;
use bluegreen_client::connection::for_decisions;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Hold, Leadership, LeaseConfig, LossReason, Standing, Term,
    election::{Command, Leader, Observation, State, step},
    lease::LeaseStore,
};

/// Runs the election, and renews the Lease until leadership is over or no longer wanted.
pub(super) fn run(
    kube: kube::Config,
    cfg: LeaseConfig,
    shutdown: CancellationToken,
    won: oneshot::Sender<Leadership>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("can't start the runtime that renews the lease")?;
    runtime.block_on(async {
        // With a retry, the acknowledged request would have started later than this process assumes.
        // The client is built here because its connections belong to the runtime on which it is built.
        let client = kube::Client::try_from(for_decisions(kube, cfg.request_timeout()))
            .context("can't build the client for the lease")?;
        info!(namespace = %cfg.namespace, lease = %cfg.name, identity = %cfg.identity, "waiting for leadership");
        let store = LeaseStore::new(client, cfg.clone());
        elect(&cfg, store, Handle::Candidate { won, shutdown }).await
    })
}

/// # Errors
/// The API server's data was restored from a backup. A new process lists everything again.
async fn elect(cfg: &LeaseConfig, mut store: LeaseStore, mut handle: Handle) -> anyhow::Result<()> {
    let mut state = State::new(Instant::now());
    let mut seen = Observation::Wake;
    loop {
        let (next, command) = step(cfg, state, seen, Instant::now());
        state = next;
        handle = handle.publish(cfg, &state);
        seen = match command {
            Command::Read => store.read().await,
            Command::Create => store.create().await,
            Command::Replace { based_on, purpose } => store.replace(&based_on, purpose).await,
            Command::Wait(until) => tokio::select! {
                biased;
                stop = handle.stop() => match stop {
                    Stop::Release => Observation::Resign,
                    Stop::LetExpire => return Ok(()),
                },
                () = tokio::time::sleep_until(until.into()) => Observation::Wake,
            },
            Command::Stop => return Ok(()),
        };
        if store.went_back() {
            handle.give_up(&LossReason::Restored);
            anyhow::bail!("{}; this process ends, so that everything is listed again", LossReason::Restored);
        }
    }
}

/// The loop's handle to the rest of the process: whom to tell about the state, and who may end the loop.
enum Handle {
    Candidate { won: oneshot::Sender<Leadership>, shutdown: CancellationToken },
    Leading { standing: watch::Sender<Standing>, resign: CancellationToken, alive: oneshot::Sender<()> },
    Releasing { _standing: watch::Sender<Standing>, _alive: oneshot::Sender<()> },
    Ended,
}

enum Stop {
    Release,
    LetExpire,
}

impl Handle {
    async fn stop(&mut self) -> Stop {
        match self {
            Self::Candidate { won, shutdown } => {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = won.closed() => {}
                }
                Stop::Release
            }
            Self::Leading { resign, alive, .. } => tokio::select! {
                biased;
                () = resign.cancelled() => Stop::Release,
                // The leadership was dropped and not released. Writes may be in flight, so the Lease has to expire by
                // itself.
                () = alive.closed() => Stop::LetExpire,
            },
            Self::Releasing { .. } | Self::Ended => std::future::pending().await,
        }
    }

    /// Tells the holder of a [`Leadership`], if there is one, that it is over. The Lease expires by itself.
    fn give_up(&self, reason: &LossReason) {
        if let Self::Leading { standing, .. } = self {
            end(standing, reason.clone());
        }
    }

    /// Tells the holder of the [`Leadership`] about the new state.
    fn publish(self, cfg: &LeaseConfig, state: &State) -> Self {
        match (self, state) {
            (Self::Candidate { won, .. }, State::Leader(leader)) => begin_term(cfg, leader, won),
            (Self::Leading { standing, resign, alive }, State::Leader(leader)) if leader.leaving() => {
                end(&standing, LossReason::Released);
                drop(resign);
                Self::Releasing { _standing: standing, _alive: alive }
            }
            (Self::Leading { standing, resign, alive }, State::Leader(leader)) => {
                standing.send_replace(Standing::Leading { valid_until: leader.valid_until() });
                Self::Leading { standing, resign, alive }
            }
            (Self::Leading { standing, .. }, State::Ended(reason)) => {
                end(&standing, reason.clone());
                Self::Ended
            }
            (Self::Releasing { .. }, State::Ended(_)) => Self::Ended,
            (handle, State::Candidate(_) | State::Leader(_) | State::Ended(_)) => handle,
        }
    }
}

fn begin_term(cfg: &LeaseConfig, leader: &Leader, won: oneshot::Sender<Leadership>) -> Handle {
    let term = Term {
        lease_namespace: cfg.namespace.clone(),
        lease_name: cfg.name.clone(),
        lease_uid: leader.uid().to_owned(),
        epoch: leader.epoch(),
    };
    debug!(epoch = term.epoch, lease_uid = %term.lease_uid, "became leader");
    let (standing, listener) = watch::channel(Standing::Leading { valid_until: leader.valid_until() });
    let (alive, holder_alive) = oneshot::channel();
    let resign = CancellationToken::new();
    let hold = Hold::Lease { resign: resign.clone(), alive: holder_alive };
    if won.send(Leadership::new(term, listener, hold)).is_err() {
        // Nobody waits for the leadership any more, so nobody has written anything: release the Lease.
        resign.cancel();
    }
    Handle::Leading { standing, resign, alive }
}

fn end(standing: &watch::Sender<Standing>, reason: LossReason) {
    info!(%reason, "leadership is over");
    standing.send_replace(Standing::Lost { reason, since: Instant::now() });
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
