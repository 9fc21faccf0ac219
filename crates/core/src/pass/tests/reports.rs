//! Reports without a switch, and the pods that are asked for them.

use std::time::Duration;

use super::fixtures::{Green, stable};
use super::rig::{Rig, Said, seen};
use crate::apply::Outcome;
use crate::pass::{Explanation, RESYNC};

fn words() -> Explanation {
    Explanation::Words(Some("the image can't be pulled".to_owned()))
}

/// Green's pods have been late for long enough to be asked.
fn asking() -> Rig {
    let mut rig = Rig::new(seen(stable().unready(Green)).news());
    rig.wake();
    assert!(matches!(rig.read(), Said::Report(_)), "not yet: most pods are ready a moment later");
    rig.reported(Outcome::Done);
    rig.turn(Duration::from_secs(3));
    assert_eq!(rig.wake(), Said::Explain(vec![Green]));
    rig
}

#[test]
fn what_each_outcome_of_a_report_leads_to() {
    for (outcome, then) in [
        (Outcome::Done, Said::Wait(RESYNC)),
        (Outcome::Gone, Said::Wait(RESYNC)),
        (Outcome::Stale, Said::Read(false)),
        (Outcome::Refused("no".to_owned()), Said::Wait(Duration::from_millis(100))),
        (Outcome::Unknown("no answer".to_owned()), Said::Wait(Duration::from_millis(100))),
        (Outcome::Later(Duration::from_secs(7)), Said::Wait(Duration::from_secs(7))),
        (Outcome::NotLeading, Said::Stop),
    ] {
        let mut rig = Rig::new(seen(stable()).news());
        rig.wake();
        rig.read();
        assert_eq!(rig.reported(outcome.clone()), then, "{outcome:?}");
        assert_eq!(rig.memory.attempt, 0);
    }
}

#[test]
fn the_pods_of_a_late_color_are_asked_and_their_words_reported() {
    let mut rig = asking();
    let Said::Report(told) = rig.explained(words()) else { panic!("nothing is reported") };
    assert_eq!(told.green.as_deref(), Some("the image can't be pulled"));
    rig.reported(Outcome::Done);
    rig.turn(Duration::from_secs(14));
    assert_eq!(rig.wake(), Said::Wait(Duration::from_secs(1)), "not again for a while");
}

/// Pods that may not be listed were listed every second.
#[test]
fn pods_that_may_not_be_listed_are_not_listed_every_second() {
    let mut rig = asking();
    let mut asked = 1;
    rig.explained(Explanation::Unread);
    for _ in 0..60 {
        rig.turn(Duration::from_secs(1));
        if let Said::Explain(_) = rig.wake() {
            asked += 1;
            rig.explained(Explanation::Unread);
        }
    }
    assert_eq!(asked, 5);
}

#[test]
fn a_report_that_only_counts_pods_and_is_stale_waits_for_the_event_that_tells_why() {
    let mut rig = Rig::new(seen(stable()).news());
    rig.seen.counts_only = true;
    rig.wake();
    assert_eq!(rig.reported(Outcome::Stale), Said::Wait(Duration::from_secs(1)));
}
