//! The rules of the leader election. Pure: they decide from what the Lease says and from when this process learned
//! it.
//!
//! The loop in the module `renewal` drives [`step`]: it passes one [`Observation`] and carries out the [`Command`]
//! that comes back. The rules use no clock and no client themselves, and never another machine's timestamps.
//!
//! Two leaders never overlap as long as nobody deletes the Lease, for these reasons:
//! - Every write names the resourceVersion that it is based on, so the writes form one chain.
//! - A leader counts its validity of `renew_deadline` from the *start* of its last acknowledged renewal.
//! - A candidate claims only a resourceVersion that it has known for a full `duration`, which is longer than
//!   `renew_deadline`, or one that says "released". A renewal that it did not see makes its claim fail. A renewal
//!   that it did see started before that, so its validity is over.
//!
//! A candidate that saw the Lease disappear, or come back as another object, also waits for a full duration, whatever
//! happens to the new Lease in the meantime. A process that starts right after a deletion can't know of it. It may
//! overlap with the old leader until that leader's next renewal fails. Their terms differ even then, by the uid of
//! the Lease.
//!
//! The rules do not cover a machine that stops without its monotonic clock noticing (a suspended VM). That is why the
//! operator also stamps the term's epoch on its objects. The Lease alone is not a fence.

use std::time::{Duration, Instant};

use super::{LeaseConfig, LossReason};

/// What one version of the Lease says. Its times are left out on purpose, because other machines' clocks wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// uid of the object. A Lease that was deleted and created again has another one.
    pub uid: String,
    /// The version that the next write must name.
    pub resource_version: String,
    /// `holderIdentity`. It is empty after the Lease was released.
    pub holder: String,
    /// `leaseTransitions`, the epoch of the holder.
    pub transitions: i64,
    /// `leaseDurationSeconds`, the time for which the holder asks others to wait.
    pub declared: Duration,
}

/// What the loop reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The pause of [`Command::Wait`] is over, or the loop has just started.
    Wake,
    /// A read was answered. `None` means that there is no such Lease.
    Read(Option<Snapshot>),
    /// A write was acknowledged. This is the Lease as it is stored now.
    Written(Snapshot),
    /// A write was refused, because its precondition no longer holds.
    Refused,
    /// There was no usable answer. A write may have happened, or may still happen.
    Unknown,
    /// The process wants to stop, and releases the Lease if it holds it.
    Resign,
}

/// What the loop has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read the Lease.
    Read,
    /// Create the Lease with this process as its holder.
    Create,
    /// Replace the Lease, with the uid and resourceVersion of `based_on` as precondition.
    Replace {
        /// The version that this write is based on.
        based_on: Snapshot,
        /// What the write is for.
        purpose: Purpose,
    },
    /// Wait until then, or until the process wants to stop.
    Wait(Instant),
    /// End the loop.
    Stop,
}

/// What a replacement of the Lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To take it over, with the next epoch.
    Claim,
    /// To keep it, with the same epoch.
    Renew,
    /// To release it.
    Release,
}

/// The state of this process in the election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not lead, and tries to.
    Candidate(Candidate),
    /// It leads until [`Leader::valid_until`].
    Leader(Leader),
    /// It was leader or candidate, and will not be again.
    Ended(LossReason),
}

/// A process that waits until it may claim the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    seen_lease: Seen,
    /// The time from which the Lease, as last seen, may be claimed.
    free_at: Instant,
    /// The holder of a deleted Lease may still consider itself leader until this time, whatever happens to the next
    /// Lease.
    old_term_until: Instant,
    /// The start of the current attempt. The next one starts `retry_period` later.
    started: Instant,
    /// This process has sent a claim. If the Lease names this process, then that is a claim whose answer was lost.
    claimed: bool,
}

/// What a candidate last saw.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// No Lease, since this process started.
    Nothing,
    /// A Lease that was deleted.
    Gone,
    Lease(Snapshot),
}

