//! Checks in the model: one before a switch, one after it, each a Job that ends as it likes.
//!
//! | file | holds |
//! |---|---|
//! | `seen` | what a controller saw → the planner's facts and the next status, as `observe` and `status` do it |
//! | `promises` | what only an all-seeing eye knows, and what a step would break |

mod promises;
mod seen;

use std::hash::{Hash, Hasher};

use bluegreen_api::{CheckResult, CheckTime, Color, PerColor};
use clap::ValueEnum;

pub(crate) use promises::*;
pub(crate) use seen::*;

/// Which checks the app has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Gates {
    /// None.
    #[default]
    None,
    /// One before the switch.
    Before,
    /// One after the switch.
    After,
    /// One of each.
    Both,
}

impl Gates {
    pub(crate) fn has(self, when: CheckTime) -> bool {
        match (self, when) {
            (Self::None, _) | (Self::Before, CheckTime::After) | (Self::After, CheckTime::Before) => false,
            (Self::Before | Self::Both, CheckTime::Before) | (Self::After | Self::Both, CheckTime::After) => {
                true
            }
        }
    }

    /// The times at which there is a check, in the order of the spec.
    pub(crate) fn times(self) -> impl Iterator<Item = CheckTime> {
        [CheckTime::Before, CheckTime::After].into_iter().filter(move |when| self.has(*when))
    }
}

/// As many Jobs as there may be at a time.
const JOBS: usize = 6;

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Before the switch, or after it.
    pub when: CheckTime,
    /// The color.
    pub color: Color,
    /// Its revision.
    pub revision: u8,
    /// The generation that the switch was recorded at.
    pub generation: u8,
    /// The first Job of it, or the second.
    pub attempt: u8,
}

/// A Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// What it is about: its name.
    pub of: Identity,
    /// What it says.
    pub result: CheckResult,
}

/// The Jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jobs(pub [Option<Job>; JOBS]);

/// Most states have none.
impl Hash for Jobs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().flatten().for_each(|job| job.hash(state));
        state.write_u8(u8::MAX);
    }
}

impl Jobs {
    pub(crate) fn get(&self, of: Identity) -> Option<&Job> {
        self.0.iter().flatten().find(|job| job.of == of)
    }

    pub(crate) fn add(&mut self, of: Identity) {
        if let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Job { of, result: CheckResult::Running });
        }
        self.sort();
    }

    pub(crate) fn remove(&mut self, of: Identity) {
        for slot in &mut self.0 {
            *slot = slot.filter(|job| job.of != of);
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|slot| slot.map_or((true, None), |job| (false, Some(job.of))));
    }
}

/// What the spec says of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Which checks there are.
    pub gates: Gates,
    /// The app's generation; kept only where there are checks.
    pub generation: u8,
    /// `enforce: false`.
    pub lenient: bool,
}

/// What the status says of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Noted {
    /// What it is about; its attempt is the number of Jobs so far.
    pub of: Identity,
    /// What it has found.
    pub result: CheckResult,
}

/// What the status says was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// The color.
    pub color: Color,
    /// Its revision.
    pub revision: u8,
    /// The generation of the switch.
    pub generation: u8,
    /// What the color's block held.
    pub tag: u8,
    /// `enforce: false`.
    pub lenient: bool,
    /// Before the switch, or after it.
    pub when: CheckTime,
    /// What the check had found.
    pub result: CheckResult,
}

/// What the status says of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// `status.switch.generation`.
    pub generation: u8,
    /// `status.checks`: before, and after.
    pub noted: [Option<Noted>; 2],
    /// `status.rejected`.
    pub refused: Option<Refused>,
    /// `unprovenRevision` of each color; zero for none.
    pub unproven: PerColor<u8>,
}

/// Most statuses say nothing of checks.
impl Hash for Reported {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if *self != Self::default() {
            let Self { generation, noted, refused, unproven } = self;
            (generation, noted, refused, unproven).hash(state);
        }
        state.write_u8(u8::MAX);
    }
}

/// What only an all-seeing eye knows: each a set of a color's revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Those that are gone back to: the status has said of the check after their switch that it is over, and has not found them
    /// to be bad.
    pub cleared: PerColor<u8>,
    /// Those that a Job before the switch has passed, since the last pause that the status tells of.
    pub passed: PerColor<u8>,
    /// Those that a Job after the switch has refused.
    pub failed: PerColor<u8>,
    /// The color that has just been made live, while its check may still take that back.
    pub watched: Option<Color>,
    /// Somebody has set `enforce: false` at some time: then nothing is promised of checks.
    pub lenient: bool,
}

/// Nothing of it matters where there are no checks.
impl Hash for Proof {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if *self != Self::default() {
            let Self { cleared, passed, failed, watched, lenient } = self;
            (cleared, passed, failed, watched, lenient).hash(state);
        }
        state.write_u8(u8::MAX);
    }
}

pub(crate) fn bit(revision: u8) -> u8 {
    1_u8.checked_shl(u32::from(revision)).unwrap_or(0)
}

impl Proof {
    /// Blue serves, and has for long.
    pub(crate) fn first(gates: Gates, from_nothing: bool) -> Self {
        if gates == Gates::None || from_nothing {
            return Self::default();
        }
        Self { cleared: PerColor { blue: bit(1), green: 0 }, ..Self::default() }
    }

    /// A Job has ended so.
    pub(crate) fn ended(&mut self, of: Identity, result: CheckResult) {
        let set = match (of.when, result) {
            (CheckTime::Before, CheckResult::Passed) => &mut self.passed,
            (CheckTime::After, CheckResult::Failed) => &mut self.failed,
            _ => return,
        };
        *set.get_mut(of.color) |= bit(of.revision);
    }

    /// The status says so of the check after a switch.
    pub(crate) fn noted(&mut self, of: Identity, result: CheckResult) {
        let cleared = self.cleared.get_mut(of.color);
        match result {
            CheckResult::Running => {}
            CheckResult::Failed => *cleared &= !bit(of.revision),
            CheckResult::Passed | CheckResult::Inconclusive => *cleared |= bit(of.revision),
        }
    }
}
