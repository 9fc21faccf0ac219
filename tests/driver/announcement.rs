//! A switch is announced in the status before it is made: what if the announcement is not taken?

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Fault, Request, Status};

use crate::rig::{APP, Rig, spec};

/// The next pass of an app at rest that is asked to switch, while `fault` meets its status.
async fn announce(fault: Fault) -> (Rig, Duration) {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    rig.server.fault(move |request| request.writes_status().then(|| fault.clone()));
    let wait = rig.pass().await;
    (rig, wait)
}

#[tokio::test]
async fn an_announcement_that_is_not_taken_ends_the_pass() {
    for (fault, at_least, at_most) in [
        (Fault::Answer(Status::throttled(7)), Duration::from_secs(7), Duration::from_secs(30)),
        (Fault::answer(403, "forbidden"), Duration::from_millis(50), Duration::from_secs(1)),
        (Fault::answer(503, "unavailable"), Duration::from_millis(50), Duration::from_secs(1)),
    ] {
        let (mut rig, wait) = announce(fault.clone()).await;
        assert_eq!(rig.count(Request::writes_status), 1, "{fault:?}");
        assert!((at_least..=at_most).contains(&wait), "{fault:?}: it waits for {wait:?}");
        assert_eq!(rig.world().selects(APP), "blue", "nothing moves that was not announced");
        rig.server.no_faults();
        rig.advance(wait);
        rig.settle().await;
        assert!(rig.world().serves(APP, Green));
        rig.finish();
    }
}

#[tokio::test]
async fn an_announcement_whose_answer_is_lost_is_good_once_it_is_read() {
    let (mut rig, _) = announce(Fault::LoseAnswer).await;
    rig.server.no_faults();
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.switches(), [Blue, Green]);
    rig.finish();
}

/// The record of a switch in the status comes before it, and may take its time: green was ready when it was announced, and
/// is not any more.
#[tokio::test]
async fn a_target_that_fails_while_it_is_announced_is_not_selected() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    let (server, clock, mut controllers) = (rig.server.clone(), rig.clock.clone(), rig.controllers.clone());
    controllers.ready("hello-green", 0);
    let fails = async {
        while !server.log().iter().any(|logged| logged.request.writes_status()) {
            tokio::task::yield_now().await;
        }
        clock.turn(Duration::from_secs(3));
        controllers.step();
    };
    // Whenever the pass could go on, this is asked first.
    tokio::join!(biased; fails, rig.pass());
    rig.controllers.ready("hello-green", 0);
    for _ in 0..5 {
        rig.pass().await;
        assert_eq!(rig.status().switch.map(|switch| switch.to), Some(Green), "it is announced");
        assert_eq!(rig.world().selects(APP), "blue");
    }
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}
