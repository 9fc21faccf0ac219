//! How a pass goes on from the answers to its writes, without another read.

use std::time::Duration;

use super::fixtures::{Blue, Green, committed, edit, stable, stamp_all, switch};
use super::rig::{Rig, Said, Seen, seen};
use crate::apply::Outcome;
use crate::drain::Endpoints;
use crate::plan::Action;

/// This is sent, because of a read just now.
fn sending(what: Seen, action: Action) -> Rig {
    let mut rig = Rig::new(what);
    rig.wake();
    assert_eq!(rig.read(), Said::Send(vec![action]));
    rig
}

/// Green is to be edited, and that is sent.
fn editing() -> Rig {
    sending(seen(stable().stored(Green, 2)), edit(Green, 3))
}

#[test]
fn the_next_step_follows_from_the_answers() {
    let mut rig = editing();
    assert_eq!(rig.done(seen(stable().replicas(4))), Said::Send(vec![edit(Blue, 4), edit(Green, 4)]));
}

#[test]
fn a_report_follows_from_the_answers() {
    assert!(matches!(editing().done(seen(stable()).news()), Said::Report(_)));
}

#[test]
fn what_the_answers_do_not_tell_is_read() {
    assert_eq!(editing().sent(&Outcome::Done), Said::Read(false));
}

/// The read before the writes does not show who has edited what since.
#[test]
fn a_read_that_is_older_than_a_second_is_made_again() {
    for (age, goes_on) in [(1000, true), (1001, false)] {
        let mut rig = editing();
        rig.turn(Duration::from_millis(age));
        let said = rig.done(seen(stable().replicas(4)));
        assert_eq!(matches!(said, Said::Send(_)), goes_on, "{age} ms: {said:?}");
    }
}

/// A report is refused if somebody has edited the app since then.
#[test]
fn a_read_that_is_older_than_a_second_counts_again_once_a_report_is_written() {
    for (outcome, then) in [
        (Outcome::Done, Said::Send(vec![edit(Blue, 4), edit(Green, 4)])),
        (Outcome::Stale, Said::Read(false)),
    ] {
        let mut rig = editing();
        rig.turn(Duration::from_millis(600));
        rig.done(seen(stable().replicas(4)));
        rig.turn(Duration::from_millis(600));
        rig.seen = seen(stable().replicas(4)).news();
        assert!(matches!(rig.done(rig.seen.clone()), Said::Report(_)));
        assert_eq!(rig.reported(outcome), then);
    }
}

#[test]
fn no_switch_rests_on_answers() {
    assert_eq!(editing().done(seen(stable().active(Green))), Said::Confirm(Green));
}

/// What an earlier leader wrote before the stamp shows in a read after it.
#[test]
fn a_stamp_is_followed_by_a_read() {
    let mut rig = sending(seen(stable().replicas(4).unfenced()), stamp_all());
    assert!(matches!(rig.done(seen(stable().replicas(4))), Said::Read(_)));
}

/// The slices that were read before a switch may still be those of the last time that the target served.
#[test]
fn no_drain_clock_starts_at_answers() {
    let mut rig = sending(seen(stable().active(Green).switching()), switch(Blue, Green));
    rig.done(Seen { endpoints: Endpoints { moved: true, cleared: true }, ..seen(committed()) });
    assert_eq!(rig.memory.drain.held(Some(Green), rig.uptime), crate::drain::Held::default());
}

/// A webhook that changes each write would keep the pass at it for ever.
#[test]
fn a_pass_that_goes_on_ends_after_its_share() {
    let mut rig = editing();
    let mut rounds = 0;
    for size in 4..40 {
        if rig.done(seen(stable().replicas(size))) == Said::Wait(Duration::from_millis(100)) {
            break;
        }
        rounds += 1;
    }
    assert_eq!(rounds, 11);
}
