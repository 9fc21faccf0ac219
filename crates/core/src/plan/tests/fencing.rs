//! What must carry this leader's token, and when?

use super::fixtures::*;
use super::*;

#[test]
fn a_new_term_over_a_settled_app_writes_nothing() {
    assert!(stable().unfenced().actions().is_empty());
    assert!(rolled_over().unfenced().actions().is_empty());
}

#[test]
fn everything_is_stamped_before_a_color_is_edited_or_selected() {
    for world in [
        stable().active(Green).switching(),
        stable().stored(Green, 2),
        stable().standby(0, 0).color(Green, |c| c.served = true),
        stable().without(Green),
        stable().deployment(Blue, |d| d.matches = false),
    ] {
        assert_eq!(world.unfenced().actions(), [stamp_all()]);
    }
}

#[test]
fn only_what_lacks_the_stamp_gets_one() {
    let to_green = stable().active(Green).switching();
    let service = to_green.clone().service(|s| s.fence = Fence::Stale);
    assert_eq!(service.actions(), [Action::Fence { service: true, colors: vec![] }]);
    for color in Color::ALL {
        let one = to_green.clone().deployment(color, |d| d.fence = Fence::Stale);
        assert_eq!(one.actions(), [Action::Fence { service: false, colors: vec![color] }]);
    }
}

#[test]
fn a_cancel_is_settled_only_after_the_stamps() {
    // Green was asked for, the switch's result is unknown, and the user went back to blue.
    let world = stable().unreported().switching().unfenced();
    assert_eq!(world.actions(), [stamp_all()]);
}

#[test]
fn a_pause_is_reported_only_after_the_stamps() {
    let world = stable().active(Green).paused().unfenced();
    assert_eq!((world.stage(), world.actions()), (Stage::Pausing, vec![stamp_all()]));
    let stamped = stable().active(Green).paused();
    assert_eq!((stamped.stage(), stamped.actions()), (Stage::Paused, vec![]));
}

#[test]
fn a_later_term_and_another_operator_are_never_overwritten() {
    for fence in [Fence::Newer, Fence::Foreign("other/operator".to_owned())] {
        let worlds = [
            stable().active(Green).service(|s| s.fence = fence.clone()),
            stable().edited(Green).service(|s| s.fence = fence.clone()),
            stable().edited(Green).paused().deployment(Green, |d| d.fence = fence.clone()),
            stable().service(|s| {
                s.fence = fence.clone();
                s.selects = Selection::Edited;
            }),
            stable().deployment(Blue, |d| d.fence = fence.clone()).without(Green),
        ];
        for world in worlds {
            assert_eq!((world.stage(), world.actions()), (Stage::Yielding, vec![]));
        }
    }
}

#[test]
fn one_object_without_the_stamp_is_enough_to_keep_a_pause_waiting() {
    let pausing = stable().active(Green).paused();
    let service = pausing.clone().service(|s| s.fence = Fence::Stale);
    assert_eq!(service.stage(), Stage::Pausing);
    for color in Color::ALL {
        let one = pausing.clone().deployment(color, |d| d.fence = Fence::Stale);
        assert_eq!(one.stage(), Stage::Pausing);
    }
}
