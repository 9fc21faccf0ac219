//! How long is the color that served before left alone?

use super::fixtures::*;
use super::*;

#[test]
fn nothing_touches_the_old_color_before_the_endpoints_have_moved() {
    let world = committed().standby(0, 0);
    assert_eq!(world.stage(), Stage::Switching { to: Green });
    assert!(world.actions().is_empty());
}

#[test]
fn nothing_touches_it_during_the_drain() {
    let worlds = [
        draining().standby(0, 0),
        draining().replicas(1).with(|w| w.seen.colors.green.deployment = Child::Ours(ready(1, 1))),
        draining().edited(Blue),
        draining().without(Blue),
        draining().deployment(Blue, |d| d.matches = false),
        draining().deployment(Blue, |d| d.replicas = 5),
    ];
    for world in worlds {
        assert!(world.actions().is_empty(), "{world:?}");
        assert!(world.plan().wake.is_some_and(|wake| wake <= DRAIN));
    }
    assert_eq!(draining().stage(), Stage::Draining { old: Blue });
    assert_eq!(draining().plan().wake, Some(Duration::from_secs(5)), "half of it is put on record");
}

#[test]
fn it_ends_when_the_endpoints_have_held_for_the_whole_drain() {
    let world = draining().standby(0, 0).moved(30);
    assert_eq!(world.stage(), Stage::Serving);
    assert_eq!(world.actions(), [edit(Blue, 0)]);
}

#[test]
fn endpoints_that_are_empty_prove_no_move() {
    let world = committed().standby(0, 0).cleared(900);
    assert!(world.actions().is_empty(), "{:?}", world.actions());
}

#[test]
fn an_edit_of_the_old_block_needs_only_that_no_connection_can_reach_it() {
    let broken = committed().unready(Green).edited(Blue);
    assert!(broken.clone().cleared(29).actions().is_empty());
    assert_eq!(broken.cleared(30).actions(), [store(Blue, 2)]);
    let stored = committed().unready(Green).cleared(30).stored(Blue, 2);
    assert_eq!(stored.actions(), [edit(Blue, FULL)]);
}

#[test]
fn a_crash_starts_the_drain_again() {
    let world = draining().standby(0, 0).with(|w| {
        w.seen.elapsed.moved = None;
        w.seen.elapsed.cleared = None;
    });
    assert!(world.actions().is_empty());
}

#[test]
fn a_status_that_is_not_written_yet_does_not_shorten_it() {
    let world = draining().standby(0, 0).with(|w| {
        w.seen.recorded = Recorded { active: Some(Blue), switching: true, settled: false };
    });
    assert!(world.actions().is_empty());
}

#[test]
fn a_drain_of_zero_seconds_still_waits_for_the_endpoints() {
    assert!(committed().standby(0, 0).drain(0).actions().is_empty());
    assert_eq!(committed().standby(0, 0).drain(0).moved(0).actions(), [edit(Blue, 0)]);
}

#[test]
fn a_color_that_never_served_has_nothing_to_drain() {
    // The first activation: green was there all along.
    let world = first_ready().edited(Green).service(|s| {
        s.selects = Selection::Color(Blue);
        s.committed = Some(Blue);
        s.served.blue = Some(1);
    });
    assert_eq!(world.actions(), [store(Green, 2)]);
}

/// A new leader has no clock of an old drain; the status says that it is over.
#[test]
fn a_drain_that_was_recorded_as_over_is_over_though_no_clock_remembers_it() {
    let mut world = stable();
    if let Child::Ours(service) = &mut world.seen.service {
        service.served.green = Some(1);
    }
    world.seen.colors.green.served = true;
    (world.seen.elapsed.moved, world.seen.elapsed.cleared) = (None, None);
    assert_eq!(world.plan().stage, Stage::Serving);
    world.seen.recorded.switching = true;
    assert_ne!(world.plan().stage, Stage::Serving, "it is not recorded as over");
}

/// The new color is broken, and no endpoint of the old one is left.
#[test]
fn a_broken_new_color_keeps_no_edit_of_the_old_one_waiting_and_the_way_back_warm() {
    let broken = committed().unready(Green);
    let stored = broken.clone().stored(Blue, 2);
    assert!(stored.clone().cleared(29).actions().is_empty());
    assert_eq!(
        stored.standby(1, 0).cleared(30).actions(),
        [edit(Blue, FULL)],
        "nothing else has a ready pod"
    );
    let drifted = broken.clone().deployment(Blue, |d| d.matches = false);
    assert!(drifted.clone().cleared(29).actions().is_empty());
    assert_eq!(drifted.cleared(30).actions(), [edit(Blue, FULL)]);
    assert!(broken.standby(0, 0).cleared(900).actions().is_empty());
}

/// One crash-looping pod of many must not keep the old color, and its edits, for ever.
#[test]
fn a_drain_ends_though_the_new_color_is_short_of_pods() {
    let short = |world: World| {
        world.color(Green, |c| (c.endpoints, c.ported) = (FULL - 1, FULL - 1)).deployment(Green, |d| {
            (d.ready, d.available) = (FULL - 1, FULL - 1);
        })
    };
    let drains = short(draining()).standby(0, 0);
    assert!(drains.actions().is_empty(), "{:?}", drains.actions());
    assert!(!drains.plan().switched);
    let over = short(draining().moved(30)).standby(0, 0);
    assert!(matches!(over.stage(), Stage::Unready { .. }));
    assert_eq!(over.actions(), [edit(Blue, 0)]);
    assert!(over.plan().switched);
    assert!(!short(committed()).plan().switched, "the endpoints have not followed");
}

#[test]
fn the_old_color_grows_with_the_live_one_during_its_drain_and_never_shrinks() {
    assert_eq!(draining().replicas(5).actions(), [edit(Blue, 5), edit(Green, 5)]);
    assert_eq!(draining().replicas(1).actions(), [edit(Green, 1)]);
    for (what, world) in [
        ("its edit waits", draining().stored(Blue, 2)),
        ("somebody's edit would roll it", draining().deployment(Blue, |d| d.matches = false)),
        ("nobody wants it any more", draining().without(Blue)),
        (
            "it was made smaller before the operator was started again",
            draining().standby(0, 0).sized(Blue, 0),
        ),
    ] {
        assert_eq!(world.replicas(5).actions(), [edit(Green, 5)], "{what}");
    }
}

#[test]
fn the_old_color_is_known_without_a_service_of_ours() {
    let world = draining().edited(Blue).with(|w| w.seen.service = Child::Foreign);
    assert!(world.actions().is_empty(), "{:?}", world.actions());
}

#[test]
fn the_planner_is_woken_when_the_first_clock_has_run_out() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let both = |moved, cleared| draining().cleared(cleared).with(|w| w.seen.elapsed.moved = seconds(moved));
    assert_eq!(committed().cleared(10).plan().wake, seconds(5), "half of it is put on record");
    assert_eq!(committed().cleared(16).plan().wake, seconds(14));
    assert_eq!(both(10, 25).plan().wake, seconds(5));
    assert_eq!(both(10, 40).plan().wake, None, "it is over");
    assert_eq!(stable().moved(10).plan().wake, None, "nothing drains");
    let slow = |world: World| world.with(|w| w.seen.elapsed.switching = seconds(100));
    assert_eq!(slow(stable().active(Green).unready(Green)).plan().wake, seconds(500), "it may stall");
    assert_eq!(slow(draining()).plan().wake, seconds(5));
}
