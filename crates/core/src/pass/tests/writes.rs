//! What follows a write.

use std::time::Duration;

use super::fixtures::{Blue, Green, World, edit, stable};
use super::rig::{Rig, Said, Seen, seen};
use crate::apply::{Failure, FailureKind, Outcome};
use crate::desired::Difference;
use crate::observe::exact::Deviation;
use crate::pass::{Announcement, Reverted};
use crate::plan::{Action, Selection};

fn refused() -> Outcome {
    Outcome::Refused("a policy says no".to_owned())
}

fn ms(ms: u64) -> Said {
    Said::Wait(Duration::from_millis(ms))
}

/// Green is to be edited, and that is sent.
fn editing() -> Rig {
    let mut rig = Rig::new(seen(stable().stored(Green, 2)));
    rig.wake();
    assert_eq!(rig.read(), Said::Send(vec![edit(Green, 3)]));
    rig
}

#[test]
fn after_a_write_everything_is_read_again() {
    assert_eq!(editing().sent(&Outcome::Done), Said::Read(false));
}

#[test]
fn what_each_outcome_leads_to() {
    for (outcome, then) in [
        (Outcome::Stale, Said::Read(false)),
        (Outcome::Gone, Said::Read(false)),
        (Outcome::Unknown("no answer".to_owned()), Said::Read(false)),
        (Outcome::Later(Duration::from_secs(7)), Said::Read(false)),
        (Outcome::Failed("a webhook".to_owned()), ms(100)),
        (Outcome::NotLeading, Said::Stop),
    ] {
        assert_eq!(editing().sent(&outcome), then, "{outcome:?}");
    }
}

#[test]
fn only_a_write_of_unknown_result_makes_the_tokens_stale() {
    for (outcome, attempt) in [
        (Outcome::Unknown("no answer".to_owned()), 1),
        (Outcome::Done, 0),
        (Outcome::Stale, 0),
        (refused(), 0),
        (Outcome::Later(Duration::ZERO), 0),
    ] {
        let mut rig = editing();
        rig.sent(&outcome);
        assert_eq!(rig.memory.attempt, attempt, "{outcome:?}");
    }
}

#[test]
fn failed_preconditions_are_tried_again_at_once_three_times() {
    let mut rig = editing();
    for _ in 0..3 {
        assert_eq!(rig.sent(&Outcome::Stale), Said::Read(false));
        rig.read();
    }
    assert_eq!(rig.sent(&Outcome::Stale), Said::Read(false));
    assert_eq!(rig.read(), ms(100), "nothing is sent any more");
}

#[test]
fn a_pass_ends_after_its_share_of_reads() {
    let mut rig = editing();
    for size in 4..15 {
        assert_eq!(rig.sent(&Outcome::Done), Said::Read(false), "size {size}");
        // Each time something else is to be done.
        rig.seen = seen(stable().replicas(size));
        rig.read();
    }
    assert_eq!(rig.sent(&Outcome::Done), ms(100));
}

#[test]
fn a_refusal_is_told_at_once_and_the_back_off_grows() {
    let mut rig = editing();
    let told = |said: Said| match said {
        Said::Report(told) => told.failure,
        other => panic!("{other:?}"),
    };
    let words = "a policy says no".to_owned();
    assert_eq!(
        told(rig.sent(&refused())),
        Some(Failure { color: Some(Green), check: None, leftover: false, kind: FailureKind::Refused, words })
    );
    assert_eq!(rig.reported(Outcome::Done), ms(100));
    // Nothing that wakes the app is a reason to try again sooner.
    rig.wake();
    assert_eq!(rig.read(), ms(100));
    rig.turn(Duration::from_millis(100));
    rig.wake();
    rig.read();
    // The status says all of it already.
    assert_eq!(rig.sent(&refused()), ms(200));
}

/// The first status of the generation that mends a refusal called it refused.
#[test]
fn a_refusal_that_is_over_is_not_told_of_the_generation_that_mends_it() {
    let mut rig = editing();
    rig.sent(&refused());
    rig.reported(Outcome::Done);
    rig.seen.world = stable();
    rig.seen.should_tell += 1;
    rig.wake();
    let Said::Report(told) = rig.read() else { panic!("nothing is reported") };
    assert_eq!(told.failure, None);
}

#[test]
fn a_write_that_succeeds_ends_a_refusal() {
    let mut rig = editing();
    rig.sent(&refused());
    rig.reported(Outcome::Done);
    rig.turn(Duration::from_millis(100));
    rig.wake();
    rig.read();
    rig.sent(&Outcome::Done);
    assert_eq!(rig.memory.failure(1, rig.uptime), None);
}

/// What was read before a write of unknown result may not be so any more.
#[test]
fn after_an_unknown_result_everything_is_read_and_told_and_nothing_is_sent() {
    for (outcome, then) in [
        (Outcome::Unknown("no answer".to_owned()), ms(100)),
        (Outcome::Later(Duration::from_secs(7)), ms(7000)),
    ] {
        let mut rig = editing();
        rig.sent(&outcome);
        assert_eq!(rig.read(), then, "{outcome:?}");
    }
}