/// A process that holds the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The Lease as it was last acknowledged or read.
    lease: Snapshot,
    /// The time after which no write of this process may be in flight.
    valid_until: Instant,
    /// The start of the current attempt to renew.
    started: Instant,
    /// This attempt was refused once, and the Lease was read again.
    reread: bool,
    leaving: bool,
}

impl Leader {
    /// Returns the uid of the Lease that this process holds.
    pub fn uid(&self) -> &str {
        &self.lease.uid
    }

    /// Returns the number of the term. It does not change while this process leads.
    pub fn epoch(&self) -> i64 {
        self.lease.transitions
    }

    /// Returns the start of the last acknowledged renewal plus `renew_deadline`.
    pub fn valid_until(&self) -> Instant {
        self.valid_until
    }

    /// Returns true if the process has resigned. It still holds the Lease, but must not write any more.
    pub fn leaving(&self) -> bool {
        self.leaving
    }
}

impl State {
    /// Returns the state of a process that has not read the Lease yet.
    pub fn new(now: Instant) -> Self {
        Self::Candidate(Candidate {
            seen_lease: Seen::Nothing,
            free_at: now,
            old_term_until: now,
            started: now,
            claimed: false,
        })
    }
}

/// Makes one step of the election: takes the state and what was just observed, and returns the new state and what to
/// do.
pub fn step(cfg: &LeaseConfig, state: State, seen: Observation, now: Instant) -> (State, Command) {
    match state {
        State::Candidate(candidate) => candidate.step(cfg, seen, now),
        State::Leader(leader) => leader.step(cfg, seen, now),
        State::Ended(reason) => (State::Ended(reason), Command::Stop),
    }
}

fn ended(reason: LossReason) -> (State, Command) {
    (State::Ended(reason), Command::Stop)
}

impl Candidate {
    fn step(mut self, cfg: &LeaseConfig, seen: Observation, now: Instant) -> (State, Command) {
        match seen {
            Observation::Wake => {
                self.started = now;
                (State::Candidate(self), Command::Read)
            }
            Observation::Read(lease) => {
                self.observe(cfg, lease, now);
                self.claim_or_wait(cfg, now)
            }
            Observation::Written(lease) if now < self.started + cfg.renew_deadline => {
                Leader::begin(cfg, lease, self.started)
            }
            // The answer comes so late that the term would be over already. It shows a Lease nonetheless: if that is gone
            // with the next read, somebody else may have held it.
            Observation::Written(lease) => {
                self.observe(cfg, Some(lease), now);
                let pause = Command::Wait(now.max(self.started + cfg.retry_period));
                (State::Candidate(self), pause)
            }
            Observation::Refused | Observation::Unknown => {
                let pause = Command::Wait(now.max(self.started + cfg.retry_period));
                (State::Candidate(self), pause)
            }
            Observation::Resign => ended(LossReason::Released),
        }
    }

    /// Compares the Lease with what was seen before, and sets the time from which it may be claimed.
    fn observe(&mut self, cfg: &LeaseConfig, lease: Option<Snapshot>, now: Instant) {
        let is_gone = match (&self.seen_lease, &lease) {
            (Seen::Lease(old), Some(new)) if old.uid != new.uid => true,
            (Seen::Lease(old), Some(new)) if old.resource_version == new.resource_version => return,
            // Others may have held it in the meantime, without this process seeing it.
            (Seen::Gone, Some(_)) | (Seen::Lease(_), None) => true,
            (Seen::Lease(_), Some(_)) | (Seen::Nothing, _) | (Seen::Gone, None) => false,
        };
        if is_gone {
            // The leader may not have noticed yet that the Lease was deleted or replaced.
            self.old_term_until = now + cfg.duration;
        }
        let is_mine = |lease: &Snapshot| self.claimed && lease.holder == cfg.identity;
        let held = lease.as_ref().filter(|lease| !lease.holder.is_empty() && !is_mine(lease));
        let wait = held.map_or(Duration::ZERO, |held| cfg.duration.max(held.declared));
        self.free_at = self.old_term_until.max(now + wait);
        self.seen_lease = match lease {
            Some(lease) => Seen::Lease(lease),
            None if self.seen_lease == Seen::Nothing => Seen::Nothing,
            None => Seen::Gone,
        };
    }

