//! The facts about an app's checks: those that the status records, and what their Jobs say.

use std::time::Duration;

use bluegreen_api::{CheckResult, CheckTime, Color, PerColor};

/// How many Jobs a check may have: one that is deleted before its verdict is made again once.
pub const ATTEMPTS: u8 = 2;

/// The checks of an app, as far as a decision needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checks {
    /// What the checks are about now; `None` while nothing is to be checked.
    pub run: Option<Run>,
    /// Each check of the spec, in its order, as far as it is about that run.
    pub all: Vec<CheckFacts>,
    /// What a check has refused, while the spec asks for exactly that.
    pub rejected: Option<Rejected>,
    /// The revision of each color whose checks after the switch are not over, or have found it to be bad.
    pub unproven: PerColor<Option<i64>>,
    /// As many Jobs run in the cluster as may: no other one begins now.
    pub full: bool,
    /// How many Jobs of the app nothing needs any more.
    pub strays: u8,
}

/// One try to make a color live, which checks are about. Verdicts of another run count for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The color.
    pub color: Color,
    /// Its revision.
    pub revision: i64,
    /// The `status.switch.generation` of the switch.
    pub generation: i64,
    /// The status records that switch as under way.
    pub open: bool,
    /// There is a color to go back to: another one served before, and its block is in the spec.
    pub guarded: bool,
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckFacts {
    /// When it runs.
    pub when: CheckTime,
    /// It decides something.
    pub enforced: bool,
    /// What the status records of it for this very run.
    pub recorded: Option<Verdict>,
    /// Its newest Job.
    pub job: CheckJob,
    /// What that Job's pods wait for.
    pub pods: JobPods,
}

/// What the pods of a check's Job wait for, as far as the Job shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobPods {
    /// Nothing: one is ready or has ended, or there is no Job.
    Fine,
    /// None was created yet, or it is not ready. That is worth telling after this time.
    Awaited(Duration),
    /// None was created, for longer than the Job controller takes.
    Missing,
    /// The first one is there, and not ready for longer than most images take.
    Unready,
    /// The Job is suspended.
    Suspended,
}

/// What the status records of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What it has found.
    pub result: CheckResult,
    /// How many Jobs it has had.
    pub attempts: u8,
    /// The time until its deadline.
    pub left: Duration,
}

/// The Job of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckJob {
    /// This read did not bring the Jobs.
    Unread,
    /// There is none.
    Absent,
    /// An object of its name belongs to somebody else.
    Foreign,
    /// There is one.
    Ours {
        /// Which one: the first, or the second.
        attempt: u8,
        /// What it says.
        result: CheckResult,
    },
}

/// What a check has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rejected {
    /// The color.
    pub color: Color,
    /// Whether it gated the switch or guarded it.
    pub when: CheckTime,
    /// What it found.
    pub result: CheckResult,
}

impl CheckFacts {
    /// Returns true if the check is over, as the status has it.
    pub fn is_final(&self) -> bool {
        self.recorded.is_some_and(|verdict| verdict.result.is_final())
    }

    /// Returns true if its deadline has passed without a verdict.
    pub(super) fn is_late(&self) -> bool {
        self.recorded.is_some_and(|verdict| verdict.left.is_zero())
    }

    /// Returns true if there is no Job of it, and no verdict either.
    pub(super) fn lacks_job(&self) -> bool {
        !self.is_final() && self.job == CheckJob::Absent
    }

    /// Returns true if the status records that it has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.recorded.is_some()
    }

    /// Returns true if the status records this result.
    pub(super) fn is(&self, result: CheckResult) -> bool {
        self.recorded.is_some_and(|verdict| verdict.result == result)
    }
}

impl Checks {
    /// Returns the checks of that time.
    pub fn at(&self, when: CheckTime) -> impl Iterator<Item = &CheckFacts> {
        self.all.iter().filter(move |check| check.when == when)
    }

    /// Returns true if a Job may have to be created. Only then it matters whether there is [room](Self::full).
    pub fn may_begin(&self) -> bool {
        self.run.is_some() && self.all.iter().any(CheckFacts::lacks_job)
    }
}