/// Several in a row, each of which waits for a webhook that hangs, would keep an app mute for as long.
#[test]
fn after_a_slow_write_the_app_is_told_of_before_another_one() {
    for outcome in [Outcome::Done, Outcome::Stale] {
        let mut rig = editing();
        for _ in 0..3 {
            rig.turn(Duration::from_secs(5));
            rig.seen.should_tell += 1;
            assert_eq!(rig.sent(&outcome), Said::Read(false));
            assert!(matches!(rig.read(), Said::Report(_)), "{outcome:?}");
            assert_eq!(rig.reported(Outcome::Done), Said::Read(false));
            assert_eq!(rig.read(), Said::Send(vec![edit(Green, 3)]));
        }
    }
}

/// To read everything would take eight requests, while the API server is what is slow.
#[test]
fn after_a_slow_write_whose_answer_tells_the_report_proves_that_the_app_is_not_edited() {
    let slow = |rig: &mut Rig| {
        rig.turn(Duration::from_secs(5));
        rig.seen.should_tell += 1;
        assert!(matches!(rig.done(rig.seen.clone()), Said::Report(_)));
    };
    let again = Said::Send(vec![edit(Green, 3)]);
    let mut rig = editing();
    slow(&mut rig);
    assert_eq!(rig.reported(Outcome::Done), again);
    slow(&mut rig);
    assert_eq!(rig.reported(Outcome::Stale), Said::Read(false), "somebody has edited it");
}

#[test]
fn after_a_slow_write_without_anything_to_tell_everything_is_read() {
    let mut rig = editing();
    rig.turn(Duration::from_secs(5));
    assert_eq!(rig.done(rig.seen.clone()), Said::Read(false), "nothing proves that the app is not edited");
}

/// What it looks like after the report of a slow write may need a read of its own.
#[test]
fn no_switch_follows_from_the_report_of_a_slow_write() {
    let mut rig = editing();
    rig.turn(Duration::from_secs(5));
    rig.seen.should_tell += 1;
    rig.seen.world = stable().active(Green);
    assert!(matches!(rig.done(rig.seen.clone()), Said::Report(_)));
    assert_eq!(rig.reported(Outcome::Done), Said::Confirm(Green));
}

/// A single lost answer is not worth a word. One that is followed by others is, whatever was stamped in between.
#[test]
fn a_write_that_keeps_failing_is_told_after_a_second_and_where_the_app_stands_at_once() {
    for outcome in [Outcome::Unknown("no answer".to_owned()), Outcome::Failed("a webhook".to_owned())] {
        let mut rig = editing();
        rig.seen.should_tell += 1;
        let mut told = Vec::new();
        for _ in 0..6 {
            let mut said = rig.sent(&outcome);
            while !matches!(said, Said::Send(_)) {
                said = match said {
                    Said::Report(status) => {
                        told.push(status.failure.map(|failure| (failure.color, failure.kind)));
                        rig.reported(Outcome::Done)
                    }
                    Said::Wait(wait) => {
                        rig.turn(wait);
                        rig.wake()
                    }
                    Said::Read(_) => rig.read(),
                    other => panic!("{other:?}"),
                };
            }
        }
        assert_eq!(told, [None, Some((Some(Green), FailureKind::Failed))], "{outcome:?}");
    }
}

#[test]
fn of_two_outcomes_the_graver_counts_and_of_equals_that_of_the_color_in_demand() {
    // Both colors are to be edited: blue is live, green is idle.
    let both = || {
        let mut rig = Rig::new(seen(stable().replicas(5)));
        rig.wake();
        assert_eq!(rig.read(), Said::Send(vec![edit(Blue, 5), edit(Green, 5)]));
        rig
    };
    let mut rig = both();
    rig.sent(&refused());
    assert_eq!(rig.memory.failure(1, rig.uptime).map(|failure| failure.color), Some(Some(Blue)));
}

#[test]
fn a_selector_that_was_put_back_is_announced() {
    let edited = || stable().service(|service| service.selects = Selection::Color(Green));
    let mut rig = Rig::new(seen(edited()));
    rig.wake();
    rig.read();
    rig.sent(&Outcome::Done);
    assert_eq!(rig.announced, [Announcement::SelectorRestored(Blue)]);
    let mut rig = Rig::new(seen(edited()));
    rig.wake();
    rig.read();
    rig.sent(&Outcome::Stale);
    assert_eq!(rig.announced, []);
}

/// The Service is edited by `kubectl`, and that is about to be taken back.
fn taking_back() -> Rig {
    let difference = Difference {
        path: "spec.type".to_owned(),
        declared: "NodePort".to_owned(),
        live: "ClusterIP".to_owned(),
    };
    let edited = Some(Deviation { difference, manager: Some("kubectl".to_owned()) });
    let mut rig = Rig::new(Seen { edited, ..seen(stable().service(|service| service.current = false)) });
    rig.wake();
    assert_eq!(rig.read(), Said::Send(vec![Action::UpdateService]));
    rig
}

