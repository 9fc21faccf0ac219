//! PURE: says whether a goal is reached, can still be reached, or needs another edit.
//!
//! Only a status of the present generation counts. Where only a person can go on, the wait ends: well or badly.

use std::fmt;

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::status::{READY, STALLED, STANDBY_READY};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The color in `spec.active` is live and fully ready.
    Ready,
    /// The idle color is ready for a switch.
    Standby,
    /// This color is live and fully ready.
    Active(Color),
}

impl Goal {
    /// The inverse of `Display`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "ready" => Some(Self::Ready),
            "standby" => Some(Self::Standby),
            other => Color::parse(other.strip_prefix("active=")?).map(Self::Active),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Standby => f.write_str("standby"),
            Self::Active(color) => write!(f, "active={color}"),
        }
    }
}

/// How far an app is from a goal, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The goal is reached.
    Reached(String),
    /// The goal may be reached without another edit.
    Waiting(String),
    /// The goal can't be reached without another edit.
    Failed(String),
}

impl Verdict {
    /// The reason.
    #[must_use]
    pub fn why(&self) -> &str {
        let (Self::Reached(why) | Self::Waiting(why) | Self::Failed(why)) = self;
        why
    }
}

/// How the reason begins while the operator has not observed the present generation; normal for a moment.
pub const NOT_OBSERVED: &str = "waiting for the operator to observe";

/// Reasons of `StandbyReady` that do not go away without a change.
const NO_STANDBY: [&str; 4] = ["Absent", "ProgressDeadlineExceeded", "Refused", "ScaledDown"];

/// How far an app is from a goal.
#[must_use]
pub fn verdict(goal: Goal, app: &BlueGreenApp) -> Verdict {
    if app.metadata.deletion_timestamp.is_some() {
        return Verdict::Failed("the app is being deleted".to_owned());
    }
    if let Some(why) = nobody_asks(goal, app) {
        return Verdict::Failed(why);
    }
    let status = app.status.clone().unwrap_or_default();
    if Some(status.observed_generation) != app.metadata.generation {
        let seen = status.observed_generation >= 0;
        let what = if seen { "edit" } else { "app" };
        return Verdict::Waiting(format!("{NOT_OBSERVED} this {what}"));
    }
    if let Some(stalled) = status.condition(STALLED).filter(|condition| condition.status == "True") {
        return Verdict::Failed(format!("{}: {}", stalled.reason, stalled.message));
    }
    let condition = match goal {
        Goal::Ready | Goal::Active(_) => status.condition(READY),
        Goal::Standby => status.condition(STANDBY_READY),
    };
    let Some(condition) = condition else {
        return Verdict::Waiting("waiting for the operator to report this condition".to_owned());
    };
    let why = format!("{}: {}", condition.reason, condition.message);
    let holds = condition.status == "True";
    match goal {
        // While a switch is under way, no color is idle.
        Goal::Standby if status.active != Some(app.spec.active) => {
            let ready = status.condition(READY).map(|ready| ready.message.clone()).unwrap_or_default();
            Verdict::Waiting(format!("waiting for the switch to {}: {ready}", app.spec.active))
        }
        Goal::Standby if NO_STANDBY.contains(&condition.reason.as_str()) => Verdict::Failed(why),
        Goal::Active(color) if holds && status.active != Some(color) => {
            Verdict::Waiting(format!("{color} is not live yet"))
        }
        // The live color serves as before, and is not as the spec asks yet.
        Goal::Ready | Goal::Active(_) if holds && condition.reason == "Updating" => Verdict::Waiting(why),
        Goal::Ready if holds && condition.reason == "Scaling" => Verdict::Waiting(why),
        Goal::Ready | Goal::Standby | Goal::Active(_) if holds => Verdict::Reached(why),
        Goal::Ready | Goal::Standby | Goal::Active(_) => Verdict::Waiting(why),
    }
}

/// Why the spec excludes the goal, so that only a person can bring it about.
fn nobody_asks(goal: Goal, app: &BlueGreenApp) -> Option<String> {
    let active = app.spec.active;
    match goal {
        Goal::Active(color) if color != active => {
            Some(format!("spec.active is {active}, so no switch to {color} was requested"))
        }
        Goal::Standby if app.spec.color(active.other()).is_none() => {
            Some(format!("Absent: spec.{} is not set", active.other()))
        }
        Goal::Ready | Goal::Standby | Goal::Active(_) => None,
    }
}
