//! What can be told of an app.

use std::fmt;

use bluegreen_api::Color;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What has happened. The names are those of the operator's Events where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The first color is live.
    Activated,
    /// A switch was asked for, and is under way.
    SwitchStarted,
    /// The Service selects another color.
    Switched,
    /// The Service selects a color again, with a revision that was live before.
    RolledBack,
    /// The Service selects the old color again, because a check failed after the switch.
    SwitchedBack,
    /// A switch was canceled before the Service selected the target.
    SwitchCanceled,
    /// A switch can't go on without a change by a person.
    SwitchBlocked,
    /// The app can't go on without a change by a person.
    Stalled,
    /// The app was stalled, and is not any more.
    Recovered,
    /// The app is paused.
    Paused,
    /// The app was paused, and is not any more.
    Resumed,
    /// A check has passed.
    CheckPassed,
    /// A check has failed.
    CheckFailed,
    /// A check can't tell whether the color is good.
    CheckInconclusive,
    /// The drain of the old color is over.
    Drained,
    /// The live color has fewer pods available than before.
    LiveDegraded,
    /// The live color has as many pods available as before.
    LiveRecovered,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Activated,
        Self::SwitchStarted,
        Self::Switched,
        Self::RolledBack,
        Self::SwitchedBack,
        Self::SwitchCanceled,
        Self::SwitchBlocked,
        Self::Stalled,
        Self::Recovered,
        Self::Paused,
        Self::Resumed,
        Self::CheckPassed,
        Self::CheckFailed,
        Self::CheckInconclusive,
        Self::Drained,
        Self::LiveDegraded,
        Self::LiveRecovered,
    ];

    /// As it is written in messages and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activated => "Activated",
            Self::SwitchStarted => "SwitchStarted",
            Self::Switched => "Switched",
            Self::RolledBack => "RolledBack",
            Self::SwitchedBack => "SwitchedBack",
            Self::SwitchCanceled => "SwitchCanceled",
            Self::SwitchBlocked => "SwitchBlocked",
            Self::Stalled => "Stalled",
            Self::Recovered => "Recovered",
            Self::Paused => "Paused",
            Self::Resumed => "Resumed",
            Self::CheckPassed => "CheckPassed",
            Self::CheckFailed => "CheckFailed",
            Self::CheckInconclusive => "CheckInconclusive",
            Self::Drained => "Drained",
            Self::LiveDegraded => "LiveDegraded",
            Self::LiveRecovered => "LiveRecovered",
        }
    }

    /// The name in ids. Which of several kinds a switch or a stall is may depend on what was seen before, and its id must not.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Activated | Self::Switched | Self::RolledBack | Self::SwitchedBack => "Switched",
            Self::Stalled | Self::SwitchBlocked => "Stalled",
            Self::SwitchStarted
            | Self::SwitchCanceled
            | Self::Recovered
            | Self::Paused
            | Self::Resumed
            | Self::CheckPassed
            | Self::CheckFailed
            | Self::CheckInconclusive
            | Self::Drained
            | Self::LiveDegraded
            | Self::LiveRecovered => self.as_str(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Something that has happened to one app. As JSON it is the body for a receiver of the type `webhook`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// The same for the same transition, whenever it is detected, and in which process: of the app's uid, the kind, and what the
    /// status says of it.
    pub id: String,
    /// What has happened.
    pub kind: Kind,
    /// Namespace of the app.
    pub namespace: String,
    /// Name of the app.
    pub name: String,
    /// `metadata.uid` of the app.
    pub uid: String,
    /// When, as the status says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The color that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// The color that was live before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Color>,
    /// The image of the color.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Number of the color's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// The `metadata.generation` that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Name of the check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Reason of the condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// One sentence for people.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_it_is_read() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(serde_json::from_value::<Kind>(kind.as_str().into()).unwrap(), kind);
        }
    }
}
