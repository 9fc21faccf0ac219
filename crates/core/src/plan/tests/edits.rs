//! When do a color's pods change?

use super::fixtures::*;
use super::*;

#[test]
fn nothing_to_do_is_nothing_done() {
    for world in [stable(), rolled_over()] {
        assert!(world.actions().is_empty());
        assert_eq!(world.stage(), Stage::Serving);
        assert_eq!(world.plan().wake, None);
    }
}

/// The name of the next revision may be taken by an object that is somebody else's: to try it again and again would be to try
/// it for ever.
#[test]
fn the_next_revision_goes_past_a_number_that_somebody_else_has_taken() {
    let edited = || stable().edited(Green);
    assert_eq!(edited().actions(), [store(Green, 2)]);
    assert_eq!(edited().color(Green, |c| c.taken = 4).actions(), [store(Green, 5)]);
    let new = || stable().color(Green, |c| *c = ColorFacts { service: Child::Ours(true), ..absent() });
    assert_eq!(new().actions(), [store(Green, 1)]);
    assert_eq!(new().color(Green, |c| c.taken = 4).actions(), [store(Green, 5)]);
}

#[test]
fn an_edit_of_the_idle_block_is_rendered_then_rolled() {
    assert_eq!(stable().edited(Green).actions(), [store(Green, 2)]);
    assert_eq!(stable().stored(Green, 2).actions(), [edit(Green, FULL)]);
}

#[test]
fn an_edit_of_the_live_block_is_held() {
    let plan = stable().edited(Blue).plan();
    assert!(plan.actions.is_empty());
    assert_eq!((plan.held, plan.stage), (Some(Blue), Stage::Serving));
}

#[test]
fn a_held_edit_applies_after_the_switch_away_and_the_drain() {
    let world = draining().edited(Blue);
    assert!(world.actions().is_empty());
    assert_eq!(world.moved(30).actions(), [store(Blue, 2)]);
}

#[test]
fn a_shared_edit_reaches_only_a_color_that_has_not_served_since_its_own_edit() {
    assert_eq!(stable().shared_edit().actions(), [store(Green, 2)]);
    assert!(rolled_over().shared_edit().actions().is_empty());
}

/// How a Deployment rolls changes no pod, so it follows the spec everywhere but in a drain, and holds up no way back.
#[test]
fn settings_follow_the_spec_without_a_revision_and_never_hold_up_a_way_back() {
    let reset = |world: World, color| world.unreported().deployment(color, |d| d.settings = false);
    for color in Color::ALL {
        assert_eq!(reset(rolled_over(), color).actions(), [edit(color, FULL)]);
    }
    assert!(reset(draining(), Blue).actions().is_empty());
    let back = reset(draining(), Blue).active(Blue).switching();
    assert_eq!(back.actions(), [switch(Green, Blue)]);
    assert_eq!(back.moved(30).actions(), [switch(Green, Blue)], "after its drain, too");
    let first = reset(stable(), Green).active(Green).switching();
    assert_eq!(first.actions(), [edit(Green, FULL)], "it is being prepared");
}

#[test]
fn with_rolling_update_the_live_color_is_rendered_recorded_and_rolled_in_place() {
    let world = stable().rolling_update();
    assert_eq!(world.clone().edited(Blue).actions(), [store(Blue, 2)]);
    assert_eq!(world.clone().edited(Blue).plan().held, None);
    let stored = world.clone().color(Blue, |c| {
        c.newest = Some(Stored { number: 2, change: Change::None });
        c.current = Some(Stored { number: 1, change: Change::Block });
    });
    assert_eq!(stored.actions(), [Action::Promote { color: Blue, number: 2 }]);
    let promoted = world.stored(Blue, 2).color(Blue, |c| c.served = true);
    assert_eq!(promoted.actions(), [edit(Blue, FULL)]);
}

#[test]
fn with_rolling_update_a_shared_edit_alone_does_not_move_the_live_color() {
    assert_eq!(stable().rolling_update().shared_edit().actions(), [store(Green, 2)]);
}

#[test]
fn both_colors_take_a_new_size_but_the_one_that_drains_never_a_smaller_one() {
    assert_eq!(stable().replicas(5).actions(), [edit(Blue, 5), edit(Green, 5)]);
    assert_eq!(draining().replicas(1).actions(), [edit(Green, 1)]);
}

#[test]
fn the_live_color_is_put_back_to_its_own_rendering() {
    let world = stable().deployment(Blue, |d| d.matches = false);
    assert_eq!(world.actions(), [edit(Blue, FULL)]);
}

#[test]
fn a_pause_in_a_settled_app_changes_nothing() {
    let plan = stable().paused().edited(Green).plan();
    assert_eq!((plan.actions, plan.stage), (vec![], Stage::Paused));
}

