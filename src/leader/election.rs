//! PURE: who may lead, decided from what the Lease said and when this process's own clock heard it.
//!
//! [`step`] is driven by the loop in the parent module: it gets one [`Observation`], answers with one
//! [`Command`], and never looks at a clock, a client or another machine's timestamps itself.
//!
//! Why two leaders never overlap, as long as nobody deletes the Lease:
//! - Every write carries the resourceVersion it is based on, so writes form one chain.
//! - A leader counts its validity from the *start* of its last acknowledged renewal, for `renew_deadline`.
//! - A candidate claims only a resourceVersion that it has known for a full `duration > renew_deadline`
//!   (or one that says "released"). Any renewal it did not see makes that claim fail; any renewal it did see
//!   started before it was seen, so its validity has run out.
//!
//! A candidate that saw the Lease disappear, or come back as another object, waits a full duration too, whatever
//! becomes of the new one meanwhile. A process that starts right after a deletion can't know of it: it may overlap
//! with the old leader until that one's next renewal fails. Terms differ even then, by the Lease's uid.
//!
//! Not covered: a machine that stops without its monotonic clock noticing (a suspended VM). That is why the
//! term's epoch is stamped on what the operator writes; the Lease alone is not a fence.

use std::time::{Duration, Instant};

use super::{LeaseConfig, LossReason};

/// What one version of the Lease says. Times on it are other machines' and are left out on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// uid of the object; a Lease that was deleted and created again has another one.
    pub uid: String,
    /// The version that the next write has to be based on.
    pub resource_version: String,
    /// `holderIdentity`; empty when the Lease was released.
    pub holder: String,
    /// `leaseTransitions`: the epoch of the holder.
    pub transitions: i64,
    /// `leaseDurationSeconds`: how long the holder asks others to wait.
    pub declared: Duration,
}

/// What the loop reports back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The pause asked for by [`Command::Wait`] is over (also: the loop has just started).
    Wake,
    /// A read was answered; `None` when there is no such Lease.
    Read(Option<Snapshot>),
    /// A write was acknowledged, with the Lease as it is now stored.
    Written(Snapshot),
    /// A write was refused: its precondition no longer holds.
    Refused,
    /// No usable answer. A write may or may not have happened, or may still happen.
    Unknown,
    /// The process wants to stop: give the Lease back, if it is held.
    Resign,
}

/// What the loop has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read the Lease.
    Read,
    /// Create the Lease, held by this process.
    Create,
    /// Replace the Lease, with `based_on`'s uid and resourceVersion as precondition.
    Replace {
        /// The version this write is based on.
        based_on: Snapshot,
        /// What the write is for.
        purpose: Purpose,
    },
    /// Do nothing until then, unless asked to resign.
    Wait(Instant),
    /// Nothing left to do.
    Stop,
}

/// Why the Lease is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Take it over, with the next epoch.
    Claim,
    /// Keep it, same epoch.
    Renew,
    /// Hand it back.
    Release,
}

/// Where this process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not leading, trying to.
    Candidate(Candidate),
    /// Leading while the clock says so ([`Leader::valid_until`]).
    Leader(Leader),
    /// Was leader or candidate; never again in this process.
    Ended(LossReason),
}

/// A process that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    sight: Sight,
    /// When the Lease as last seen may be claimed.
    free_at: Instant,
    /// Until then whoever held a Lease that is gone may still lead, whatever becomes of the next one.
    bereft_until: Instant,
    /// Start of the current attempt; the next one starts `retry_period` later.
    started: Instant,
    /// A claim was sent at some time. A holder of our own name is then a claim whose answer was lost.
    claimed: bool,
}

/// What a candidate last saw.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    /// No Lease so far, in this process's whole life.
    Nothing,
    /// There was one and it is gone.
    Gone,
    Lease(Snapshot),
}

