//! When may a color be selected?

use super::fixtures::*;
use super::*;

fn missing(world: &World) -> Missing {
    match world.stage() {
        Stage::Preparing { missing, .. } => missing,
        other => panic!("{other:?}"),
    }
}

fn to_green() -> World {
    stable().active(Green).switching()
}

#[test]
fn a_ready_target_is_selected() {
    assert_eq!(to_green().actions(), [switch(Blue, Green)]);
    assert_eq!(to_green().stage(), Stage::Switching { to: Green });
}

#[test]
fn the_first_activation_passes_the_same_gate() {
    assert_eq!(first_ready().actions(), [Action::Switch { from: None, to: Blue }]);
    assert!(first_ready().unready(Blue).actions().is_empty());
}

#[test]
fn a_status_of_an_older_generation_proves_nothing() {
    let world = to_green().rolling(Green);
    assert_eq!(missing(&world), Missing::Observed);
    assert!(world.actions().is_empty());
}

#[test]
fn every_count_must_be_complete() {
    let spoil: [fn(&mut DeploymentFacts); 4] =
        [|d| d.total += 1, |d| d.updated -= 1, |d| d.ready -= 1, |d| d.available -= 1];
    for spoil in spoil {
        let world = to_green().deployment(Green, spoil).deployment(Green, |d| d.rolled_out = false);
        assert!(matches!(missing(&world), Missing::Pods { want: FULL, .. }), "{:?}", world.stage());
        assert!(world.actions().is_empty());
    }
}

/// Old pods serve on beside one new pod whose image can't be pulled.
#[test]
fn no_old_pod_is_told_as_one_of_the_new_revision() {
    let world = to_green().deployment(Green, |d| (d.total, d.updated) = (FULL + 1, 1));
    assert_eq!(missing(&world), Missing::Pods { have: 0, want: FULL });
    let world = to_green()
        .deployment(Green, |d| (d.total, d.updated, d.ready, d.available) = (FULL + 1, 2, FULL, FULL));
    assert_eq!(missing(&world), Missing::Pods { have: 1, want: FULL });
}

#[test]
fn how_many_new_pods_are_told_is_never_too_many_and_never_less_than_none() {
    for ([total, updated, ready, available], have) in [
        ([FULL, FULL, FULL, 1], 1),
        ([FULL, FULL, 1, FULL], 1),
        ([FULL + 1, 1, 0, 0], 0),
        // Counts that are not of one moment.
        ([1, 1, FULL, FULL], 1),
        ([1, -1, FULL, FULL], 0),
    ] {
        let counts = DeploymentFacts { total, updated, ready, available, ..super::fixtures::ready(1, FULL) };
        assert_eq!(counts.newest_available(), have, "{counts:?}");
    }
}

#[test]
fn each_other_proof_is_asked_for_by_name() {
    let cases = [
        (to_green().deployment(Green, |d| d.deadline_exceeded = true), Missing::Deadline),
        (to_green().deployment(Green, |d| d.proven = false), Missing::ReplicaSet),
        (to_green().color(Green, |c| c.endpoints = 2), Missing::Endpoints { have: 2, want: FULL }),
        (to_green().deployment(Green, |d| d.revision = 2), Missing::Rollout),
        (to_green().color(Green, |c| c.deployment = Child::Collecting), Missing::Deployment),
        (to_green().color(Green, |c| c.deployment = Child::Foreign), Missing::Deployment),
    ];
    for (world, expected) in cases {
        assert_eq!(missing(&world), expected);
        assert!(!world.actions().contains(&switch(Blue, Green)), "{expected:?}");
    }
}

