//! PURE: is what is waited for there, still to come, or not to come without a change?
//!
//! Only a status of the present generation counts. Waiting for a person is never waited for: it is an end, good or bad.

use std::fmt;

use bluegreen_operator::api::{BlueGreenApp, Color};
use bluegreen_operator::status::{READY, STALLED, STANDBY_READY};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The color in `spec.active` serves and is fully ready.
    Ready,
    /// The idle color could be switched to.
    Standby,
    /// This color serves.
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

/// How far it is; the words say why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Reached(String),
    /// It may come by itself.
    Waiting(String),
    /// It does not come without a change.
    Failed(String),
}

impl Verdict {
    /// The words.
    #[must_use]
    pub fn why(&self) -> &str {
        let (Self::Reached(why) | Self::Waiting(why) | Self::Failed(why)) = self;
        why
    }
}

/// How the words begin while no operator has looked; normal for a moment.
pub const NOT_NOTED: &str = "the operator has not taken note";

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
        return Verdict::Waiting(format!("{NOT_NOTED} of this {what}"));
    }
    if let Some(stalled) = status.condition(STALLED).filter(|condition| condition.status == "True") {
        return Verdict::Failed(format!("{}: {}", stalled.reason, stalled.message));
    }
    let condition = match goal {
        Goal::Ready | Goal::Active(_) => status.condition(READY),
        Goal::Standby => status.condition(STANDBY_READY),
    };
    let Some(condition) = condition else {
        return Verdict::Waiting("the operator has not reported yet".to_owned());
    };
    let why = format!("{}: {}", condition.reason, condition.message);
    let holds = condition.status == "True";
    match goal {
        // A switch that is under way leaves no color idle.
        Goal::Standby if status.active != Some(app.spec.active) => {
            let ready = status.condition(READY).map(|ready| ready.message.clone()).unwrap_or_default();
            Verdict::Waiting(format!("{} is to serve first: {ready}", app.spec.active))
        }
        Goal::Standby if matches!(condition.reason.as_str(), "Absent" | "Refused" | "ScaledDown") => {
            Verdict::Failed(why)
        }
        Goal::Active(color) if holds && status.active != Some(color) => {
            Verdict::Waiting(format!("{color} does not serve yet"))
        }
        // All that is asked for serves, but not all of it is there yet.
        Goal::Ready if holds && matches!(condition.reason.as_str(), "Scaling" | "Updating") => {
            Verdict::Waiting(why)
        }
        Goal::Ready | Goal::Standby | Goal::Active(_) if holds => Verdict::Reached(why),
        Goal::Ready | Goal::Standby | Goal::Active(_) => Verdict::Waiting(why),
    }
}

/// The spec does not ask for it, so that only a person can bring it about.
fn nobody_asks(goal: Goal, app: &BlueGreenApp) -> Option<String> {
    let active = app.spec.active;
    match goal {
        Goal::Active(color) if color != active => {
            Some(format!("spec.active is {active}, so nobody has asked for {color} to serve"))
        }
        Goal::Standby if app.spec.color(active.other()).is_none() => {
            Some(format!("Absent: spec.{} is not set", active.other()))
        }
        Goal::Ready | Goal::Standby | Goal::Active(_) => None,
    }
}