/// A process that holds the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The Lease as last acknowledged or re-read.
    lease: Snapshot,
    /// No write of this process may be in flight after this.
    valid_until: Instant,
    /// Start of the current attempt to renew.
    started: Instant,
    /// This attempt was refused once and has re-read the Lease.
    reread: bool,
    leaving: bool,
}

impl Leader {
    /// uid of the Lease that is held.
    pub fn uid(&self) -> &str {
        &self.lease.uid
    }

    /// Constant for as long as this process leads.
    pub fn epoch(&self) -> i64 {
        self.lease.transitions
    }

    /// The start of the last acknowledged renewal plus `renew_deadline`.
    pub fn valid_until(&self) -> Instant {
        self.valid_until
    }

    /// True once the process has resigned: it still holds the Lease, and must not act.
    pub fn leaving(&self) -> bool {
        self.leaving
    }
}

impl State {
    /// A process that has seen nothing yet.
    pub fn new(now: Instant) -> Self {
        Self::Candidate(Candidate {
            sight: Sight::Nothing,
            free_at: now,
            bereft_until: now,
            started: now,
            claimed: false,
        })
    }
}

/// The whole of the election: what is known, what has just been heard, and what to do about it.
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
                self.look(cfg, lease, now);
                self.claim_or_wait(cfg, now)
            }
            // An answer so late that the term would be over already is as good as none.
            Observation::Written(lease) if now < self.started + cfg.renew_deadline => {
                Leader::begin(cfg, lease, self.started)
            }
            Observation::Written(_) | Observation::Refused | Observation::Unknown => {
                let pause = Command::Wait(now.max(self.started + cfg.retry_period));
                (State::Candidate(self), pause)
            }
            Observation::Resign => ended(LossReason::Released),
        }
    }

    /// Compare with what was seen before, and set the time from which the Lease may be claimed.
    fn look(&mut self, cfg: &LeaseConfig, lease: Option<Snapshot>, now: Instant) {
        let is_gone = match (&self.sight, &lease) {
            (Sight::Lease(old), Some(new)) if old.uid != new.uid => true,
            (Sight::Lease(old), Some(new)) if old.resource_version == new.resource_version => return,
            // Others may have come and gone unseen since.
            (Sight::Gone, Some(_)) | (Sight::Lease(_), None) => true,
            (Sight::Lease(_), Some(_)) | (Sight::Nothing, _) | (Sight::Gone, None) => false,
        };
        if is_gone {
            // Whoever led may not have noticed yet that the Lease was deleted or replaced.
            self.bereft_until = now + cfg.duration;
        }
        let is_mine = |lease: &Snapshot| self.claimed && lease.holder == cfg.identity;
        let held = lease.as_ref().filter(|lease| !lease.holder.is_empty() && !is_mine(lease));
        let wait = held.map_or(Duration::ZERO, |held| cfg.duration.max(held.declared));
        self.free_at = self.bereft_until.max(now + wait);
        self.sight = match lease {
            Some(lease) => Sight::Lease(lease),
            None if self.sight == Sight::Nothing => Sight::Nothing,
            None => Sight::Gone,
        };
    }

    fn claim_or_wait(mut self, cfg: &LeaseConfig, now: Instant) -> (State, Command) {
        if now < self.free_at {
            let next = (self.started + cfg.retry_period).min(self.free_at);
            return (State::Candidate(self), Command::Wait(next.max(now)));
        }
        // Validity counts from the start of the request that is acknowledged.
        self.started = now;
        self.claimed = true;
        let command = match &self.sight {
            Sight::Nothing | Sight::Gone => Command::Create,
            Sight::Lease(lease) => Command::Replace { based_on: lease.clone(), purpose: Purpose::Claim },
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
        // First of all, and whatever the news is: others have been told that this term is over by now.
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
            // Try again with the same version: if the lost write did happen, that one is refused, and re-read.
            Observation::Unknown => self.pause(cfg, now),
        }
    }

    /// However a resignation ends, it is one: what is left of the Lease runs out by itself.
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
