//! What happens to children.

use bluegreen_api::Color;
use bluegreen_core::plan::{Child, Fence, Selection};

use crate::fixtures::World;
use crate::table::{CREATES, Event};

fn lost(w: World, color: Color) -> World {
    w.color(color, |facts| (facts.newest, facts.current, facts.served) = (None, None, false))
}

pub fn child_events() -> Vec<Event> {
    vec![
        Event {
            name: "the live Deployment is deleted",
            happens: |w, a, _| w.color(a, |facts| facts.deployment = Child::Absent),
            rule: "create a 3 -> unready a: deployment",
            except: &[
                ("new", ""),
                ("first", "create a 3 -> preparing a: deployment"),
                ("preparing stalled back checked", "create a 3"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the idle Deployment is deleted",
            happens: |w, _, b| w.color(b, |facts| facts.deployment = Child::Absent),
            rule: "create b 3",
            except: &[
                ("new", ""),
                ("reduced", "create b 0"),
                ("preparing stalled back checked", "create b 3 -> preparing b: deployment"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the live Service is deleted",
            happens: |w, _, _| w.with(|w| w.seen.service = Child::Absent),
            rule: "create-service -> switching a",
            except: &[
                ("new", ""),
                ("first preparing stalled back checked", "create-service"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the new live Service selects nothing yet",
            happens: |w, _, _| {
                w.service(|s| {
                    s.selects = Selection::Nothing;
                    s.committed = None;
                })
            },
            rule: "restore a -> switching a",
            except: &[("new", ""), ("first paused", "-"), ("preparing stalled back checked", "restore a")],
        },
        Event {
            name: "the idle color's Service is deleted",
            happens: |w, _, b| w.color(b, |facts| facts.service = Child::Absent),
            rule: "color-service b",
            except: &[("new", ""), ("paused", "-")],
        },
        Event {
            name: "the idle color's revisions are deleted",
            happens: |w, _, b| lost(w, b),
            rule: "recover b 1",
            except: &[
                ("new", ""),
                ("preparing back checked", "recover b 1 -> preparing b: revision"),
                ("stalled", "recover b 2 -> preparing b: revision"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the live color's revisions are deleted",
            happens: |w, a, _| lost(w, a),
            rule: "recover a 1 -> unready a: revision",
            except: &[
                ("new", ""),
                ("first", "recover a 1 -> preparing a: revision"),
                ("preparing stalled back checked", "recover a 1"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the live selector is edited to the other color",
            happens: |w, _, b| w.service(|s| s.selects = Selection::Color(b)),
            rule: "restore a -> switching a",
            except: &[
                ("new", ""),
                // Nothing was ever committed, so there is nothing to put back.
                ("first", "-"),
                ("preparing stalled back checked", "restore a"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the live Deployment's image is edited",
            happens: |w, a, _| w.deployment(a, |d| d.matches = false),
            rule: "edit a 3 -> unready a: rollout",
            except: &[
                ("new", ""),
                ("first", "edit a 3 -> preparing a: rollout"),
                ("preparing stalled back checked", "edit a 3"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the idle Deployment's image is edited",
            happens: |w, _, b| w.deployment(b, |d| d.matches = false),
            rule: "edit b 3",
            except: &[
                ("new", ""),
                ("reduced", "edit b 0"),
                ("preparing stalled checked", "edit b 3 -> preparing b: rollout"),
                // A roll would cut connections that are still open.
                ("committed draining watched", "-"),
                ("back", "- -> preparing b: rollout"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the live pods turn unready",
            happens: |w, a, _| w.unready(a),
            rule: "- -> unready a: pods",
            except: &[("new", ""), ("first preparing stalled back paused checked", "-")],
        },
        Event {
            name: "the idle pods turn unready",
            happens: |w, _, b| w.unready(b),
            rule: "-",
            except: &[("new", ""), ("checked", "- -> preparing b: pods")],
        },
        Event {
            name: "the live color's endpoints are lost",
            happens: |w, a, _| w.color(a, |facts| facts.endpoints = 0).with(|w| w.seen.elapsed.moved = None),
            rule: "- -> unready a: endpoints",
            except: &[
                ("new", ""),
                // The pods are named first.
                ("first preparing stalled back paused checked", "-"),
            ],
        },
        Event {
            name: "the idle color's roll passes its deadline",
            happens: |w, _, b| w.deployment(b, |d| d.deadline_exceeded = true),
            rule: "-",
            except: &[("new", ""), ("preparing back checked", "- -> preparing b: deadline")],
        },
        Event {
            name: "somebody else's Deployment stands in the idle one's place",
            happens: |w, _, b| w.color(b, |facts| facts.deployment = Child::Foreign),
            rule: "-",
            except: &[("new", CREATES), ("preparing stalled back checked", "- -> preparing b: deployment")],
        },
        Event {
            name: "an earlier app's Deployment is still being collected",
            happens: |w, _, b| w.color(b, |facts| facts.deployment = Child::Collecting),
            rule: "-",
            except: &[("new", CREATES), ("preparing stalled back checked", "- -> preparing b: deployment")],
        },
        Event {
            name: "a later leader has stamped the Service",
            happens: |w, _, _| w.service(|s| s.fence = Fence::Newer),
            rule: "- -> yielding",
            except: &[("new", "")],
        },
        Event {
            name: "another installation's operator holds the Service",
            happens: |w, _, _| w.service(|s| s.fence = Fence::Foreign("other/operator".to_owned())),
            rule: "- -> yielding",
            except: &[("new", "")],
        },
        Event {
            name: "this leader has just taken over",
            happens: |w, _, _| w.unfenced(),
            // Something is under way: a write of the one before may still commit.
            rule: "fence service a b",
            except: &[
                ("new", ""),
                // All is reported: nothing is written until there is something to do.
                ("warm reduced held paused", "-"),
            ],
        },
    ]
}