    fn claim_or_wait(mut self, cfg: &LeaseConfig, now: Instant) -> (State, Command) {
        if now < self.free_at {
            let next = (self.started + cfg.retry_period).min(self.free_at);
            return (State::Candidate(self), Command::Wait(next.max(now)));
        }
        // The validity counts from the start of the request that is acknowledged.
        self.started = now;
        self.claimed = true;
        let command = match &self.seen_lease {
            Seen::Nothing | Seen::Gone => Command::Create,
            Seen::Lease(lease) => Command::Replace { based_on: lease.clone(), purpose: Purpose::Claim },
        };
        (State::Candidate(self), command)
    }
}

impl Leader {
    fn begin(cfg: &LeaseConfig, lease: Snapshot, started: Instant) -> (State, Command) {
        let valid_until = started + cfg.renew_deadline;
        let leader = Self { lease, valid_until, started, reread: false, leaving: false };
        (State::Leader(leader), Command::Wait(started + cfg.retry_period))
    }

    fn step(mut self, cfg: &LeaseConfig, seen: Observation, now: Instant) -> (State, Command) {
        // This comes first, whatever was observed: to everybody else, this term is over by now.
        if now >= self.valid_until {
            return self.over(LossReason::Expired);
        }
        match seen {
            Observation::Wake => {
                self.reread = false;
                self.write(now)
            }
            Observation::Resign => {
                self.leaving = true;
                self.reread = false;
                self.write(now)
            }
            Observation::Written(_) if self.leaving => self.over(LossReason::Released),
            Observation::Written(lease) => match self.mine(cfg, &lease) {
                Ok(()) => {
                    self.lease = lease;
                    self.valid_until = self.started + cfg.renew_deadline;
                    self.pause(cfg, now)
                }
                Err(reason) => self.over(reason),
            },
            Observation::Read(None) => self.over(LossReason::Deleted),
            Observation::Read(Some(lease)) => match self.mine(cfg, &lease) {
                Ok(()) => {
                    self.lease = lease;
                    self.write(now)
                }
                Err(reason) => self.over(reason),
            },
            Observation::Refused if self.reread => self.pause(cfg, now),
            Observation::Refused => {
                self.reread = true;
                (State::Leader(self), Command::Read)
            }
            // Try again with the same version. If the lost write did happen, the next one is refused, and the Lease
            // is read.
            Observation::Unknown => self.pause(cfg, now),
        }
    }

    /// Ends the term. If the process has resigned, the reason is `Released` even if the release failed: the Lease
    /// then expires by itself.
    fn over(&self, reason: LossReason) -> (State, Command) {
        ended(if self.leaving { LossReason::Released } else { reason })
    }

    fn mine(&self, cfg: &LeaseConfig, lease: &Snapshot) -> Result<(), LossReason> {
        if lease.uid != self.lease.uid {
            return Err(LossReason::Replaced);
        }
        if lease.holder != cfg.identity || lease.transitions != self.lease.transitions {
            return Err(LossReason::TakenOver { by: lease.holder.clone() });
        }
        Ok(())
    }

    fn write(mut self, now: Instant) -> (State, Command) {
        self.started = now;
        let purpose = if self.leaving { Purpose::Release } else { Purpose::Renew };
        let command = Command::Replace { based_on: self.lease.clone(), purpose };
        (State::Leader(self), command)
    }

    fn pause(self, cfg: &LeaseConfig, now: Instant) -> (State, Command) {
        let next = (self.started + cfg.retry_period).max(now).min(self.valid_until);
        (State::Leader(self), Command::Wait(next))
    }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "election_sim.rs"]
mod sim;