/// A port on which the target's pods are not listed would lead nowhere.
#[test]
fn a_color_without_one_of_the_ports_is_never_selected() {
    let lacks = |world: World| {
        world.color(Green, |c| {
            (c.ported, c.unlisted) = (2, vec!["port grpc (targetPort grpc, TCP)".to_owned()])
        })
    };
    let world = lacks(to_green());
    assert_eq!(missing(&world), Missing::Ports { have: 2, want: FULL });
    assert!(world.actions().is_empty());
    // Not even as a way back: it would lead nowhere just the same.
    let back = lacks(to_green()).color(Green, |c| c.served = true);
    assert_eq!(missing(&back), Missing::Ports { have: 2, want: FULL });
    // A port that is added takes nothing from a color that is live.
    let serving = stable().color(Blue, |c| c.ported = 0);
    assert_eq!(serving.stage(), Stage::Serving);
}

/// With `externalTrafficPolicy: Local`, what comes to a node without a pod of the target is dropped.
#[test]
fn a_new_target_waits_until_it_covers_the_nodes_that_serve() {
    let leaves_out = |world: World| world.color(Green, |c| c.uncovered = vec!["node-2".to_owned()]);
    let world = leaves_out(to_green());
    assert_eq!(missing(&world), Missing::Nodes { uncovered: 1 });
    assert!(world.actions().is_empty());
    // A rollback does not wait for pods that nothing will move.
    let back = leaves_out(to_green()).color(Green, |c| c.served = true);
    assert_eq!(back.actions(), [switch(Blue, Green)]);
    // A live color is not judged by nodes: its slices and the Service's are written one after the other.
    let serving = stable().color(Blue, |c| c.uncovered = vec!["node-2".to_owned()]);
    assert_eq!(serving.stage(), Stage::Serving);
}

#[test]
fn a_field_that_somebody_edited_is_put_back_before_the_switch() {
    let world = to_green().deployment(Green, |d| d.matches = false);
    assert_eq!(missing(&world), Missing::Rollout);
    assert_eq!(world.actions(), [edit(Green, FULL)]);
}

#[test]
fn a_target_below_full_size_is_brought_there_first() {
    let world = to_green().sized(Green, 1);
    assert_eq!(missing(&world), Missing::Size { have: 1, want: FULL });
    assert_eq!(world.actions(), [edit(Green, FULL)]);
}

#[test]
fn the_health_of_the_color_that_fails_is_not_asked_for() {
    assert_eq!(to_green().unready(Blue).actions(), [switch(Blue, Green)]);
}

#[test]
fn tag_and_active_in_one_commit_switch_to_the_new_tag_only() {
    let world = to_green().edited(Green);
    assert_eq!(missing(&world), Missing::Revision);
    assert_eq!(world.actions(), [store(Green, 2)]);
    let next = to_green().stored(Green, 2);
    assert_eq!(next.actions(), [edit(Green, FULL)]);
}

#[test]
fn a_switch_back_during_the_drain_is_immediate_if_nothing_else_changed() {
    assert_eq!(draining().active(Blue).actions(), [switch(Green, Blue)]);
}

/// Blue may not be rendered anew while it drains, but that must not let its old rendering through.
#[test]
fn a_switch_back_with_a_new_tag_waits_for_the_new_tag() {
    let world = draining().active(Blue).edited(Blue);
    assert_eq!(missing(&world), Missing::Revision);
    assert!(world.actions().is_empty(), "{:?}", world.actions());
    assert!(world.plan().wake.is_some(), "the end of the drain wakes it up");
    assert_eq!(world.cleared(30).actions(), [store(Blue, 2)]);
}

/// Between two looks the user may go to green and back. If nothing durable said that a switch was under way,
/// the next look would take blue for a color that always served, and green for one that never did.
#[test]
fn a_switch_is_recorded_in_the_status_before_it_is_committed() {
    let world = stable().active(Green);
    assert_eq!(world.stage(), Stage::Switching { to: Green });
    assert!(world.actions().is_empty());
    assert_eq!(world.switching().actions(), [switch(Blue, Green)]);
}