/// The managers that those Events name which tell of an edit that was taken back.
fn blamed(rig: &Rig) -> Vec<&str> {
    let manager = |announced| match announced {
        &Announcement::EditReverted(Reverted { deviation: Some(ref deviation), .. }) => {
            deviation.manager.as_deref()
        }
        _ => None,
    };
    rig.announced.iter().filter_map(manager).collect()
}

/// The operator owns the field by then, and nothing tells any more who it was.
#[test]
fn an_edit_is_told_with_who_made_it_however_many_conflicts_and_passes_it_takes() {
    for conflicts in [0, 1, 3, 7, 20] {
        let mut rig = taking_back();
        for _ in 0..conflicts {
            let mut said = rig.sent(&Outcome::Stale);
            rig.seen.edited = None;
            while !matches!(said, Said::Send(_)) {
                said = match said {
                    Said::Read(_) => rig.read(),
                    Said::Report(_) => rig.reported(Outcome::Done),
                    Said::Wait(wait) => {
                        rig.turn(wait);
                        rig.wake()
                    }
                    other => panic!("{other:?}"),
                };
            }
        }
        assert_eq!(blamed(&rig), [""; 0], "not before it is done");
        rig.sent(&Outcome::Done);
        assert_eq!(blamed(&rig), ["kubectl"], "{conflicts} conflicts");
    }
}

/// What the operator writes then is something else, or nobody's edit.
#[test]
fn an_edit_that_its_author_took_back_is_not_told_later() {
    let mut rig = taking_back();
    rig.sent(&Outcome::Stale);
    (rig.seen.edited, rig.seen.world) = (None, stable());
    assert!(matches!(rig.read(), Said::Wait(_)));
    rig.seen.world = stable().service(|service| service.current = false);
    rig.turn(Duration::from_secs(1));
    rig.wake();
    rig.read();
    rig.sent(&Outcome::Done);
    assert_eq!(blamed(&rig), [""; 0]);
}

/// The writes of a minute in which somebody undoes each of them 100 ms later, which wakes us; and whether that is told.
fn fight(undone: impl Fn() -> World) -> (u32, usize) {
    let mut rig = Rig::new(seen(undone()));
    let mut writes = 0;
    for _ in 0..600 {
        rig.turn(Duration::from_millis(100));
        rig.seen.world = undone();
        let mut said = rig.wake();
        loop {
            said = match said {
                Said::Read(_) => rig.read(),
                Said::Send(_) => {
                    writes += 1;
                    rig.seen.world = stable();
                    rig.sent(&Outcome::Done)
                }
                Said::Report(_) => rig.reported(Outcome::Done),
                Said::Wait(_) => break,
                other => panic!("{other:?}"),
            };
        }
    }
    (writes, rig.seen.status.reverted.len())
}

/// A fight with a controller that answers after the pass has ended had no end.
#[test]
fn who_reverts_our_writes_after_each_pass_is_noticed_and_answered_less_and_less_often() {
    let (writes, told) = fight(|| stable().stored(Green, 2));
    assert_eq!(told, 1);
    assert!((5..16).contains(&writes), "{writes} writes in a minute");
}

/// Clients depend on it, so who bends the selector, or takes pods away from the live color, is answered within a second.
#[test]
fn who_takes_the_traffic_or_the_live_pods_away_is_answered_within_a_second_for_as_long_as_it_lasts() {
    let edited = || stable().service(|service| service.selects = Selection::Edited);
    for (writes, told) in [fight(edited), fight(|| stable().sized(Blue, 1))] {
        assert_eq!(told, 1);
        assert!((50..90).contains(&writes), "{writes} writes in a minute");
    }
}

/// A write that is held because somebody reverts it is still to be done: a report that saw an empty plan could call the app
/// settled while an earlier write may still take effect.
#[test]
fn a_report_while_a_contested_write_is_held_sees_the_whole_plan() {
    let mut rig = Rig::new(seen(stable().stored(Green, 2)));
    for _ in 0..600 {
        rig.turn(Duration::from_millis(100));
        rig.seen.world = stable().stored(Green, 2);
        // Each pass has something to report.
        rig.seen.should_tell += 1;
        let (mut said, mut sent) = (rig.wake(), false);
        loop {
            said = match said {
                Said::Read(_) => rig.read(),
                Said::Send(_) => {
                    sent = true;
                    rig.seen.world = stable();
                    rig.sent(&Outcome::Done)
                }
                Said::Report(_) if !sent => {
                    assert_eq!(rig.reporting(), [edit(Green, 3)]);
                    return;
                }
                Said::Report(_) => rig.reported(Outcome::Done),
                Said::Wait(_) => break,
                other => panic!("{other:?}"),
            };
        }
    }
    panic!("no report while the write is held");
}
