//! Exhaustive model of the operator: the *production* planner, driven as `reconcile` drives it, against an
//! abstract cluster in which requests are lost, delayed past their timeout and committed late, leaders crash or
//! are deposed without knowing, caches and EndpointSlices lag, and the user edits at any moment.
//!
//! | file | holds |
//! |---|---|
//! | [`objects`] | the app's objects |
//! | [`request`] | what is asked of the API server |
//! | [`world`] | the objects, the controllers, requests in flight |
//! | `facts` | what a controller saw → the planner's facts, as `observe` does it |
//! | `driver` | look, plan, write: as `reconcile`, `memory` and `apply` do it |
//! | `narrow` | the look by name that confirms a switch |
//! | `report` | the status that a look leads to, as far as it is read back |
//! | `server` | what a request does when it arrives |
//! | `promises` | which promise it may break by that |
//! | `environment` | Kubernetes' own controllers, the user, time |
//! | [`steps`] | every step that is possible in a state |
//! | [`checks`] | the checks of a switch, and their Jobs |
//! | `canonical` | states that behave alike, as one |
//! | [`explore`] | breadth first over all of them |
//! | `found` | the states that were found |
//! | [`liveness`] | does every state lead to what the spec asks for? |
//! | [`story`] | a path in words |
//! | [`picture`] | the objects as somebody outside sees them |
//! | [`replay`] | is what really happened something that these rules allow? |
//!
//! resourceVersions are not numbers here: every copy that was read, and every request that carries one, holds a
//! bit that says whether the object is still the one that was read. That keeps the state space finite without
//! losing anything, since preconditions compare for equality alone.

mod canonical;
pub mod checks;
#[cfg(test)]
mod concrete;
mod driver;
mod environment;
#[cfg(test)]
mod every_event;
pub mod explore;
mod facts;
mod fingerprint;
mod found;
pub mod liveness;
mod narrow;
pub mod objects;
mod observer;
pub mod picture;
mod promises;
pub mod replay;
mod report;
pub mod request;
#[cfg(test)]
mod sample;
mod server;
pub mod steps;
pub mod story;
pub mod world;

pub use checks::Gates;
use clap::{Args, ValueEnum};

/// What may happen, and how often: the size of an exploration.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Edits of the spec.
    #[arg(long, default_value_t = 0)]
    pub edits: u8,
    /// Which edits.
    #[arg(long, default_value = "daily")]
    pub scope: Scope,
    /// Things that happen to the children: deletions, foreign edits, pods that turn unready.
    #[arg(long, default_value_t = 0)]
    pub mishaps: u8,
    /// Crashes of a controller, and requests whose result stays unknown (and which may commit at any later time).
    #[arg(long, default_value_t = 0)]
    pub faults: u8,
    /// Times that the other controller takes the lead while the one before goes on as if nothing had happened.
    #[arg(long, default_value_t = 0)]
    pub takeovers: u8,
    /// How the idle color is kept.
    #[arg(long, default_value = "reduced")]
    pub idle: Idle,
    /// A look begins only in a state in which up-to-date caches give a reason for it; else it may begin at any time.
    /// What a needless look reads is no reason to write, unless something changes while it reads, and then an
    /// earlier or later look, with a reason, can read the same.
    #[arg(long)]
    pub prompted: bool,
    /// A switch may also be confirmed by a look by name, which partly rests on caches, as old as they may be.
    #[arg(long)]
    pub narrow: bool,
    /// What a deposed leader still does.
    #[arg(long, default_value = "sends")]
    pub deposed: Deposed,
    /// Which checks the app has.
    #[arg(long, default_value = "none")]
    pub checks: Gates,
    /// Starts from an app without children, instead of one in which blue has been serving for long.
    #[arg(long)]
    pub from_nothing: bool,
}

/// Which edits of the spec there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Those of every day: `active`, either tag, both in one, a shared field, `replicas`, `paused`.
    #[default]
    Daily,
    /// `active` alone: to and fro, as often as there are edits.
    Flips,
    /// `active`, and `replicas` of one, two and three.
    Sizes,
    /// `active`, the tags, `paused`, the removal of a block, and whether checks decide: what matters to checks.
    Checked,
    /// Those of every day, `activeUpdatePolicy`, and the removal and return of a color's block.
    All,
}

/// How the idle color is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Idle {
    /// As large as the live one.
    #[default]
    Warm,
    /// Scaled to zero after its drain.
    Reduced,
    /// Scaled to zero when its timer has run out, at any time after its drain.
    Timed,
}

/// What a leader does after another has taken over, until it notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Deposed {
    /// What it had asked its tenure for: requests that it was about to send are sent, at any time. This is what the
    /// code guarantees, since it asks before every write, if a process that is frozen right after the question counts
    /// as the network's delay.
    #[default]
    Sends,
    /// It finishes the pass that it is in, as if it asked once a pass. More than the code allows.
    Finishes,
    /// It begins pass after pass. Much more than the code allows.
    GoesOn,
}

