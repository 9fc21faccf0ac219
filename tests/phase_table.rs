//! What does every edit, and everything that can happen to a child, mean in every phase?
//!
//! One block per event: what it means as a rule, then the phases in which it means something else. `a` is the color
//! that serves (or is to serve first), `b` the other one; `-` is "nothing to do". After `->` stands where the app is
//! then; without it, the app stays where it was. A phase in which an event can't happen is left out by name.

use std::time::Duration;

use bluegreen_operator::api::{ActiveUpdatePolicy, Color, PerColor};
use bluegreen_operator::plan::{
    Action, Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Missing, Observed, Plan,
    Recorded, Selection, ServiceFacts, Stage, Standby, Stored, plan,
};

#[path = "../src/plan/tests/fixtures.rs"]
#[allow(dead_code, missing_docs, unused_imports)]
mod fixtures;

use fixtures::*;

/// A phase: its name, an app in it, the color that serves, and the stage's words.
struct Phase {
    name: &'static str,
    world: World,
    a: Color,
    stage: &'static str,
}

fn settled(world: World) -> World {
    world.with(|w| w.seen.recorded.settled = true)
}

fn phases() -> Vec<Phase> {
    let phase = |name, a, stage, world| Phase { name, world, a, stage };
    let asleep = settled(stable().standby(0, 60)).sized(Green, 0);
    let to_green = || stable().active(Green).switching();
    let stalled = to_green().stored(Green, 2).deployment(Green, |d| {
        *d =
            DeploymentFacts { deadline_exceeded: true, updated: 0, ready: 0, available: 0, ..ready(2, FULL) };
    });
    vec![
        phase("new", Blue, "preparing a: revision", new_app()),
        phase("first", Blue, "preparing a: pods", first_ready().unready(Blue)),
        phase("warm", Blue, "serving", stable()),
        phase("reduced", Blue, "serving", asleep),
        phase("preparing", Blue, "preparing b: pods", to_green().unready(Green)),
        phase("committed", Green, "switching a", committed()),
        phase("draining", Green, "draining b", draining()),
        phase("back", Green, "preparing b: pods", draining().active(Blue).unready(Blue)),
        phase("held", Blue, "serving", settled(stable().edited(Blue))),
        phase("paused", Blue, "paused", settled(stable().paused())),
        phase("stalled", Blue, "preparing b: deadline", stalled),
    ]
}

/// One event: its name, what it does to an app whose colors are (`a`, `b`), and what it means.
struct Event {
    name: &'static str,
    happens: fn(World, Color, Color) -> World,
    rule: &'static str,
    /// Phases in which it means something else; an empty text where it can't happen.
    except: &'static [(&'static str, &'static str)],
}

/// What a new app does in any case.
const CREATES: &str = "create-service, color-service a, store a 1, color-service b, store b 1";

