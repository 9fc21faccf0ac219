//! PURE: how an app does, as its conditions say.

use bluegreen_api::BlueGreenApp;
use bluegreen_core::status::{READY, STALLED};

/// What the conditions say of the present generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing: the operator has not observed it yet.
    Unobserved,
    /// The reason of `Ready`.
    Ready(String),
    /// The reason and the message of `Ready`, while it is False.
    NotReady(String, String),
    /// The reason and the message of `Stalled`.
    Stalled(String, String),
}

impl State {
    /// The state of this app.
    #[must_use]
    pub fn of(app: &BlueGreenApp) -> Self {
        let status = app.status.clone().unwrap_or_default();
        if Some(status.observed_generation) != app.metadata.generation {
            return Self::Unobserved;
        }
        let said = |type_: &str| {
            let condition = status.condition(type_)?;
            Some((condition.status == "True", condition.reason.clone(), condition.message.clone()))
        };
        match (said(STALLED), said(READY)) {
            (Some((true, reason, message)), _) => Self::Stalled(reason, message),
            (_, Some((true, reason, _))) => Self::Ready(reason),
            (_, Some((false, reason, message))) => Self::NotReady(reason, message),
            (_, None) => Self::Unobserved,
        }
    }

    /// Where it stands in a list: what needs a person comes first.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Stalled(..) => 0,
            Self::NotReady(..) => 1,
            Self::Unobserved => 2,
            Self::Ready(..) => 3,
        }
    }

    /// In one word, for a program.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Stalled(..) => "stalled",
            Self::NotReady(..) => "busy",
            Self::Unobserved => "unobserved",
            Self::Ready(..) => "ready",
        }
    }
}
