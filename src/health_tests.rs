//! When is a process live, and when ready?

use super::*;

#[test]
fn a_replica_is_not_ready_while_a_watch_fails_for_long() {
    let (health, start) = (Health::new(HealthLimits::default()), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let deployments = Watch::of("Deployment");
    health.set_ready();
    for seconds in (0..=180).step_by(30) {
        health.watch_failed_at(&deployments, None, at(seconds));
    }
    assert_eq!(health.ready_at(at(120)), Ok(()), "not at once");
    let why = health.ready_at(at(190)).unwrap_err();
    assert_eq!(why, "the watch of Deployment has failed for 190 s");
    assert_eq!(health.ready_at(at(280)), Ok(()), "it has not failed again");
    health.watch_failed_at(&deployments, None, at(300));
    assert_eq!(health.failing_at(&deployments, at(310)), Duration::from_secs(10), "a new row of failures");
    health.watch_worked(&deployments);
    assert_eq!(health.failing_at(&deployments, at(310)), Duration::ZERO);
}

#[test]
fn a_namespace_that_does_not_allow_the_watch_keeps_no_replica_from_being_ready() {
    let (health, start) = (Health::new(HealthLimits::default()), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let [web, shop] = ["web", "shop"].map(|namespace| Watch::within("Service", namespace));
    health.set_ready();
    for seconds in (0..=180).step_by(30) {
        health.watch_failed_at(&web, Some(2), at(seconds));
        health.watch_failed_at(&shop, None, at(seconds.max(60)));
    }
    assert_eq!(health.failing_at(&web, at(190)), Duration::from_secs(190));
    assert_eq!(health.ready_at(at(170)), Ok(()));
    let why = health.ready_at(at(190)).unwrap_err();
    assert_eq!(why, "the watch of Service in namespace shop has failed for 130 s");
    health.watch_worked(&shop);
    assert_eq!(health.ready_at(at(190)), Ok(()));
}

#[test]
fn a_replica_that_may_watch_a_kind_in_no_namespace_at_all_is_not_ready() {
    let (health, start) = (Health::new(HealthLimits::default()), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let refuse = |kind, namespace, seconds| {
        health.watch_failed_at(&Watch::within(kind, namespace), Some(2), at(seconds));
    };
    health.set_ready();
    for seconds in (0..=180).step_by(30) {
        refuse("Service", "web", seconds);
        refuse("Deployment", "shop", seconds);
        refuse("Service", "shop", seconds.max(60));
    }
    assert_eq!(health.ready_at(at(170)), Ok(()), "each kind is seen in one of them");
    let why = health.ready_at(at(190)).unwrap_err();
    assert_eq!(why, "the watch of Service in namespace web has failed for 190 s");
    for seconds in (210..=330).step_by(30) {
        refuse("Service", "web", seconds);
    }
    assert_eq!(health.ready_at(at(330)), Ok(()), "the other one has not failed again");
}

#[test]
fn a_replica_that_does_not_lead_never_beats_and_is_live() {
    let health = Health::new(HealthLimits::default());
    assert_eq!(health.live_at(Instant::now() + Duration::from_secs(3600)), Ok(()));
}

#[test]
fn a_loop_that_stops_is_not_live() {
    let health = Health::new(HealthLimits::default());
    health.beat();
    let now = Instant::now();
    assert_eq!(health.live_at(now + Duration::from_secs(29)), Ok(()));
    let why = health.live_at(now + Duration::from_secs(31)).unwrap_err();
    assert!(why.contains("silent for 31 s"), "{why}");
}

#[test]
fn a_reconcile_that_hangs_is_not_live_until_it_ends() {
    let health = Health::new(HealthLimits::default());
    let hanging = health.reconciling();
    let other = health.reconciling();
    let later = Instant::now() + Duration::from_secs(121);
    assert!(health.live_at(later).unwrap_err().contains("reconcile has been running for 121 s"));
    drop(hanging);
    drop(other);
    assert_eq!(health.live_at(later), Ok(()));
}
