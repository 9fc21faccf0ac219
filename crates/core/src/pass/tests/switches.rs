//! A switch: it is reported first, and goes on only if that report is known to be written.

use std::time::Duration;

use super::fixtures::{Blue, Green, stable, switch};
use super::rig::{Rig, Said, seen};
use crate::apply::Outcome;

/// Green is ready and asked for; the report that announces the switch is under way.
fn announcing() -> Rig {
    let mut rig = Rig::new(seen(stable().active(Green)).news());
    assert_eq!(rig.wake(), Said::Confirm(Green));
    assert!(matches!(rig.read(), Said::Report(_)));
    rig
}

#[test]
fn a_switch_follows_its_report_on_the_same_read() {
    let mut rig = announcing();
    assert_eq!(rig.reported(Outcome::Done), Said::Send(vec![switch(Blue, Green)]));
}

#[test]
fn a_read_that_has_grown_old_meanwhile_is_made_again() {
    let mut rig = announcing();
    rig.turn(Duration::from_millis(251));
    assert_eq!(rig.reported(Outcome::Done), Said::Confirm(Green));
}

/// The switch went on whatever became of its report, with up to 12 reports and 132 reads in a pass.
#[test]
fn a_switch_waits_for_a_report_that_was_not_written() {
    for (outcome, then) in [
        (Outcome::Later(Duration::from_secs(7)), Said::Wait(Duration::from_secs(7))),
        (Outcome::Refused("403".to_owned()), Said::Wait(Duration::from_millis(100))),
        (Outcome::Unknown("503".to_owned()), Said::Wait(Duration::from_millis(100))),
        (Outcome::Stale, Said::Read(true)),
        (Outcome::NotLeading, Said::Stop),
    ] {
        assert_eq!(announcing().reported(outcome.clone()), then, "{outcome:?}");
    }
}

#[test]
fn a_report_of_unknown_result_needs_no_fence() {
    let mut rig = announcing();
    rig.reported(Outcome::Unknown("503".to_owned()));
    assert_eq!(rig.memory.attempt, 0, "a status touches no pod");
}

#[test]
fn a_short_trouble_with_the_report_delays_a_switch_for_a_short_time() {
    let mut rig = announcing();
    rig.reported(Outcome::Unknown("503".to_owned()));
    rig.turn(Duration::from_millis(100));
    rig.wake();
    rig.read();
    assert_eq!(rig.reported(Outcome::Done), Said::Send(vec![switch(Blue, Green)]));
}

#[test]
fn a_report_that_is_stale_again_and_again_gives_others_their_turn() {
    let mut rig = announcing();
    for _ in 0..3 {
        assert_eq!(rig.reported(Outcome::Stale), Said::Read(true));
        rig.read();
    }
    assert_eq!(rig.reported(Outcome::Stale), Said::Wait(Duration::from_millis(100)));
}
