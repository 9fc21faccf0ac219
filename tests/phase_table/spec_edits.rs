//! What people edit.

use bluegreen_api::Color;
use bluegreen_core::plan::{Change, Stored};

use crate::table::{CREATES, CREATES_FOR_B, Event};

pub fn spec_edits() -> Vec<Event> {
    vec![
        Event {
            name: "spec.active is flipped",
            happens: |w, _, _| {
                let active = w.intent.active.other();
                w.active(active)
            },
            // Recorded in the status before it is committed.
            rule: "- -> switching b",
            except: &[
                ("new", CREATES_FOR_B),
                ("first", "switch b -> switching b"),
                ("reduced", "edit b 3 -> preparing b: size"),
                // A cancel: nothing was committed.
                ("preparing stalled checked", "- -> serving"),
                // A rollback: at once, the drain does not matter to the color that comes back.
                ("committed draining watched", "switch b -> switching b"),
                // On again: b goes on draining.
                ("back", "- -> draining b"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "spec.active is flipped to a color that leaves out a node that serves (policy Local)",
            happens: |w, _, _| {
                let to = w.intent.active.other();
                w.active(to).color(to, |facts| facts.uncovered = vec!["node-2".to_owned()])
            },
            rule: "- -> preparing b: nodes",
            except: &[
                ("new", CREATES_FOR_B),
                // Nothing serves yet.
                ("first", "switch b -> switching b"),
                ("reduced", "edit b 3 -> preparing b: size"),
                ("preparing stalled checked", "- -> serving"),
                // A rollback: it has served, and no wait would move its pods.
                ("committed draining watched", "switch b -> switching b"),
                ("back", "- -> draining b"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the idle color's tag is edited",
            happens: |w, _, b| w.edited(b),
            rule: "store b 2",
            except: &[
                ("new", CREATES),
                ("preparing checked", "store b 2 -> preparing b: revision"),
                ("stalled", "store b 3 -> preparing b: revision"),
                ("committed draining paused watched", "-"),
                // Its connections are still open: the edit waits, and the switch back waits for the edit.
                ("back", "- -> preparing b: revision"),
            ],
        },
        Event {
            name: "the live color's tag is edited",
            happens: |w, a, _| w.edited(a),
            // Held.
            rule: "-",
            except: &[("new", CREATES), ("first", "store a 2 -> preparing a: revision")],
        },
        Event {
            name: "the live color's edit is taken back",
            happens: |w, a, _| {
                w.unreported().color(a, |facts| {
                    for stored in [&mut facts.newest, &mut facts.current].into_iter().flatten() {
                        stored.change = Change::None;
                    }
                })
            },
            rule: "",
            except: &[("held", "- -> serving")],
        },
        Event {
            name: "spec.active and the tag of the color that it names, in one commit",
            happens: |w, _, _| {
                let to = w.intent.active.other();
                w.active(to).edited(to)
            },
            rule: "store b 2 -> preparing b: revision",
            except: &[
                ("new", CREATES_FOR_B),
                // The color that it goes back to is live: its edit is held.
                ("preparing stalled checked", "- -> serving"),
                ("back", "- -> draining b"),
                // The color drains: first the drain, then the edit, then the switch.
                ("committed draining watched", "- -> preparing b: revision"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "a shared field is edited",
            happens: |w, _, _| {
                let shared = |stored: &mut Option<Stored>| {
                    if let Some(stored) = stored
                        && stored.change == Change::None
                    {
                        stored.change = Change::Shared;
                    }
                };
                Color::ALL.into_iter().fold(w.unreported(), |w, color| {
                    w.color(color, |facts| {
                        shared(&mut facts.newest);
                        shared(&mut facts.current);
                    })
                })
            },
            // b has never served.
            rule: "store b 2",
            except: &[
                ("new", CREATES),
                ("first", "store a 2, store b 2 -> preparing a: revision"),
                ("preparing checked", "store b 2 -> preparing b: revision"),
                ("stalled", "store b 3 -> preparing b: revision"),
                // Both have served: both keep what they ran.
                ("committed draining back paused watched", "-"),
            ],
        },
        Event {
            name: "replicas up",
            happens: |w, _, _| w.replicas(5),
            rule: "edit a 5, edit b 5 -> unready a: size",
            except: &[
                ("new", CREATES),
                ("first", "edit a 5, edit b 5 -> preparing a: size"),
                ("reduced", "edit a 5 -> unready a: size"),
                // As many pods as serve now are enough: the target is not grown while it comes up.
                ("preparing", "edit a 5 -> preparing b: pods"),
                ("stalled checked", "edit a 5"),
                ("back", "edit a 5 -> preparing b: pods"),
                // The live color follows, as a paused Deployment does.
                ("paused", "edit a 5"),
            ],
        },
        Event {
            name: "replicas up, and the live color has them",
            happens: |w, a, _| w.replicas(5).sized(a, 5),
            rule: "edit b 5",
            except: &[
                ("new", ""),
                ("first", "switch a -> switching a"),
                ("reduced paused", "-"),
                // Fewer than serve now are not enough.
                ("preparing stalled checked", "edit b 5 -> preparing b: size"),
                ("committed draining watched", "edit b 5"),
                ("back", "edit b 5 -> preparing b: size"),
            ],
        },
        Event {
            name: "replicas down",
            happens: |w, _, _| w.replicas(1),
            rule: "edit a 1, edit b 1 -> unready a: size",
            except: &[
                ("new", CREATES),
                ("first", "edit a 1, edit b 1 -> preparing a: pods"),
                ("reduced committed draining watched", "edit a 1 -> unready a: size"),
                // It is not complete, and may be too large to become so.
                ("preparing", "edit a 1, edit b 1 -> preparing b: pods"),
                ("stalled", "edit a 1, edit b 1"),
                // Fewer pods of b would cut connections that are still open.
                ("back", "edit a 1 -> preparing b: pods"),
                ("paused checked", "edit a 1"),
            ],
        },
        Event {
            name: "replicas down, and spec.active is flipped",
            happens: |w, _, _| {
                let active = w.intent.active.other();
                w.active(active).replicas(1)
            },
            // The target is enough: it is made smaller once it is live.
            rule: "edit a 1 -> switching b",
            except: &[
                ("new", CREATES_FOR_B),
                ("first committed draining watched", "switch b -> switching b"),
                ("reduced", "edit a 1, edit b 1 -> preparing b: size"),
                ("preparing stalled checked", "edit a 1, edit b 1 -> unready a: size"),
                ("back", "edit a 1 -> unready a: size"),
                ("paused", "edit a 1"),
            ],
        },
        Event {
            name: "standby: 0 pods at once",
            happens: |w, _, _| w.standby(0, 0),
            // It has never served: it stays up to be looked at.
            rule: "edit b 1",
            except: &[
                ("new", CREATES),
                ("preparing stalled committed draining back paused checked watched", "-"),
            ],
        },
        Event {
            name: "drainSeconds: 0",
            happens: |w, _, _| w.drain(0),
            rule: "-",
            except: &[("new", CREATES), ("draining", "- -> serving")],
        },
        Event { name: "paused", happens: |w, _, _| w.paused(), rule: "- -> paused", except: &[] },
        Event {
            name: "paused no longer",
            happens: |w, _, _| w.unreported().with(|w| w.intent.paused = false),
            rule: "",
            except: &[("paused", "- -> serving")],
        },
        Event {
            name: "the idle color's block is removed",
            // Then there is nothing to go back to.
            happens: |w, _, b| {
                w.without(b).with(|w| w.seen.checks.run.iter_mut().for_each(|run| run.guarded = false))
            },
            rule: "remove b",
            except: &[
                ("new", "create-service, color-service a, store a 1"),
                ("committed draining paused", "-"),
                // Admission refuses it: `spec.active` names it.
                ("preparing stalled back", ""),
                ("checked", ""),
                ("watched", "- -> draining b"),
            ],
        },
        Event {
            name: "activeUpdatePolicy: RollingUpdate",
            happens: |w, _, _| w.rolling_update(),
            rule: "-",
            except: &[("new", CREATES), ("held", "store a 2 -> unready a: revision")],
        },
    ]
}
