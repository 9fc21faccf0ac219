//! What is told while sizes move: a scale-up is no failure, a pod that is lost is one, and progress is seen.

use std::time::Duration;

use jiff::SignedDuration;

use super::tests::{app, seen};
use super::*;
use crate::plan::{Child, DeploymentFacts, Intent, Live};

/// An app with its status, as one report after the other leaves it.
struct Told {
    app: BlueGreenApp,
    seen: Observed,
    now: Timestamp,
}

impl Told {
    fn new(active: &str) -> Self {
        let told = Self { app: app(active), seen: seen(), now: Timestamp::UNIX_EPOCH };
        told.replicas(2)
    }

    fn replicas(mut self, replicas: i32) -> Self {
        self.app.spec.replicas = replicas;
        self
    }

    fn deployment(mut self, color: Color, change: impl FnOnce(&mut DeploymentFacts)) -> Self {
        if let Child::Ours(deployment) = &mut self.seen.colors.get_mut(color).deployment {
            change(deployment);
        }
        self
    }

    /// So many pods of the color are there, of a Deployment of this size; they are behind its Service, and behind the live one
    /// if it is blue.
    fn pods(mut self, color: Color, size: i32, have: i32) -> Self {
        self.seen.colors.get_mut(color).endpoints = have;
        if color == Color::Blue
            && let Child::Ours(service) = &mut self.seen.service
        {
            service.endpoints = have;
        }
        self.deployment(color, |d| {
            (d.replicas, d.total, d.updated, d.ready, d.available) = (size, have, have, have, have);
        })
    }

    fn intent(&self) -> Intent {
        crate::observe::intent(&self.app)
    }

    /// Reports, seconds later; says how the status was before.
    fn report(&mut self, seconds: i64) -> BlueGreenAppStatus {
        let old = self.app.status.clone().unwrap_or_default();
        self.now += SignedDuration::from_secs(seconds);
        let new = status(&Report {
            app: &self.app,
            intent: &self.intent(),
            plan: &crate::plan::plan(&self.intent(), &self.seen),
            seen: &self.seen,
            material: Material::default(),
            problems: &Problems::default(),
            now: self.now,
        });
        (self.seen.recorded.active, self.seen.recorded.switching) = (new.active, new.switch.is_some());
        self.app.status = Some(new);
        old
    }

    fn status(&self) -> &BlueGreenAppStatus {
        self.app.status.as_ref().unwrap()
    }

    fn ready(&self) -> (&str, &str, &str) {
        let ready = self.status().condition(READY).unwrap();
        (&ready.status, &ready.reason, &ready.message)
    }

    fn reconciling(&self) -> Option<&str> {
        self.status().condition(RECONCILING).map(|condition| condition.reason.as_str())
    }

    fn events(&self, old: &BlueGreenAppStatus) -> Vec<&'static str> {
        events(old, self.status()).into_iter().map(|note| note.reason).collect()
    }
}

/// Blue serves with two pods, and that is reported.
fn serves() -> Told {
    let mut told = Told::new("blue");
    told.report(0);
    assert_eq!((told.ready().0, told.status().desired_healthy), ("True", Some(2)));
    told
}

#[test]
fn a_scale_up_is_ready_and_scaling_and_makes_no_event() {
    let mut told = serves().replicas(4);
    let old = told.report(1);
    assert_eq!((told.ready().0, told.ready().1, told.reconciling()), ("True", "Scaling", Some("Scaling")));
    assert!(told.events(&old).is_empty());
    for have in 2..4 {
        told = told.pods(Color::Blue, 4, have);
        let old = told.report(1);
        assert_eq!(
            told.ready(),
            ("True", "Scaling", format!("blue has {have} of 4 pods available").as_str())
        );
        assert_eq!(told.reconciling(), Some("Scaling"));
        assert!(told.events(&old).is_empty());
        assert_eq!(told.status().desired_healthy, Some(have), "what has been available counts from now on");
    }
    told = told.pods(Color::Blue, 4, 4);
    told.report(1);
    assert_eq!(
        (told.ready().1, told.reconciling(), told.status().desired_healthy),
        ("Serving", None, Some(4))
    );
}

