//! How a pass begins, and what it does with what it reads.

use std::time::Duration;

use super::fixtures::{Blue, Green, draining, edit, stable, switch};
use super::rig::{Rig, Said, seen};
use crate::drain::Endpoints;
use crate::pass::{Answer, RESYNC};
use crate::plan::Fence;

const NOTHING: Endpoints = Endpoints { moved: false, cleared: false };

#[test]
fn an_app_at_rest_is_left_alone_until_the_resync() {
    let mut rig = Rig::new(seen(stable()));
    assert_eq!(rig.wake(), Said::Wait(RESYNC));
}

#[test]
fn an_app_that_is_being_deleted_is_forgotten() {
    let mut rig = Rig::new(seen(stable()));
    rig.seen.leaving = true;
    assert_eq!(rig.wake(), Said::Forget);
}

#[test]
fn what_the_caches_ask_for_is_read_live_before_it_is_done() {
    let mut rig = Rig::new(seen(stable().stored(Green, 2)));
    assert_eq!(rig.wake(), Said::Read(false));
    assert_eq!(rig.read(), Said::Send(vec![edit(Green, 3)]));
}

#[test]
fn a_claim_is_read_live_before_it_is_reported() {
    let mut rig = Rig::new(seen(stable()).news());
    assert_eq!(rig.wake(), Said::Read(false));
    assert!(matches!(rig.read(), Said::Report(told) if told.number == 1));
}

#[test]
fn a_drain_clock_that_could_start_is_worth_a_live_read() {
    let mut rig = Rig::new(seen(draining()));
    // Not the pods' owners: the Service has moved already.
    assert_eq!(rig.wake(), Said::Read(false));
    rig.read();
    rig.turn(Duration::from_secs(10));
    assert_eq!(rig.wake(), Said::Wait(Duration::from_secs(5)), "the clock runs: until half of the drain");
    rig.seen.endpoints = NOTHING;
    rig.wake();
    rig.seen.endpoints = Endpoints { moved: true, cleared: true };
    assert_eq!(rig.wake(), Said::Read(false), "a cached read has stopped it");
}

#[test]
fn caches_that_lag_behind_our_own_read_get_a_second_and_are_then_replaced() {
    let mut rig = Rig::new(seen(stable().stored(Green, 2)));
    rig.seen.version = 7;
    rig.wake();
    rig.read();
    rig.seen.version = 6;
    assert_eq!(rig.wake(), Said::Wait(Duration::from_secs(1)));
    rig.turn(Duration::from_secs(1));
    assert_eq!(rig.wake(), Said::Read(false));
}

#[test]
fn a_read_that_fails_backs_off_more_each_time() {
    let mut rig = Rig::new(seen(stable()).news());
    let waits: Vec<Said> = (0..3)
        .map(|_| {
            rig.wake();
            rig.read_answers(Answer::Failed)
        })
        .collect();
    assert_eq!(waits, [100, 200, 400].map(|ms| Said::Wait(Duration::from_millis(ms))));
}

#[test]
fn an_app_that_is_gone_is_forgotten_and_one_that_is_leaving_is_left_alone() {
    let mut rig = Rig::new(seen(stable()).news());
    rig.wake();
    assert_eq!(rig.read_answers(Answer::Gone), Said::Forget);
    rig.wake();
    rig.seen.leaving = true;
    assert_eq!(rig.read(), Said::Wait(RESYNC));
}

#[test]
fn a_switch_is_confirmed_by_name_and_only_a_step_of_it_rests_on_that() {
    let ready = || seen(stable().active(Green).switching());
    let mut rig = Rig::new(ready());
    assert_eq!(rig.wake(), Said::Confirm(Green));
    assert_eq!(rig.read(), Said::Send(vec![switch(Blue, Green)]));

    let mut rig = Rig::new(ready());
    rig.wake();
    rig.seen = seen(stable().active(Green).switching().unready(Green));
    assert_eq!(rig.read(), Said::Read(true), "it leads to something else: everything is read");

    let mut rig = Rig::new(ready());
    rig.wake();
    assert_eq!(rig.read_answers(Answer::Unclear), Said::Read(true));
    rig.wake();
    rig.seen.leaving = true;
    assert_eq!(rig.read(), Said::Read(true));
}

/// The guard of all: without the pods' owners there is no switch.
#[test]
fn a_live_read_without_the_pods_owners_never_switches() {
    let mut rig = Rig::new(seen(stable().stored(Green, 2)));
    assert_eq!(rig.wake(), Said::Read(false));
    rig.seen = seen(stable().active(Green).switching());
    assert_eq!(rig.read(), Said::Confirm(Green));
    assert_eq!(rig.read(), Said::Send(vec![switch(Blue, Green)]));
}

#[test]
fn a_confirming_read_starts_no_clock() {
    let mut rig = Rig::new(seen(stable().active(Green).switching()));
    rig.wake();
    rig.read();
    assert_eq!(rig.memory.drain.held(Some(Blue), rig.uptime).moved, None);
    rig.seen = seen(stable().active(Green).switching().unready(Green)).news();
    rig.wake();
    rig.read();
    assert_eq!(rig.memory.drain.held(Some(Blue), rig.uptime).moved, Some(Duration::ZERO), "a live one does");
}

#[test]
fn another_installation_gets_time_to_report_before_we_do() {
    let foreign = stable().fence(Fence::Foreign("other/operator".to_owned()));
    let mut rig = Rig::new(seen(foreign).news());
    assert_eq!(rig.wake(), Said::Wait(Duration::from_secs(5)));
    rig.turn(Duration::from_secs(2));
    assert_eq!(rig.wake(), Said::Wait(Duration::from_secs(3)));
    rig.turn(Duration::from_secs(3));
    assert_eq!(rig.wake(), Said::Read(false));
    rig.seen.status.number = 1;
    assert_eq!(rig.wake(), Said::Wait(RESYNC), "the other one has reported");
}

#[test]
fn counts_alone_are_reported_from_the_caches_once_a_second() {
    let mut rig = Rig::new(seen(stable()).news());
    rig.seen.counts_only = true;
    assert!(matches!(rig.wake(), Said::Report(_)));
    rig.reported(crate::apply::Outcome::Done);
    rig.seen.should_tell = 2;
    assert_eq!(rig.wake(), Said::Wait(Duration::from_secs(1)));
    rig.turn(Duration::from_secs(1));
    assert!(matches!(rig.wake(), Said::Report(_)));
}