/// The guards that keep a switch safe. All on is the production code; each can be taken out, to see that the
/// model notices.
///
/// A guard of the planner is taken out by lying to it about the one fact that the guard looks at: production
/// code has no switches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// A status counts only when `observedGeneration` has caught up.
    pub observed_generation: bool,
    /// The Service is stamped.
    pub service_fence: bool,
    /// The Deployments are stamped.
    pub deployment_fence: bool,
    /// The Deployments are stamped also before a plan that writes nothing but the Service.
    pub switch_fence: bool,
    /// Writes carry the resourceVersion of the copy that was planned on.
    pub precondition: bool,
    /// A plan that leads to a write rests on live reads, not on caches.
    pub live_look: bool,
    /// The color's own EndpointSlices list its pods.
    pub endpoints: bool,
    /// The old color is left alone until its drain has passed.
    pub drain: bool,
    /// Every declared field of the Deployment is compared.
    pub fields: bool,
    /// A write of unknown result begins a new attempt, and with it a new token.
    pub attempt: bool,
    /// A switch is recorded in the status before it is committed.
    pub record: bool,
    /// A leader asks for its tenure before it reports.
    pub tenure: bool,
    /// Nothing but a step of the switch rests on a look by name.
    pub narrow_alone: bool,
    /// No drain clock starts at a look by name.
    pub narrow_clock: bool,
    /// A look by name reads the target's slices.
    pub narrow_slices: bool,
    /// A look by name reads the target's revisions that it knows of, and asks for the next one.
    pub narrow_revisions: bool,
    /// A switch waits for the recorded pass of its check.
    pub verdict: bool,
    /// A verdict counts only for the switch that its Job was created for.
    pub identity: bool,
    /// The old color stays as it is until the check after the switch has its verdict.
    pub watch: bool,
    /// What was refused is not tried again.
    pub latch: bool,
    /// A revision that was left under suspicion is not exempt.
    pub unproven: bool,
    /// A revision stays under suspicion when its check has failed.
    pub failed: bool,
    /// A revision stays under suspicion until its check is over.
    pub unfinished: bool,
    /// What can't tell is not taken for a failure.
    pub inconclusive: bool,
}

impl Guards {
    /// As in production.
    pub const ALL: Self = Self {
        observed_generation: true,
        service_fence: true,
        deployment_fence: true,
        switch_fence: true,
        precondition: true,
        live_look: true,
        endpoints: true,
        drain: true,
        fields: true,
        attempt: true,
        record: true,
        tenure: true,
        narrow_alone: true,
        narrow_clock: true,
        narrow_slices: true,
        narrow_revisions: true,
        verdict: true,
        identity: true,
        watch: true,
        latch: true,
        unproven: true,
        failed: true,
        unfinished: true,
        inconclusive: true,
    };

    /// Every guard by name (but `narrow_revisions`, for which it takes more edits than can be explored: it has a test of its
    /// own), with the guards that remain without it and a bound in which that shows.
    #[must_use]
    pub fn each_removed() -> Vec<(&'static str, Self, Bounds)> {
        let all = Self::ALL;
        let reduced = Bounds { edits: 2, idle: Idle::Reduced, ..Bounds::default() };
        let fault = Bounds { faults: 1, ..reduced };
        let mishap = Bounds { mishaps: 1, ..reduced };
        let flips = Bounds { scope: Scope::Flips, narrow: true, ..reduced };
        let many = Bounds { edits: 3, ..flips };
        let checked = Bounds { scope: Scope::Checked, checks: Gates::Both, ..reduced };
        // After a first activation nothing takes a color back that its check has failed.
        let first = Bounds { edits: 1, from_nothing: true, checks: Gates::After, ..checked };
        vec![
            ("observed generation", Self { observed_generation: false, ..all }, reduced),
            ("fence of the Service", Self { service_fence: false, ..all }, fault),
            ("fence of the Deployments", Self { deployment_fence: false, ..all }, fault),
            (
                "fence of the Deployments before a switch alone",
                Self { switch_fence: false, ..all },
                Bounds { idle: Idle::Warm, ..fault },
            ),
            ("resourceVersion precondition", Self { precondition: false, ..all }, fault),
            ("live look before acting", Self { live_look: false, ..all }, reduced),
            ("endpoint proof", Self { endpoints: false, ..all }, reduced),
            ("drain", Self { drain: false, ..all }, reduced),
            ("comparison of every field", Self { fields: false, ..all }, mishap),
            ("new attempt after an unknown result", Self { attempt: false, ..all }, fault),
            ("record before the switch", Self { record: false, ..all }, reduced),
            ("look by name for a switch alone", Self { narrow_alone: false, ..all }, flips),
            ("clock that stands at a look by name", Self { narrow_clock: false, ..all }, many),
            ("target's slices in a look by name", Self { narrow_slices: false, ..all }, flips),
            ("recorded pass before a switch", Self { verdict: false, ..all }, checked),
            (
                "switch that a verdict is about",
                Self { identity: false, ..all },
                Bounds { edits: 3, checks: Gates::Before, ..checked },
            ),
            ("old color that is kept for a verdict", Self { watch: false, ..all }, checked),
            ("memory of what was refused", Self { latch: false, ..all }, checked),
            (
                "suspicion of what was left unproven",
                Self { unproven: false, ..all },
                Bounds { edits: 3, ..checked },
            ),
            ("suspicion of what has failed", Self { failed: false, ..all }, first),
            ("suspicion of what is not over", Self { unfinished: false, ..all }, first),
            ("verdict that can't tell", Self { inconclusive: false, ..all }, checked),
            (
                "question for one's tenure before a report",
                Self { tenure: false, ..all },
                Bounds { takeovers: 1, deposed: Deposed::Finishes, ..fault },
            ),
        ]
    }
}