#[test]
fn a_pod_that_is_lost_is_told_whatever_is_being_scaled() {
    let mut told = serves().pods(Color::Blue, 2, 1);
    let old = told.report(1);
    assert_eq!(told.ready(), ("False", "LiveNotReady", "blue has 1 of 2 pods available"));
    assert_eq!((told.reconciling(), told.events(&old)), (None, vec!["LiveDegraded"]));
    // An autoscaler answers to the load; what was lost is still missing.
    told = told.replicas(4).pods(Color::Blue, 4, 1);
    told.report(1);
    assert_eq!((told.ready().1, told.reconciling()), ("LiveNotReady", None));
    told = told.pods(Color::Blue, 4, 2);
    let old = told.report(1);
    assert_eq!(
        (told.ready().0, told.ready().1, told.events(&old)),
        ("True", "Scaling", vec!["LiveRecovered"])
    );
    // Of those that were added, one fails again.
    told = told.pods(Color::Blue, 4, 3);
    told.report(1);
    told = told.pods(Color::Blue, 4, 2);
    told.report(1);
    assert_eq!((told.ready().0, told.ready().1), ("False", "LiveNotReady"));
    // With fewer pods asked for, enough are there.
    told = told.replicas(2).pods(Color::Blue, 2, 2);
    told.report(1);
    assert_eq!((told.ready().1, told.status().desired_healthy), ("Serving", Some(2)));
}

#[test]
fn a_pod_that_no_endpoint_lists_carries_nothing() {
    let mut told = serves();
    if let Child::Ours(service) = &mut told.seen.service {
        service.endpoints = 1;
    }
    told.seen.colors.blue.endpoints = 1;
    told.report(1);
    assert_eq!((told.ready().0, told.ready().1), ("False", "LiveNotReady"));
}

#[test]
fn a_status_of_an_earlier_release_takes_the_size_of_the_deployment_for_what_was_there() {
    let mut told = serves();
    told.app.status.as_mut().unwrap().desired_healthy = None;
    told = told.replicas(4).pods(Color::Blue, 2, 1);
    told.report(1);
    assert_eq!((told.ready().1, told.status().desired_healthy), ("LiveNotReady", Some(2)));
}

#[test]
fn an_update_in_place_says_what_is_available() {
    let mut told = serves();
    told = told.deployment(Color::Blue, |d| (d.total, d.updated, d.rolled_out) = (3, 1, false));
    let old = told.report(1);
    let words = "blue is being updated: 1 of 2 pods are updated, 2 are available";
    assert_eq!(told.ready(), ("True", "Updating", words));
    assert_eq!((told.reconciling(), told.events(&old)), (Some("Updating"), vec![]));
    // The controller has yet to see the new template.
    told = told.deployment(Color::Blue, |d| {
        (d.total, d.updated, d.observed, d.rolled_out) = (2, 2, false, true);
    });
    told.report(1);
    assert_eq!(told.ready().1, "Updating");
    // An old pod fails while the new one is not there yet.
    told = told.deployment(Color::Blue, |d| {
        (d.total, d.updated, d.observed, d.ready, d.available) = (3, 1, true, 1, 1);
    });
    told.report(1);
    assert_eq!((told.ready().0, told.ready().1, told.reconciling()), ("False", "LiveNotReady", None));
}

#[test]
fn a_switch_keeps_the_number_of_pods_that_carry_the_traffic() {
    let mut told = serves();
    told.app.spec.active = Color::Green;
    told.app.spec.replicas = 4;
    if let Child::Ours(service) = &mut told.seen.service {
        (service.selects, service.committed) =
            (crate::plan::Selection::Color(Color::Green), Some(Color::Green));
        service.served.green = Some(1);
    }
    told.seen.colors.green.served = true;
    told.seen.elapsed.moved = Some(Duration::ZERO);
    told = told.pods(Color::Green, 4, 2);
    let old = told.report(1);
    assert_eq!(told.events(&old).first(), Some(&"Switched"));
    assert_eq!((told.ready().1, told.status().desired_healthy), ("Scaling", Some(2)));
    // One pod of the new color fails at once.
    told = told.pods(Color::Green, 4, 1);
    told.report(1);
    assert_eq!(told.ready().1, "LiveNotReady");
}

#[test]
fn until_the_endpoints_have_followed_it_is_a_switch_whatever_its_size() {
    let mut told = serves().replicas(4);
    (told.seen.recorded.switching, told.seen.elapsed.moved) = (true, None);
    told.report(1);
    assert_eq!((told.ready().0, told.ready().1), ("False", "Switching"));
}

/// Green comes up, one pod after the other.
fn to_green() -> Told {
    let mut told = Told::new("green");
    told.app.spec.replicas = 10;
    told = told.pods(Color::Blue, 10, 10).pods(Color::Green, 10, 0);
    told = told.deployment(Color::Green, |d| d.rolled_out = false);
    told.report(0);
    told
}

