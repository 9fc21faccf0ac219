//! How large is the idle color?

use super::fixtures::*;
use super::*;

fn idle(world: World, color: Color, seconds: u64) -> World {
    world.with(|w| *w.seen.elapsed.idle.get_mut(color) = Duration::from_secs(seconds))
}

#[test]
fn warm_is_full_size() {
    assert_eq!(stable().sized(Green, 1).actions(), [edit(Green, FULL)]);
}

#[test]
fn what_served_is_kept_at_full_size_until_its_time_is_over() {
    let world = rolled_over().standby(1, 60);
    assert!(idle(world.clone(), Blue, 59).actions().is_empty());
    assert_eq!(idle(world.clone(), Blue, 59).plan().wake, Some(Duration::from_secs(1)));
    assert_eq!(idle(world, Blue, 60).actions(), [edit(Blue, 1)]);
}

#[test]
fn with_no_time_given_it_is_reduced_as_soon_as_it_has_drained() {
    assert_eq!(rolled_over().standby(0, 0).actions(), [edit(Blue, 0)]);
}

#[test]
fn an_edit_wakes_it_to_at_least_one_pod() {
    let asleep = rolled_over().standby(0, 60).sized(Blue, 0).stored(Blue, 2);
    assert_eq!(idle(asleep.clone(), Blue, 0).actions(), [edit(Blue, 1)]);
    // What nobody looked at in time goes to sleep again.
    let rolled = asleep.deployment(Blue, |d| *d = ready(2, 1));
    assert!(idle(rolled.clone(), Blue, 59).actions().is_empty());
    assert_eq!(idle(rolled, Blue, 60).actions(), [edit(Blue, 0)]);
}

#[test]
fn without_a_timer_an_edited_color_stays_up_to_be_looked_at() {
    let edited = rolled_over().standby(0, 0).sized(Blue, 0).stored(Blue, 2);
    assert_eq!(edited.actions(), [edit(Blue, 1)]);
}

#[test]
fn a_standby_larger_than_the_app_is_the_app() {
    assert!(rolled_over().standby(9, 0).actions().is_empty());
    assert!(stable().standby(9, 0).actions().is_empty(), "also where it never served");
}

#[test]
fn a_switch_wakes_it_to_full_size_first() {
    let world = rolled_over().standby(0, 0).sized(Blue, 0).active(Blue);
    assert_eq!(world.actions(), [edit(Blue, FULL)]);
}

#[test]
fn only_the_timer_of_a_color_that_is_idle_and_wanted_wakes_the_planner() {
    let timers = |blue, green| {
        stable().standby(1, 60).with(|w| {
            w.seen.elapsed.idle =
                PerColor { blue: Duration::from_secs(blue), green: Duration::from_secs(green) };
        })
    };
    assert_eq!(timers(0, 20).plan().wake, Some(Duration::from_secs(40)));
    assert_eq!(timers(0, 60).plan().wake, None, "blue serves");
    assert_eq!(timers(0, 20).without(Green).plan().wake, None);
    let both = timers(30, 20).with(|w| w.seen.service = first_ready().seen.service);
    let both = both.with(|w| w.seen.recorded.active = None);
    assert_eq!(both.plan().wake, Some(Duration::from_secs(30)), "the first of the two");
}