#[test]
fn an_idle_color_whose_block_left_goes() {
    assert_eq!(stable().without(Green).actions(), [Action::RemoveColor(Green)]);
    assert_eq!(rolled_over().without(Blue).actions(), [Action::RemoveColor(Blue)]);
}

#[test]
fn a_live_color_whose_block_left_with_the_switch_goes_after_the_drain() {
    let both = stable().active(Green).without(Blue).switching();
    assert_eq!(both.actions(), [switch(Blue, Green)]);
    assert!(draining().without(Blue).actions().is_empty());
    assert_eq!(draining().without(Blue).moved(30).actions(), [Action::RemoveColor(Blue)]);
}

/// The Service still says which of its revisions served: a number that is used twice would make a rendering
/// that nobody has seen look as if it had served.
#[test]
fn a_color_that_comes_back_does_not_use_its_numbers_again() {
    let world = rolled_over().color(Blue, |c| {
        *c = ColorFacts { service: Child::Ours(true), ..absent() };
    });
    assert_eq!(world.actions(), [store(Blue, 2)]);
}

#[test]
fn what_nothing_needs_is_dropped_last() {
    let world = stable().color(Green, |c| c.obsolete = vec![3, 4]);
    let drop = |number| Action::DropRevision { color: Green, number };
    assert_eq!(world.actions(), [drop(3), drop(4)]);
    assert_eq!(world.edited(Green).actions(), [store(Green, 2)]);
}

/// The model found it: the live color's edit was rendered, then a shared field changed, and the edit was forgotten.
#[test]
fn a_shared_edit_does_not_keep_a_rolling_live_color_from_its_own() {
    let rendered = Stored { number: 2, change: Change::Shared };
    let world = stable().rolling_update().color(Blue, |c| c.newest = Some(rendered));
    assert_eq!(world.actions(), [Action::Promote { color: Blue, number: 2 }]);
    let edited_again = Stored { number: 2, change: Change::Block };
    let world = stable().rolling_update().color(Blue, |c| c.newest = Some(edited_again));
    assert_eq!(world.actions(), [store(Blue, 3)]);
}

/// An update in place that the API server refuses must not stand in the way of the edit that undoes it.
#[test]
fn an_update_in_place_that_never_began_and_is_not_wanted_any_more_is_taken_back() {
    let refused = |change| {
        stable().stored(Blue, 2).color(Blue, move |c| {
            let stored = Some(Stored { number: 2, change });
            (c.newest, c.current, c.served) = (stored, stored, true);
        })
    };
    let back = vec![Action::Promote { color: Blue, number: 1 }];
    assert_eq!(refused(Change::Block).actions(), back);
    // Also where no update would follow it: the color's block left the spec.
    assert_eq!(refused(Change::Block).rolling_update().without(Blue).actions(), back);
    // What refuses it may be a field that both colors share.
    assert_eq!(refused(Change::Shared).actions(), back);
    // What is still asked for is still tried.
    assert_eq!(refused(Change::None).actions(), [edit(Blue, FULL)]);
    // It has begun.
    let begun = refused(Change::Block).deployment(Blue, |d| d.revision = 2);
    assert_eq!(begun.actions(), [edit(Blue, FULL)]);
    // What the pods run is not known any more.
    let lost = refused(Change::Block).deployment(Blue, |d| d.stored = false);
    assert_eq!(lost.actions(), [edit(Blue, FULL)]);
    // The newest edit comes first.
    for change in [Change::Block, Change::Shared] {
        assert_eq!(refused(change).rolling_update().actions(), [store(Blue, 3)]);
    }
}

/// Such as after a policy was changed back, or with a block that left the spec, between the rendering and its turn.
#[test]
fn a_rendering_that_is_no_longer_wanted_is_not_promoted() {
    let rendered = |change| move |c: &mut ColorFacts| c.newest = Some(Stored { number: 2, change });
    let frozen = stable().color(Blue, rendered(Change::None));
    let left = stable().rolling_update().without(Blue).color(Blue, rendered(Change::Block));
    for world in [frozen, left] {
        assert!(world.actions().is_empty(), "{:?}", world.actions());
    }
}

#[test]
fn a_number_that_pods_carry_is_not_given_to_another_rendering() {
    let world = stable().edited(Green).deployment(Green, |d| d.revision = 5);
    assert_eq!(world.actions(), [store(Green, 6)]);
}

/// The live color stays as it is: that its block left is held like any edit of it.
#[test]
fn a_live_color_whose_block_left_serves_on() {
    let plan = stable().without(Blue).plan();
    assert_eq!((plan.actions, plan.stage), (vec![], Stage::Serving));
    assert_eq!(plan.held, Some(Blue));
}