/// What the planner is told of the time without progress.
fn without_progress(told: &Told) -> Duration {
    let nobody = crate::fence::Token { operator: String::new(), lease: String::new(), epoch: 0, attempt: 0 };
    let snapshot = crate::observe::Snapshot::of(told.app.clone());
    let facts = {
        let routing = crate::observe::routing(&snapshot, &nobody);
        crate::observe::observe(&snapshot, routing, &nobody, crate::observe::Held::default(), told.now)
    };
    facts.elapsed.switching.unwrap()
}

#[test]
fn each_pod_that_becomes_available_begins_the_deadline_anew() {
    let mut told = to_green();
    for have in 1..10 {
        told = told.pods(Color::Green, 10, have);
        told = told.deployment(Color::Green, |d| d.rolled_out = false);
        told.report(500);
        assert_eq!(without_progress(&told), Duration::ZERO, "{have} pods");
        assert_eq!(told.status().switch.as_ref().unwrap().available_replicas, have);
    }
    // Nothing more comes; one pod that fails and comes back is no progress.
    for have in [9, 8, 9, 8, 9] {
        told = told.pods(Color::Green, 10, have);
        told = told.deployment(Color::Green, |d| d.rolled_out = false);
        told.report(100);
    }
    assert_eq!(without_progress(&told), Duration::from_secs(500));
    let unchanged = told.status().clone();
    told.report(100);
    assert_eq!(*told.status(), unchanged, "nothing is written where nothing happens");
}

#[test]
fn a_new_revision_of_the_target_counts_its_own_pods() {
    let mut told = to_green().pods(Color::Green, 10, 6);
    told.report(10);
    told = told.pods(Color::Green, 10, 0).deployment(Color::Green, |d| d.revision = 2);
    told.report(10);
    assert_eq!(
        (without_progress(&told), told.status().switch.as_ref().unwrap().available_replicas),
        (Duration::ZERO, 0)
    );
    told = told.pods(Color::Green, 10, 1);
    told.report(10);
    assert_eq!(without_progress(&told), Duration::ZERO);
}

/// Green serves with one pod less than asked for, and blue drains.
fn short_of_a_pod() -> Told {
    let mut told = Told::new("green");
    told.app.status = Some(BlueGreenAppStatus { active: Some(Color::Blue), ..BlueGreenAppStatus::default() });
    told.seen.recorded.active = Some(Color::Blue);
    told.seen.recorded.switching = true;
    if let Child::Ours(service) = &mut told.seen.service {
        (service.selects, service.committed) =
            (crate::plan::Selection::Color(Color::Green), Some(Color::Green));
        service.served.green = Some(1);
    }
    told.seen.colors.green.served = true;
    (told.seen.elapsed.moved, told.seen.elapsed.cleared) = (Some(Duration::ZERO), Some(Duration::ZERO));
    told.report(0);
    assert_eq!(
        told.status().switch.as_ref().map(|s| (s.from, s.to)),
        Some((Some(Color::Blue), Color::Green))
    );
    told.pods(Color::Green, 2, 1)
}

#[test]
fn a_drain_is_over_though_a_pod_of_the_new_color_is_missing_and_its_end_is_recorded() {
    let mut told = short_of_a_pod();
    told.report(29);
    assert!(told.status().switch.is_some());
    assert_eq!(told.status().history.first().unwrap().drained_at, None);
    told.seen.elapsed.cleared = Some(Duration::from_secs(30));
    let old = told.report(1);
    assert_eq!(told.status().switch, None);
    assert_eq!(told.events(&old).first(), Some(&"Drained"));
    assert_eq!(told.status().history.first().unwrap().drained_at.as_ref().unwrap().0, told.now);
    let unchanged = told.status().clone();
    told.report(100);
    assert_eq!(*told.status(), unchanged);
}

#[test]
fn a_switch_that_is_canceled_ends_no_drain() {
    let mut told = short_of_a_pod().pods(Color::Green, 2, 2);
    told.seen.elapsed.cleared = Some(Duration::from_secs(30));
    told.report(30);
    let ended = told.now;
    // To blue, and back before it moved.
    told.app.spec.active = Color::Blue;
    told = told.pods(Color::Blue, 2, 0);
    told.report(10);
    assert_eq!(told.status().switch.as_ref().map(|switch| switch.to), Some(Color::Blue));
    told.app.spec.active = Color::Green;
    told.report(10);
    assert_eq!(told.status().switch, None);
    assert_eq!(told.status().history.first().unwrap().drained_at.as_ref().unwrap().0, ended);
    assert!(matches!(crate::plan::plan(&told.intent(), &told.seen).live, Live::Selected(Color::Green)));
}
