//! PURE: one app as a line of a list.

use bluegreen_api::{BlueGreenApp, Color, Phase};
use bluegreen_core::status::STANDBY_READY;
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use crate::State;

/// Reasons of `StandbyReady` that tell of nothing that is missing.
const NOT_MISSING: [&str; 2] = ["Absent", "ScaledDown"];

/// One app as a line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The live color; none before the first activation.
    pub live: Option<Color>,
    /// `spec.active`; none if the app can't be read.
    pub target: Option<Color>,
    /// `status.phase`.
    pub phase: Option<Phase>,
    /// [`State::word`].
    pub state: &'static str,
    /// The reason of the condition that says so.
    pub reason: String,
    /// What is missing, in the operator's words; empty if nothing is.
    pub missing: String,
    /// Blue, if the app has it.
    pub blue: Option<Version>,
    /// Green, if the app has it.
    pub green: Option<Version>,
    /// When the app was created.
    pub created: Option<Timestamp>,
}

/// One color of a [`Row`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its tag or, without a tag, its digest.
    pub tag: String,
    /// Ready pods.
    pub ready: i32,
    /// Pods.
    pub size: i32,
}

impl Row {
    /// The line of this app.
    #[must_use]
    pub fn of(app: &BlueGreenApp) -> Self {
        let status = app.status.clone().unwrap_or_default();
        let state = State::of(app);
        let word = state.word();
        let (reason, missing) = match state {
            State::Unobserved => {
                (String::new(), "The operator has not observed this spec yet (is it running?)".to_owned())
            }
            State::Ready(reason) => (reason, standby(app).unwrap_or_default()),
            State::NotReady(reason, message) | State::Stalled(reason, message) => (reason, message),
        };
        Self {
            namespace: app.namespace().unwrap_or_default(),
            name: app.name_any(),
            live: status.active,
            target: Some(app.spec.active),
            phase: status.phase,
            state: word,
            reason,
            missing,
            blue: version(app, Color::Blue),
            green: version(app, Color::Green),
            created: app.creation_timestamp().map(|time| time.0),
        }
    }

    /// The line of an app that can't be decoded.
    #[must_use]
    pub fn unreadable(namespace: &str, name: &str, why: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            live: None,
            target: None,
            phase: None,
            state: "stalled",
            reason: "Unreadable".to_owned(),
            missing: format!("This app can't be read: {why}"),
            blue: None,
            green: None,
            created: None,
        }
    }
}

/// What the idle color lacks, while the live one serves.
fn standby(app: &BlueGreenApp) -> Option<String> {
    let condition = app.status.as_ref()?.condition(STANDBY_READY)?;
    let is_missing = condition.status != "True" && !NOT_MISSING.contains(&condition.reason.as_str());
    is_missing.then(|| condition.message.clone())
}

fn version(app: &BlueGreenApp, color: Color) -> Option<Version> {
    let block = app.spec.color(color)?;
    let pods = app.status.as_ref().and_then(|status| status.color(color));
    Some(Version {
        tag: block.tag.clone().or_else(|| block.digest.clone()).unwrap_or_default(),
        ready: pods.map_or(0, |pods| pods.ready_replicas),
        size: pods.map_or(0, |pods| pods.replicas),
    })
}