fn spec_edits() -> Vec<Event> {
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
                (
                    "new",
                    "create-service, color-service a, store a 1, color-service b, store b 1 -> preparing b: revision",
                ),
                ("first", "switch b -> switching b"),
                ("reduced", "edit b 3 -> preparing b: rollout"),
                // A cancel: nothing was committed.
                ("preparing", "- -> serving"),
                ("stalled", "- -> serving"),
                // A rollback: at once, the drain does not matter to the color that comes back.
                ("committed", "switch b -> switching b"),
                ("draining", "switch b -> switching b"),
                // On again: b goes on draining.
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
                ("preparing", "store b 2 -> preparing b: revision"),
                ("stalled", "store b 3 -> preparing b: revision"),
                ("committed", "-"),
                ("draining", "-"),
                // Its connections are still open: the edit waits, and the switch back waits for the edit.
                ("back", "- -> preparing b: revision"),
                ("paused", "-"),
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
            name: "spec.active and the tag of the color that it names, in one commit",
            happens: |w, _, _| {
                let to = w.intent.active.other();
                w.active(to).edited(to)
            },
            rule: "store b 2 -> preparing b: revision",
            except: &[
                (
                    "new",
                    "create-service, color-service a, store a 1, color-service b, store b 1 -> preparing b: revision",
                ),
                // The color that it goes back to is live: its edit is held.
                ("preparing", "- -> serving"),
                ("stalled", "- -> serving"),
                ("back", "- -> draining b"),
                // The color drains: first the drain, then the edit, then the switch.
                ("committed", "- -> preparing b: revision"),
                ("draining", "- -> preparing b: revision"),
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
                ("preparing", "store b 2 -> preparing b: revision"),
                ("stalled", "store b 3 -> preparing b: revision"),
                // Both have served: both keep what they ran.
                ("committed", "-"),
                ("draining", "-"),
                ("back", "-"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "replicas up",
            happens: |w, _, _| w.replicas(5),
            rule: "edit a 5, edit b 5 -> unready a: rollout",
            except: &[
                ("new", CREATES),
                ("first", "edit a 5, edit b 5 -> preparing a: rollout"),
                ("reduced", "edit a 5 -> unready a: rollout"),
                ("preparing", "edit a 5, edit b 5 -> preparing b: rollout"),
                ("stalled", "edit a 5, edit b 5 -> preparing b: rollout"),
                // A draining color is left as it is, unless it is to serve again: more pods harm no connection.
                ("committed", "edit a 5 -> unready a: rollout"),
                ("draining", "edit a 5 -> unready a: rollout"),
                ("back", "edit a 5, edit b 5 -> preparing b: rollout"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "replicas down",
            happens: |w, _, _| w.replicas(1),
            rule: "edit a 1, edit b 1 -> unready a: rollout",
            except: &[
                ("new", CREATES),
                ("first", "edit a 1, edit b 1 -> preparing a: rollout"),
                ("reduced", "edit a 1 -> unready a: rollout"),
                ("preparing", "edit a 1, edit b 1 -> preparing b: rollout"),
                ("stalled", "edit a 1, edit b 1 -> preparing b: rollout"),
                ("committed", "edit a 1 -> unready a: rollout"),
                ("draining", "edit a 1 -> unready a: rollout"),
                // Fewer pods of b would cut connections that are still open.
                ("back", "edit a 1 -> preparing b: rollout"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "standby: 0 pods at once",
            happens: |w, _, _| w.standby(0, 0),
            // It has never served: it stays up to be looked at.
            rule: "edit b 1",
            except: &[
                ("new", CREATES),
                ("preparing", "-"),
                ("stalled", "-"),
                ("committed", "-"),
                ("draining", "-"),
                ("back", "-"),
                ("paused", "-"),
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
            happens: |w, _, b| w.without(b),
            rule: "remove b",
            except: &[
                ("new", "create-service, color-service a, store a 1"),
                ("committed", "-"),
                ("draining", "-"),
                ("paused", "-"),
                // Admission refuses it: `spec.active` names it.
                ("preparing", ""),
                ("stalled", ""),
                ("back", ""),
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

fn lost(w: World, color: Color) -> World {
    w.color(color, |facts| (facts.newest, facts.current, facts.served) = (None, None, false))
}

fn child_events() -> Vec<Event> {
    vec![
        Event {
            name: "the live Deployment is deleted",
            happens: |w, a, _| w.color(a, |facts| facts.deployment = Child::Absent),
            rule: "create a 3 -> unready a: deployment",
            except: &[
                ("new", ""),
                ("first", "create a 3 -> preparing a: deployment"),
                ("preparing", "create a 3"),
                ("stalled", "create a 3"),
                ("back", "create a 3"),
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
                ("preparing", "create b 3 -> preparing b: deployment"),
                ("stalled", "create b 3 -> preparing b: deployment"),
                ("back", "create b 3 -> preparing b: deployment"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the live Service is deleted",
            happens: |w, _, _| w.with(|w| w.seen.service = Child::Absent),
            rule: "create-service -> switching a",
            except: &[
                ("new", ""),
                ("first", "create-service"),
                ("preparing", "create-service"),
                ("stalled", "create-service"),
                ("back", "create-service"),
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
            except: &[
                ("new", ""),
                ("first", "-"),
                ("preparing", "restore a"),
                ("stalled", "restore a"),
                ("back", "restore a"),
                ("paused", "-"),
            ],
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
                ("preparing", "recover b 1 -> preparing b: revision"),
                ("stalled", "recover b 2 -> preparing b: revision"),
                ("back", "recover b 1 -> preparing b: revision"),
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
                ("preparing", "recover a 1"),
                ("stalled", "recover a 1"),
                ("back", "recover a 1"),
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
                ("preparing", "restore a"),
                ("stalled", "restore a"),
                ("back", "restore a"),
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
                ("preparing", "edit a 3"),
                ("stalled", "edit a 3"),
                ("back", "edit a 3"),
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
                ("preparing", "edit b 3 -> preparing b: rollout"),
                ("stalled", "edit b 3 -> preparing b: rollout"),
                // A roll would cut connections that are still open.
                ("committed", "-"),
                ("draining", "-"),
                ("back", "- -> preparing b: rollout"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the live pods turn unready",
            happens: |w, a, _| w.unready(a),
            rule: "- -> unready a: pods",
            except: &[
                ("new", ""),
                ("first", "-"),
                ("preparing", "-"),
                ("stalled", "-"),
                ("back", "-"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the idle pods turn unready",
            happens: |w, _, b| w.unready(b),
            rule: "-",
            except: &[("new", "")],
        },
        Event {
            name: "the live color's endpoints are lost",
            happens: |w, a, _| w.color(a, |facts| facts.endpoints = 0).with(|w| w.seen.elapsed.moved = None),
            rule: "- -> unready a: endpoints",
            except: &[
                ("new", ""),
                // The pods are named first.
                ("first", "-"),
                ("preparing", "-"),
                ("stalled", "-"),
                ("back", "-"),
                ("paused", "-"),
            ],
        },
        Event {
            name: "the idle color's roll passes its deadline",
            happens: |w, _, b| w.deployment(b, |d| d.deadline_exceeded = true),
            rule: "-",
            except: &[
                ("new", ""),
                ("preparing", "- -> preparing b: deadline"),
                ("back", "- -> preparing b: deadline"),
            ],
        },
        Event {
            name: "somebody else's Deployment stands in the idle one's place",
            happens: |w, _, b| w.color(b, |facts| facts.deployment = Child::Foreign),
            rule: "-",
            except: &[
                ("new", CREATES),
                ("preparing", "- -> preparing b: deployment"),
                ("stalled", "- -> preparing b: deployment"),
                ("back", "- -> preparing b: deployment"),
            ],
        },
        Event {
            name: "an earlier app's Deployment is still being collected",
            happens: |w, _, b| w.color(b, |facts| facts.deployment = Child::Collecting),
            rule: "-",
            except: &[
                ("new", CREATES),
                ("preparing", "- -> preparing b: deployment"),
                ("stalled", "- -> preparing b: deployment"),
                ("back", "- -> preparing b: deployment"),
            ],
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
                ("warm", "-"),
                ("reduced", "-"),
                ("held", "-"),
                ("paused", "-"),
            ],
        },
    ]
}

fn in_words(plan: &Plan, a: Color) -> (String, String) {
    let name = |color: Color| if color == a { "a" } else { "b" };
    let actions: Vec<String> = plan.actions.iter().map(|action| action_words(action, &name)).collect();
    let actions = if actions.is_empty() { "-".to_owned() } else { actions.join(", ") };
    let active = |missing: Missing| missing_words(missing);
    let stage = match plan.stage {
        Stage::Yielding => "yielding".to_owned(),
        Stage::Paused => "paused".to_owned(),
        Stage::Pausing => "pausing".to_owned(),
        Stage::Preparing { target, missing } => format!("preparing {}: {}", name(target), active(missing)),
        Stage::Switching { to } => format!("switching {}", name(to)),
        Stage::Draining { old } => format!("draining {}", name(old)),
        Stage::Serving => "serving".to_owned(),
        Stage::Unready { missing } => format!("unready a: {}", active(missing)),
    };
    (actions, stage)
}

fn action_words(action: &Action, name: &impl Fn(Color) -> &'static str) -> String {
    match action {
        Action::CreateService => "create-service".to_owned(),
        Action::Restore { to } => format!("restore {}", name(*to)),
        Action::UpdateService => "update-service".to_owned(),
        Action::ApplyColorService(color) => format!("color-service {}", name(*color)),
        Action::StoreRevision { color, number } => format!("store {} {number}", name(*color)),
        Action::RecoverRevision { color, number } => format!("recover {} {number}", name(*color)),
        Action::Promote { color, number } => format!("promote {} {number}", name(*color)),
        Action::CreateDeployment { color, replicas } => format!("create {} {replicas}", name(*color)),
        Action::EditDeployment { color, replicas } => format!("edit {} {replicas}", name(*color)),
        Action::Fence { service, colors } => {
            let mut words = vec!["fence"];
            words.extend(service.then_some("service"));
            let mut names: Vec<_> = colors.iter().map(|&color| name(color)).collect();
            names.sort_unstable();
            words.extend(names);
            words.join(" ")
        }
        Action::Switch { to, .. } => format!("switch {}", name(*to)),
        Action::DropRevision { color, number } => format!("drop {} {number}", name(*color)),
        Action::RemoveColor(color) => format!("remove {}", name(*color)),
    }
}

fn missing_words(missing: Missing) -> &'static str {
    match missing {
        Missing::Block => "block",
        Missing::Revision => "revision",
        Missing::Deployment => "deployment",
        Missing::Rollout => "rollout",
        Missing::Observed => "observed",
        Missing::Pods { .. } => "pods",
        Missing::Deadline => "deadline",
        Missing::ReplicaSet => "replica set",
        Missing::Endpoints { .. } => "endpoints",
    }
}

/// The actions of both colors come in the order of the colors; the table says a before b.
fn sorted(actions: &str) -> Vec<&str> {
    let mut all: Vec<_> = actions.split(", ").collect();
    all.sort_unstable();
    all
}

#[test]
fn every_event_means_one_thing_in_every_phase() {
    let (mut rows, mut wrong) = (0, Vec::new());
    for event in spec_edits().into_iter().chain(child_events()) {
        for (name, _) in event.except {
            assert!(phases().iter().any(|phase| phase.name == *name), "{}: no phase {name}", event.name);
        }
        for phase in phases() {
            let text = event
                .except
                .iter()
                .find(|(name, _)| *name == phase.name)
                .map_or(event.rule, |(_, text)| text);
            if text.is_empty() {
                continue;
            }
            rows += 1;
            let (actions, stage) = text.split_once(" -> ").unwrap_or((text, phase.stage));
            let plan = (event.happens)(phase.world, phase.a, phase.a.other()).plan();
            let is = in_words(&plan, phase.a);
            if (sorted(&is.0), is.1.as_str()) != (sorted(actions), stage) {
                let is = format!("{} -> {}", is.0, is.1);
                wrong.push(format!(
                    "{} / {}: should be {actions} -> {stage}, is {is}",
                    phase.name, event.name
                ));
            }
        }
    }
    println!("{rows} rows, {} pass", rows - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_phase_is_the_one_that_it_is_called() {
    for phase in phases() {
        let (actions, stage) = in_words(&phase.world.plan(), phase.a);
        assert_eq!(stage, phase.stage, "{}", phase.name);
        assert_eq!(actions, if phase.name == "new" { CREATES } else { "-" }, "{}", phase.name);
    }
}