/// The driver looks again at once after that record, and only after that one.
#[test]
fn a_status_announces_a_switch_only_where_nothing_but_its_record_is_missing() {
    let announces = |world: World| world.plan().announces(&world.seen);
    assert!(announces(stable().active(Green)));
    for (world, why) in [
        (stable(), "nothing is to be switched"),
        (stable().active(Green).unready(Green), "the target is not ready"),
        (to_green(), "it is recorded"),
        (to_green().with(|w| w.seen.service = Child::Foreign), "it is recorded, but may not happen"),
        (stable().active(Green).service(|s| s.current = false), "something else comes first"),
        (committed().with(|w| w.seen.recorded = stable().seen.recorded), "it is committed"),
    ] {
        assert!(!announces(world), "{why}");
    }
}

#[test]
fn what_is_live_is_what_the_service_selects_as_we_committed_it() {
    let live = |world: World| world.plan().live;
    assert_eq!(live(stable()), Live::Selected(Blue));
    assert_eq!(live(new_app()), Live::Never);
    assert_eq!(live(first_ready()), Live::Never);
    for selects in [Selection::Nothing, Selection::Edited, Selection::Color(Green)] {
        assert_eq!(live(stable().service(|s| s.selects = selects)), Live::Lost(Blue));
    }
    assert_eq!(live(stable().with(|w| w.seen.service = Child::Absent)), Live::Lost(Blue));
    // Only the record was edited: the status still knows.
    assert_eq!(live(stable().service(|s| s.committed = Some(Green))), Live::Selected(Blue));
    // The status is older than the switch.
    let early = committed().with(|w| w.seen.recorded.active = Some(Blue));
    assert_eq!(live(early), Live::Selected(Green));
}

#[test]
fn one_pod_is_enough_where_one_is_asked_for_and_none_never_is() {
    let sized = |replicas| to_green().replicas(replicas).sized(Green, replicas);
    assert_eq!(sized(1).stage(), Stage::Switching { to: Green });
    assert_eq!(missing(&sized(0)), Missing::Size { have: 0, want: 1 });
    assert_eq!(missing(&sized(-1)), Missing::Size { have: -1, want: 1 });
}

/// Facts that `observe` never gives; a property found them once in thousands of runs.
#[test]
fn a_target_is_selected_only_with_its_newest_rendering() {
    let stored = |number, change| Some(Stored { number, change });
    let lost = to_green().color(Green, |c| c.newest = None);
    let other = to_green().color(Green, |c| c.current = stored(1, Change::Block));
    for world in [lost, other] {
        assert_eq!(gate(&world.intent, &world.seen, Green), Err(Missing::Revision));
    }
}

#[test]
fn without_a_service_of_ours_nothing_is_switched() {
    let lost = first_ready().with(|w| w.seen.service = Child::Absent);
    assert_eq!(lost.actions(), [Action::CreateService]);
    for held in [Child::Foreign, Child::Collecting] {
        let world = to_green().with(|w| w.seen.service = held);
        assert!(world.actions().is_empty(), "{:?}", world.actions());
    }
}

/// Only such a plan may rest on a look that reads by name alone.
#[test]
fn a_step_of_a_switch_is_told_from_everything_else() {
    let to = |world: &World| world.plan().moves_to(&world.seen);
    assert_eq!(to(&stable().active(Green)), Some(Green), "its record");
    assert_eq!(to(&to_green().unfenced()), Some(Green), "the fence before it");
    assert_eq!(to(&to_green()), Some(Green), "the switch");
    assert_eq!(to(&to_green().service(|s| s.current = false)), Some(Green), "which goes before the rest");
    let others = [
        ("nothing to do", stable()),
        ("a target that is not ready", to_green().unready(Green)),
        ("a fence for another reason", stable().stored(Green, 2).unfenced()),
        ("something to do first", stable().active(Green).service(|s| s.current = false)),
        ("the end of a switch", committed()),
        ("a selector that somebody edited", to_green().service(|s| s.selects = Selection::Edited)),
        ("a first activation, whose record tells of both colors", first_ready()),
    ];
    for (what, world) in others {
        assert_eq!(to(&world), None, "{what}");
    }
}
