//! What comes by itself: pods get ready, endpoints follow, time passes.

use bluegreen_core::plan::Stored;

use crate::fixtures::{FULL, first_ready, ready};
use crate::table::Event;

pub fn progress() -> Vec<Event> {
    vec![
        Event {
            name: "the pods that it waits for get ready",
            happens: |w, _, _| {
                let target = w.intent.active;
                let number = w.seen.colors.get(target).current.map_or(1, |stored: Stored| stored.number);
                w.sized(target, FULL).deployment(target, |d| *d = ready(number, FULL))
            },
            rule: "",
            except: &[
                ("first", "switch a -> switching a"),
                ("preparing back", "switch b -> switching b"),
                // Late is better than never.
                ("stalled", "switch b -> switching b"),
            ],
        },
        Event {
            // The operator died before its first report: the next one finds everything made, and ready.
            name: "what was made for it is ready before anything is reported",
            happens: |_, _, _| first_ready().unreported(),
            rule: "",
            except: &[("new", "switch a -> switching a")],
        },
        Event {
            name: "the live endpoints follow the switch",
            happens: |w, _, _| w.moved(0),
            rule: "",
            except: &[("committed", "- -> draining b")],
        },
        Event {
            name: "the live endpoints follow the switch, and drainSeconds is 0",
            happens: |w, _, _| w.drain(0).moved(0),
            rule: "",
            except: &[("committed", "- -> serving")],
        },
        Event {
            name: "the drain passes",
            happens: |w, _, _| w.moved(60),
            rule: "",
            except: &[("draining", "- -> serving")],
        },
        Event {
            name: "the drain passes, and a pod of the live color is missing",
            happens: |w, a, _| {
                w.standby(0, 0).moved(60).color(a, |facts| facts.endpoints = FULL - 1).deployment(a, |d| {
                    (d.ready, d.available) = (FULL - 1, FULL - 1);
                })
            },
            // The old color may be scaled down all the same.
            rule: "edit b 0 -> unready a: pods",
            except: &[
                ("new", ""),
                // A color that never served stays up to be looked at.
                ("first", ""),
                ("warm reduced held", "edit b 1 -> unready a: pods"),
                ("preparing back stalled paused checked", "-"),
                ("watched", "- -> unready a: pods"),
            ],
        },
        Event {
            name: "progressDeadlineSeconds pass",
            happens: |w, _, _| w.with(|w| w.seen.elapsed.switching = Some(w.intent.deadline)),
            rule: "",
            // The planner waits on; the status says that it took too long.
            except: &[("first preparing back stalled", "-")],
        },
    ]
}
