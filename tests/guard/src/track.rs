//! What a replay knows of one app, and what it reads from the objects of that app.

use std::time::{Duration, Instant};

use bluegreen_api::Color;
use serde_json::Value;

use crate::checks::Wishes;
use crate::enough::Carried;
use crate::lately::Lately;

/// One app, from its first appearance to its deletion.
#[derive(Default)]
pub(crate) struct Track {
    /// What was asked for.
    pub(crate) specs: Lately<Asked>,
    pub(crate) wishes: Wishes,
    pub(crate) committed: Option<Color>,
    /// The committed color's pod template.
    pub(crate) template: Value,
    /// The revision that it may be brought to: the one that was selected, or what an update in place put on record.
    pub(crate) named: Option<String>,
    pub(crate) draining: Option<Draining>,
    /// How many ready pods the committed color has had.
    pub(crate) carried: Carried,
    /// The Service had a ready endpoint.
    pub(crate) filled: bool,
    /// The test interfered, so that outages are its own.
    pub(crate) disturbed: bool,
}

impl Track {
    /// May the committed color be brought to this? To what it was, or to another revision, if that is on record; one
    /// revision has one template.
    pub(crate) fn allows(&self, template: &Value) -> bool {
        let number = revision(template);
        let promoted =
            number.is_some() && number == self.named.as_deref() && number != revision(&self.template);
        *template == self.template || promoted
    }
}

/// What promises depend on.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) replicas: i32,
    pub(crate) drain: Duration,
    pub(crate) rolls: bool,
}

pub(crate) struct Draining {
    pub(crate) color: Color,
    /// When its last endpoint left the live Service; `None` while there is one.
    pub(crate) left: Option<Instant>,
}

/// What is promised about a Deployment.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Shape<'a> {
    pub(crate) replicas: i64,
    pub(crate) template: &'a Value,
}

impl<'a> Shape<'a> {
    pub(crate) fn of(object: &'a Value) -> Self {
        Self {
            replicas: object["spec"]["replicas"].as_i64().unwrap_or(1),
            template: &object["spec"]["template"],
        }
    }
}

pub(crate) fn ready_pods(deployment: Option<&Value>) -> i32 {
    let ready = deployment.and_then(|deployment| deployment["status"]["readyReplicas"].as_i64());
    ready.and_then(|ready| i32::try_from(ready).ok()).unwrap_or(0)
}

/// The revision that the pods of this template carry.
pub(crate) fn revision(template: &Value) -> Option<&str> {
    template["metadata"]["labels"]["bluegreen.dev/revision"].as_str()
}

/// The revision of that color that a live Service records as the one that served last.
pub(crate) fn served(service: &Value, color: Color) -> Option<&str> {
    service["metadata"]["annotations"][format!("bluegreen.dev/served-{color}")].as_str()
}

/// The lines of one that are not in the other.
pub(crate) fn difference(was: &Value, is: &Value) -> String {
    let [was, is] = [was, is].map(|value| serde_yaml_ng::to_string(value).unwrap_or_default());
    let lines = |sign: char, of: &str, other: &str| -> String {
        of.lines()
            .filter(|line| !other.lines().any(|l| l == *line))
            .map(|line| format!("{sign} {line}\n"))
            .collect()
    };
    lines('-', &was, &is) + &lines('+', &is, &was)
}
