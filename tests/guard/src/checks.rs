//! What is promised about checks, and about who decides which color serves.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bluegreen_api::{BlueGreenAppSpec, Check, CheckTime, Color};
use serde_json::Value;

use crate::lately::Lately;

/// How long a write may be on its way while another edit overtakes the one that it rests on: a leader that is frozen past its
/// Lease takes the longest.
const ON_ITS_WAY: Duration = Duration::from_secs(15);

/// What one spec asks for.
struct Wish {
    active: Color,
    has_both: bool,
    /// The checks that decide something.
    before: Vec<String>,
    after: Vec<String>,
}

/// Why a color should not have been selected.
pub(crate) enum Fault {
    /// Nobody asked for it, and no check took a switch back.
    Unasked,
    /// A check took a switch back, to a color whose own check after its switch had failed, or was not over.
    Suspect,
    /// A check before the switch has not passed.
    Unchecked,
}

/// What was asked for, and what has served.
#[derive(Default)]
pub(crate) struct Wishes {
    all: Lately<Wish>,
    served: BTreeSet<Version>,
    /// The color that serves.
    live: Option<Color>,
    /// Another color has served before it.
    has_switched: bool,
    /// The checks of the last spec.
    checks: Vec<Check>,
    /// What the status said of checks last.
    heard: Vec<Value>,
    /// What a check has failed while it served.
    failed: BTreeSet<Version>,
}

/// A color and its revision.
type Version = (&'static str, String);

impl Wishes {
    /// This is asked for from now on.
    pub(crate) fn note(&mut self, at: Instant, spec: &BlueGreenAppSpec) {
        let enforced = |when| {
            let checks = spec.checks.iter().filter(move |check| check.when == when && check.enforce);
            checks.map(|check| check.name.clone()).collect()
        };
        let wish = Wish {
            active: spec.active,
            has_both: spec.blue.is_some() && spec.green.is_some(),
            before: enforced(CheckTime::Before),
            after: enforced(CheckTime::After),
        };
        self.all.note(at, wish);
        // Who edits the checks of what serves asks something else of it.
        if self.checks != spec.checks {
            self.failed.retain(|(color, _)| self.live.is_none_or(|live| live.as_str() != *color));
            self.checks.clone_from(&spec.checks);
        }
    }

    /// The status says this from now on. A verdict that was there before accuses nobody again.
    pub(crate) fn hear(&mut self, status: &Value) {
        let now: Vec<Value> = status["checks"].as_array().cloned().unwrap_or_default();
        let news = now.iter().filter(|entry| !self.heard.contains(entry));
        for entry in news.filter(|entry| entry["when"] == "After") {
            let is_enforced = |check: &Check| entry["name"] == check.name.as_str() && check.enforce;
            let Some(color) = entry["color"].as_str().and_then(Color::parse) else { continue };
            let version = (color.as_str(), entry["revision"].to_string());
            match entry["result"].as_str() {
                Some("Failed") if self.checks.iter().any(is_enforced) => self.failed.insert(version),
                // It is tried again.
                Some("Running") => self.failed.remove(&version),
                _ => false,
            };
        }
        self.heard = now;
    }

    /// This revision of a color serves from now on.
    pub(crate) fn serves(&mut self, color: Color, revision: Option<&str>) {
        self.has_switched |= self.live == Some(color.other());
        self.live = Some(color);
        self.served.extend(revision.map(|revision| (color.as_str(), revision.to_owned())));
    }

    /// What a write of this moment may rest on.
    fn lately(&self, at: Instant) -> impl Iterator<Item = &Wish> {
        self.all.within(at, ON_ITS_WAY)
    }

    /// May this revision of a color be selected in place of `from`? `status` is the app's at that moment.
    pub(crate) fn may_select(
        &self,
        at: Instant,
        from: Option<Color>,
        (color, revision): (Color, Option<&str>),
        status: &Value,
    ) -> Result<(), Fault> {
        let mut asking = self.lately(at).filter(|wish| wish.active == color).peekable();
        if asking.peek().is_none() {
            let has_failed = |from| {
                let failed = |name: &String| found(status, name, "After", from, None) == Some("Failed");
                self.lately(at).any(|wish| wish.after.iter().any(failed))
            };
            if !from.is_some_and(has_failed) {
                return Err(Fault::Unasked);
            }
            let unproven = status[color.as_str()]["unprovenRevision"].as_i64();
            let is_open = |revision: &str| unproven.is_some() && revision.parse().ok() == unproven;
            let has_failed = |revision: &str| self.failed.contains(&(color.as_str(), revision.to_owned()));
            let is_suspect = revision.is_some_and(|revision| is_open(revision) || has_failed(revision));
            return if is_suspect { Err(Fault::Suspect) } else { Ok(()) };
        }
        let passed = |name: &String| found(status, name, "Before", color, revision) == Some("Passed");
        let has_served = revision.is_some_and(|it| self.served.contains(&(color.as_str(), it.to_owned())));
        let is_fine = has_served || asking.any(|wish| wish.before.iter().all(passed));
        if is_fine { Ok(()) } else { Err(Fault::Unchecked) }
    }

    /// Is the color that serves watched by a check without a verdict, so that the other one is kept for a switch back?
    pub(crate) fn is_watched(&self, at: Instant, live: Color, status: &Value) -> bool {
        // After the first activation there is nothing to go back to: a check only reports.
        if !self.has_switched || status[live.as_str()]["unprovenRevision"].is_null() {
            return false;
        }
        let is_open =
            |name: &String| matches!(found(status, name, "After", live, None), None | Some("Running"));
        self.lately(at).all(|wish| wish.active == live && wish.has_both && wish.after.iter().any(is_open))
    }
}

/// What the status says that a check has found of a color.
fn found<'a>(
    status: &'a Value,
    name: &str,
    when: &str,
    color: Color,
    revision: Option<&str>,
) -> Option<&'a str> {
    let is_it = |entry: &&Value| {
        entry["name"] == name
            && entry["when"] == when
            && entry["color"] == color.as_str()
            && revision.is_none_or(|revision| entry["revision"].as_i64() == revision.parse().ok())
    };
    status["checks"].as_array()?.iter().find(is_it)?["result"].as_str()
}
