//! Checks: apps that have them, and what they find.

use std::time::Duration;

use bluegreen_api::{CheckResult, CheckTime, PerColor};
use bluegreen_core::plan::{CheckFacts, CheckJob, Checks, JobPods, Rejected, Run, Verdict};

use crate::fixtures::{FULL, World, first_ready, ready};
use crate::table::Event;

/// A check with this result; `None`: it has not begun.
fn check(when: CheckTime, result: Option<CheckResult>) -> CheckFacts {
    let verdict = |result| Verdict { result, attempts: 1, left: Duration::from_secs(600) };
    let job = result.map_or(CheckJob::Absent, |result| CheckJob::Ours { attempt: 1, result });
    CheckFacts { when, enforced: true, recorded: result.map(verdict), job, pods: JobPods::Fine }
}

/// The switch to the color in `spec.active` is gated by a check before it (the first one) and guarded by one after it.
pub fn checked(w: World, before: Option<CheckResult>, after: Option<CheckResult>) -> World {
    w.with(|w| {
        let color = w.intent.active;
        let revision = w.seen.colors.get(color).current.map_or(1, |stored| stored.number);
        let mut unproven = PerColor { blue: None, green: None };
        *unproven.get_mut(color) = Some(revision);
        w.seen.checks = Checks {
            run: Some(Run { color, revision, generation: 1, open: true, guarded: true }),
            all: vec![check(CheckTime::Before, before), check(CheckTime::After, after)],
            unproven,
            ..Checks::default()
        };
    })
}

/// A color that has served passed its checks then.
fn trusted(w: World) -> World {
    w.with(|w| {
        let color = w.intent.active;
        if w.seen.colors.get(color).served {
            *w.seen.checks.unproven.get_mut(color) = None;
        }
    })
}

/// What a check has found is recorded.
fn found(w: World, when: CheckTime, result: CheckResult) -> World {
    w.with(|w| {
        for known in w.seen.checks.all.iter_mut().filter(|known| known.when == when) {
            *known = check(when, Some(result));
        }
    })
}

/// Its Job says this, and nothing is recorded of it yet.
fn says(w: World, result: CheckResult) -> World {
    w.with(|w| {
        let running =
            |known: &&mut CheckFacts| known.recorded.is_some_and(|it| it.result == CheckResult::Running);
        for known in w.seen.checks.all.iter_mut().filter(running) {
            known.job = CheckJob::Ours { attempt: 1, result };
        }
    })
}

/// The status records that a check has refused the color in `spec.active`.
fn refused(w: World, when: CheckTime, result: CheckResult) -> World {
    found(w, when, result).with(|w| {
        w.seen.checks.rejected = Some(Rejected { color: w.intent.active, when, result });
        if let Some(run) = &mut w.seen.checks.run {
            (run.open, run.guarded) = (false, false);
        }
    })
}

fn the_awaited_pods_are_ready(w: World) -> World {
    let target = w.intent.active;
    let number = w.seen.colors.get(target).current.map_or(1, |stored| stored.number);
    w.sized(target, FULL).deployment(target, |d| *d = ready(number, FULL))
}

pub fn checks() -> Vec<Event> {
    vec![
        Event {
            name: "the pods that it waits for get ready, and checks gate and guard the switch",
            happens: |w, _, _| trusted(checked(the_awaited_pods_are_ready(w), None, None)),
            rule: "",
            except: &[
                ("first", "check 0 1 -> checking a"),
                ("preparing stalled", "check 0 1 -> checking b"),
                // It has served, and nobody doubts it.
                ("back", "switch b -> switching b"),
            ],
        },
        Event {
            name: "what was made for it is ready before anything is reported, and a check gates it",
            happens: |_, _, _| {
                checked(first_ready().unreported(), None, None).with(|w| {
                    w.seen.recorded.switching = false;
                    w.seen.checks.run = None;
                })
            },
            rule: "",
            except: &[("new", "- -> checking a")],
        },
        Event {
            name: "spec.active is flipped, and checks gate and guard the switch",
            happens: |w, _, _| {
                let active = w.intent.active.other();
                checked(w.active(active), None, None).with(|w| w.seen.checks.run = None)
            },
            rule: "",
            except: &[("warm", "- -> checking b")],
        },
        Event {
            name: "paused no longer, and spec.active was flipped meanwhile, and a check gates the switch",
            happens: |w, _, b| {
                let w = w.active(b).with(|w| w.intent.paused = false);
                checked(w, None, None).with(|w| w.seen.checks.run = None)
            },
            rule: "",
            except: &[("paused", "- -> checking b")],
        },
        Event {
            name: "the check before the switch passes",
            happens: |w, _, _| found(w, CheckTime::Before, CheckResult::Passed),
            rule: "",
            except: &[("checked", "switch b -> switching b")],
        },
        Event {
            name: "the Job of a check fails",
            happens: |w, _, _| says(w, CheckResult::Failed),
            rule: "",
            except: &[("checked watched", "-")],
        },
        Event {
            name: "the Job of a check can't tell",
            happens: |w, _, _| says(w, CheckResult::Inconclusive),
            rule: "",
            except: &[("checked watched", "-")],
        },
        Event {
            name: "the check before the switch is recorded to have failed",
            happens: |w, _, _| refused(w, CheckTime::Before, CheckResult::Failed),
            rule: "",
            except: &[("checked", "- -> serving")],
        },
        Event {
            name: "the live endpoints follow the switch, and a check guards it",
            happens: |w, _, _| checked(w.moved(0), Some(CheckResult::Passed), None),
            rule: "",
            except: &[("committed draining", "check 1 1 -> watching a")],
        },
        Event {
            name: "the check after the switch passes",
            happens: |w, _, _| found(w, CheckTime::After, CheckResult::Passed),
            rule: "",
            except: &[("watched", "- -> draining b")],
        },
        Event {
            name: "the drain passes, and then the check after the switch",
            happens: |w, _, _| found(w.moved(60), CheckTime::After, CheckResult::Passed),
            rule: "",
            except: &[("watched", "- -> serving")],
        },
        Event {
            name: "the check after the switch is recorded to have failed",
            happens: |w, _, _| refused(w, CheckTime::After, CheckResult::Failed),
            rule: "",
            except: &[("watched", "switch b -> switching b")],
        },
        Event {
            name: "the check after the switch is recorded to have failed, and the old color has lost its pods",
            happens: |w, _, b| refused(w.unready(b), CheckTime::After, CheckResult::Failed),
            rule: "",
            except: &[("watched", "- -> preparing b: pods")],
        },
        Event {
            name: "the check after the switch is recorded as unable to tell",
            happens: |w, _, _| found(w, CheckTime::After, CheckResult::Inconclusive),
            rule: "",
            except: &[("watched", "- -> draining b")],
        },
        Event {
            name: "the checks are taken out of the spec",
            happens: |w, _, _| w.unreported().with(|w| w.seen.checks = Checks::default()),
            rule: "",
            except: &[("checked", "switch b -> switching b"), ("watched", "- -> draining b")],
        },
    ]
}
