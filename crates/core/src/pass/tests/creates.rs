//! How a new app is created on what the caches hold, without any read.

use super::fixtures::{Blue, World, color, new_app};
use super::rig::{Rig, Said, seen};
use crate::apply::Outcome;
use crate::plan::Child;

/// The first objects of an app are under way.
fn creating() -> Rig {
    let mut rig = Rig::new(seen(new_app()).news());
    assert_eq!(rig.wake(), Said::Send(new_app().actions()));
    rig
}

#[test]
fn the_first_objects_of_an_app_are_created_without_any_read_and_then_it_is_told_of() {
    let mut rig = creating();
    let after = seen(new_app().with(|world| world.seen.service = Child::Collecting)).news();
    assert!(matches!(rig.done(after), Said::Report(_) | Said::Send(_)));
}

/// Caches that are as old as that are not worth a second try.
#[test]
fn everything_is_read_if_any_of_them_exists() {
    for outcome in [Outcome::Stale, Outcome::Gone, Outcome::Unknown("no answer".to_owned())] {
        assert_eq!(creating().sent(&outcome), Said::Read(false), "{outcome:?}");
    }
}

#[test]
fn a_refusal_is_told_after_a_read_and_everything_is_read_before_the_next_try() {
    let mut rig = creating();
    assert_eq!(rig.sent(&Outcome::Refused("a quota".to_owned())), Said::Read(false));
    assert!(matches!(rig.read(), Said::Report(told) if told.failure.is_some()));
    let Said::Wait(wait) = rig.reported(Outcome::Done) else { panic!("it goes on") };
    rig.turn(wait);
    assert_eq!(rig.wake(), Said::Read(false));
}

#[test]
fn an_app_that_has_anything_or_was_live_is_read_first() {
    let with = |change: fn(&mut World)| new_app().with(change);
    for world in [
        with(|world| world.seen.recorded.active = Some(Blue)),
        with(|world| world.seen.colors.blue.newest = color(false, 3).newest),
        with(|world| world.seen.colors.green.deployment = color(false, 3).deployment),
        with(|world| world.seen.service = Child::Foreign),
    ] {
        assert_eq!(Rig::new(seen(world.clone()).news()).wake(), Said::Read(false), "{world:?}");
    }
}
