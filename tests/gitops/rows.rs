//! Every state that an app can be in, and what everybody who waits is told then.

use anyhow::Result;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::reach;
use crate::stage::Stage;
use crate::verdict::Verdict::{self, Done, Failed, Waits};

/// A state.
pub struct Row {
    /// A short name; its object in `states.yaml` has it.
    pub name: &'static str,
    /// For people.
    pub means: &'static str,
    /// What kstatus says, and with it Flux, Helm 4 and, by our Lua, Argo CD.
    pub waits: Verdict,
    /// Part of `make test`.
    pub short: bool,
    /// Brings an app there, and waits until it is.
    pub reach: Reach,
}

type Reach = for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, Result<()>>;

impl Row {
    /// `kubectl wait --for=condition=Ready` looks at one condition: it returns when kstatus does, or a little before, and it
    /// can't fail before its time is up.
    pub fn kubectl(&self) -> Verdict {
        match (self.waits, self.name) {
            // The live color has as many available pods as before, so Ready stays True.
            (_, "standby-rolls" | "live-rolls") => Done,
            (Failed, _) => Waits,
            (waits, _) => waits,
        }
    }
}

const fn row(name: &'static str, means: &'static str, waits: Verdict, reach: Reach) -> Row {
    Row { name, means, waits, short: false, reach }
}

/// The same as part of `make test`.
const fn short(name: &'static str, means: &'static str, waits: Verdict, reach: Reach) -> Row {
    Row { name, means, waits, short: true, reach }
}

/// All of them.
pub fn rows() -> Vec<Row> {
    let mut all = on_the_way();
    all.extend(there());
    all.extend(stuck());
    all.extend(checked());
    all
}

fn on_the_way() -> Vec<Row> {
    vec![
        row("new", "just created, and no operator has handled it yet", Waits, |s| {
            reach::new(s).boxed_local()
        }),
        row("first-color", "the first color's pods start; no color is live yet", Waits, |s| {
            reach::first_color(s).boxed_local()
        }),
        short(
            "unseen-edit",
            "edited, and no operator has handled the edit yet; the status is about the earlier generation",
            Waits,
            |s| reach::unseen_edit(s).boxed_local(),
        ),
        short("target-starts", "`active` is green, green's pods start; blue is live", Waits, |s| {
            reach::target_starts(s).boxed_local()
        }),
        row("switching", "the Service selects green, its endpoints still list a pod of blue", Waits, |s| {
            reach::switching(s).boxed_local()
        }),
        row("standby-rolls", "a new tag for the idle color, whose pods start", Waits, |s| {
            reach::standby_rolls(s).boxed_local()
        }),
        row(
            "live-rolls",
            "a new tag for the live color with `activeUpdatePolicy: RollingUpdate`",
            Waits,
            |s| reach::live_rolls(s).boxed_local(),
        ),
        row("live-fails", "pods of the live color have turned unready", Waits, |s| {
            reach::live_fails(s).boxed_local()
        }),
    ]
}

fn there() -> Vec<Row> {
    vec![
        row("draining", "green is live, blue drains", Done, |s| reach::draining(s).boxed_local()),
        row("stable", "blue is live, green is warm", Done, |s| reach::stable(s).boxed_local()),
        row("one-color", "blue is live, there is no green yet", Done, |s| reach::one_color(s).boxed_local()),
        short("waits-for-person", "a new tag is ready on the idle color and waits for a person", Done, |s| {
            reach::waits_for_person(s).boxed_local()
        }),
        row("standby-asleep", "blue is live, the idle color is scaled to 0", Done, |s| {
            reach::standby_asleep(s).boxed_local()
        }),
        row("standby-broken", "the idle color's new tag did not get ready within its deadline", Done, |s| {
            reach::standby_broken(s).boxed_local()
        }),
        row("standby-refused", "the API server refuses the idle color's new pods", Done, |s| {
            reach::standby_refused(s).boxed_local()
        }),
        row("paused", "paused with nothing to do", Done, |s| reach::paused(s).boxed_local()),
    ]
}

fn stuck() -> Vec<Row> {
    vec![
        short("held", "the live color's own block was edited", Failed, |s| reach::held(s).boxed_local()),
        row("too-late", "green did not get ready within its deadline; blue is live", Failed, |s| {
            reach::too_late(s).boxed_local()
        }),
        row("paused-midway", "paused while a switch is due", Failed, |s| {
            reach::paused_midway(s).boxed_local()
        }),
        row("refused", "the API server refuses green's pods; blue is live", Failed, |s| {
            reach::refused(s).boxed_local()
        }),
        row("port-taken", "the nodePort belongs to another Service", Failed, |s| {
            reach::port_taken(s).boxed_local()
        }),
        row("name-taken", "a Deployment with a child's name belongs to somebody else", Failed, |s| {
            reach::name_taken(s).boxed_local()
        }),
        row("two-operators", "another installation's operator manages this app", Failed, |s| {
            reach::two_operators(s).boxed_local()
        }),
    ]
}

/// With checks, whoever waits is told of the verdict.
fn checked() -> Vec<Row> {
    use reach::checks;
    vec![
        row(
            "check-unready",
            "`active` is green under a check before the switch, green's pods start",
            Waits,
            |s| checks::before_ready(s).boxed_local(),
        ),
        row("check-before", "a check before the switch runs; blue is live", Waits, |s| {
            checks::before(s).boxed_local()
        }),
        row("check-after", "green is live, and a check after the switch runs", Waits, |s| {
            checks::after(s).boxed_local()
        }),
        row("check-failed", "a check before the switch has failed; blue is live", Failed, |s| {
            checks::before_failed(s).boxed_local()
        }),
        row("check-late", "a check before the switch can't tell; blue is live", Failed, |s| {
            checks::before_can_not_tell(s).boxed_local()
        }),
        row("check-back", "a check after the switch has failed, and blue is live again", Failed, |s| {
            checks::taken_back(s).boxed_local()
        }),
        row(
            "check-stuck",
            "a check after the switch has failed, and blue is not ready: green is live",
            Failed,
            |s| checks::no_way_back(s).boxed_local(),
        ),
        row("check-doubt", "a check after the switch can't tell; green is live", Done, |s| {
            checks::after_can_not_tell(s).boxed_local()
        }),
    ]
}

#[test]
fn has_every_state_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = rows().iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows().len());
}
