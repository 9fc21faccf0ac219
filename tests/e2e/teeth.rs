//! Does the guard notice what it is there for? Histories made by hand, each with one promise broken.

mod checks;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::DeepMerge;
use serde_json::{Value, json};

use crate::harness::Kind;
use crate::harness::guard::{Rule, replay, replay_with_grace};
use crate::harness::record::Event;

/// A history in the making.
struct History {
    start: Instant,
    events: Vec<Event>,
    foreign: BTreeSet<u64>,
    spec: Value,
    status: Value,
}

impl History {
    /// The app exists, and both colors run with two pods, ready.
    fn new() -> Self {
        let spec = json!({
            "active": "blue", "image": "hello", "blue": {"tag": "v1"}, "green": {"tag": "v2"},
            "port": 8888, "drainSeconds": 5,
        });
        let (start, status) = (Instant::now(), json!({"observedGeneration": 1}));
        let mut history = Self { start, events: Vec::new(), foreign: BTreeSet::new(), spec, status };
        history.app(0, 2, "Freeze");
        for color in ["blue", "green"] {
            history.add(0, Kind::Deployment, &format!("hello-{color}"), deployment(2, 2, "v1"));
            history.slice(0, &format!("hello-{color}"), color, 2);
        }
        history
    }

    /// As [`History::new`], and blue has served from the first second.
    fn serving() -> Self {
        let mut history = Self::new();
        history.select(1, "blue");
        history.slice(1, "hello", "blue", 2);
        history
    }

    fn add(&mut self, second: u64, kind: Kind, name: &str, object: Value) {
        self.events.push(Event {
            version: self.events.len() as u64,
            at: self.start + Duration::from_secs(second),
            kind,
            name: name.to_owned(),
            object: Arc::new(object),
            deleted: false,
        });
    }

    fn remove(&mut self, second: u64, kind: Kind, name: &str) {
        self.add(second, kind, name, json!({}));
        if let Some(event) = self.events.last_mut() {
            event.deleted = true;
        }
    }

    fn select(&mut self, second: u64, color: &str) {
        let selector = json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": color});
        self.add(second, Kind::Service, "hello", json!({"spec": {"selector": selector}}));
    }

    /// The policy from then on, and nothing else.
    fn policy(&mut self, second: u64, policy: &str) {
        self.app(second, 2, policy);
    }

    fn app(&mut self, second: u64, replicas: i32, policy: &str) {
        self.edit(second, json!({"replicas": replicas, "activeUpdatePolicy": policy}));
    }

    /// The spec with this from then on.
    fn edit(&mut self, second: u64, change: Value) {
        self.spec.merge_from(change);
        self.write_app(second);
    }

    /// The status from then on.
    fn report(&mut self, second: u64, status: Value) {
        self.status = status;
        self.write_app(second);
    }

    fn write_app(&mut self, second: u64) {
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": "hello"},
            "spec": self.spec, "status": self.status,
        });
        self.add(second, Kind::App, "hello", app);
    }

    /// Green is asked for, and selected.
    fn switch(&mut self, second: u64) {
        self.edit(second, json!({"active": "green"}));
        self.select(second, "green");
    }

    /// The live Service selects blue and records this revision of it.
    fn record(&mut self, second: u64, revision: &str) {
        let selector = json!({"bluegreen.dev/app": "hello", "bluegreen.dev/color": "blue"});
        let annotations = json!({"bluegreen.dev/served-blue": revision});
        let service = json!({"metadata": {"annotations": annotations}, "spec": {"selector": selector}});
        self.add(second, Kind::Service, "hello", service);
    }

    /// Blue's pods are of this revision.
    fn roll(&mut self, second: u64, revision: &str, tag: &str) {
        let mut rolled = deployment(2, 2, tag);
        rolled["spec"]["template"]["metadata"] = json!({"labels": {"bluegreen.dev/revision": revision}});
        self.add(second, Kind::Deployment, "hello-blue", rolled);
    }

    /// Revision 1 of blue has served from the first second, and is on record.
    fn recorded() -> Self {
        let mut history = Self::new();
        history.roll(0, "1", "v1");
        history.record(1, "1");
        history.slice(1, "hello", "blue", 2);
        history
    }

    fn broken_with_grace(&self, seconds: u64) -> Vec<Rule> {
        let found = replay_with_grace(&self.events, &self.foreign, Duration::from_secs(seconds));
        found.broken.into_iter().map(|broken| broken.rule).collect()
    }

    fn slice(&mut self, second: u64, service: &str, color: &str, pods: usize) {
        let endpoint = |number: usize| {
            json!({
                "addresses": [], "conditions": {"ready": true},
                "targetRef": {"name": format!("hello-{color}-1-{number}")},
            })
        };
        let endpoints: Vec<Value> = (0..pods).map(endpoint).collect();
        self.add(
            second,
            Kind::Slice,
            service,
            json!({
                "metadata": {"labels": {"kubernetes.io/service-name": service}},
                "addressType": "IPv4", "endpoints": endpoints,
            }),
        );
    }

    /// The last event was the test's own doing.
    fn by_the_test(&mut self) {
        self.foreign.extend(self.events.last().map(|event| event.version));
    }

    fn broken(&self) -> Vec<Rule> {
        replay(&self.events, &self.foreign).broken.into_iter().map(|broken| broken.rule).collect()
    }
}

/// Of `size` pods, `ready` are ready.
fn deployment(size: i32, ready: i32, tag: &str) -> Value {
    json!({
        "metadata": {"generation": 1},
        "spec": {
            "replicas": size,
            "selector": {},
            "template": {"spec": {"containers": [{"name": "app", "image": format!("hello:{tag}")}]}},
        },
        "status": {
            "observedGeneration": 1, "replicas": size, "updatedReplicas": ready,
            "readyReplicas": ready, "availableReplicas": ready,
        },
    })
}

#[test]
fn is_nothing_said_about_a_history_that_is_as_it_should_be() {
    let mut history = History::serving();
    history.switch(2);
    history.slice(2, "hello", "green", 2);
    history.add(8, Kind::Deployment, "hello-blue", deployment(0, 0, "v1"));
    assert_eq!(history.broken(), []);
}

#[test]
fn is_a_color_noticed_that_was_selected_with_a_pod_missing() {
    let mut history = History::serving();
    history.add(2, Kind::Deployment, "hello-green", deployment(2, 1, "v1"));
    history.switch(3);
    assert_eq!(history.broken(), [Rule::ReadyBeforeSelected]);
}

/// Four pods are asked for; blue has had `served` of them since shortly before green, which has two, was selected.
fn selected_beside(served: i32) -> Vec<Rule> {
    let mut history = History::serving();
    history.app(1, 4, "Freeze");
    history.add(2, Kind::Deployment, "hello-blue", deployment(4, served, "v1"));
    history.switch(6);
    history.broken()
}

#[test]
fn is_a_color_noticed_that_was_selected_with_fewer_pods_than_served() {
    assert_eq!(selected_beside(3), [Rule::ReadyBeforeSelected]);
    assert_eq!(selected_beside(2), [], "as many are enough while the size grows");
    assert_eq!(selected_beside(1), [], "pods of blue have failed");
}

#[test]
fn is_a_color_noticed_that_was_selected_at_a_generation_nobody_observed() {
    let mut history = History::new();
    let mut edited = deployment(2, 2, "v2");
    edited["metadata"]["generation"] = json!(2);
    history.add(1, Kind::Deployment, "hello-blue", edited);
    history.select(1, "blue");
    assert_eq!(history.broken(), [Rule::ReadyBeforeSelected]);
}

#[test]
fn is_a_color_noticed_that_was_selected_without_endpoints() {
    let mut history = History::serving();
    history.slice(2, "hello-green", "green", 1);
    history.switch(3);
    assert_eq!(history.broken(), [Rule::ReadyBeforeSelected]);
}

#[test]
fn is_a_live_color_noticed_that_lost_its_size_or_its_template() {
    let mut history = History::serving();
    history.add(2, Kind::Deployment, "hello-blue", deployment(1, 1, "v1"));
    assert_eq!(history.broken(), [Rule::LiveKeepsItsSize]);

    let mut history = History::serving();
    history.add(2, Kind::Deployment, "hello-blue", deployment(2, 2, "v9"));
    assert_eq!(history.broken(), [Rule::LiveKeepsItsTemplate]);
    // By hand, and healed.
    let mut history = History::serving();
    history.add(2, Kind::Deployment, "hello-blue", deployment(2, 2, "v9"));
    history.by_the_test();
    history.add(3, Kind::Deployment, "hello-blue", deployment(2, 1, "v9"));
    history.add(4, Kind::Deployment, "hello-blue", deployment(2, 2, "v1"));
    assert_eq!(history.broken(), []);
}

#[test]
fn is_an_update_in_place_judged_by_the_policy_when_it_was_put_on_record() {
    // However long after that the Deployment follows.
    let mut history = History::recorded();
    history.policy(2, "RollingUpdate");
    history.record(3, "2");
    history.policy(4, "Freeze");
    history.roll(60, "2", "v9");
    assert_eq!(history.broken(), []);

    for (second, broken) in [(5, vec![]), (9, vec![Rule::LiveKeepsItsTemplate])] {
        let mut history = History::recorded();
        history.policy(2, "RollingUpdate");
        history.policy(4, "Freeze");
        history.record(second, "2");
        history.roll(second + 1, "2", "v9");
        assert_eq!(history.broken_with_grace(3), broken, "put on record in the {second}th");
        assert_eq!(history.broken(), [Rule::LiveKeepsItsTemplate], "without grace");
    }
}

#[test]
fn is_a_live_color_noticed_that_runs_what_is_not_on_record() {
    // Under a policy that allows updates, and never promoted; promoted to another; another template of the same one.
    for (recorded, number, tag) in [("1", "2", "v9"), ("2", "3", "v9"), ("1", "1", "v9")] {
        let mut history = History::recorded();
        history.policy(2, "RollingUpdate");
        history.record(3, recorded);
        history.roll(4, number, tag);
        assert_eq!(history.broken(), [Rule::LiveKeepsItsTemplate], "{number} with {recorded} on record");
    }
    // Said of it when it was selected, and not what passed the gate.
    let mut history = History::new();
    history.roll(0, "1", "v1");
    history.record(1, "2");
    history.roll(2, "2", "v9");
    assert_eq!(history.broken(), [Rule::LiveKeepsItsTemplate]);
}

#[test]
fn is_a_record_that_moves_noticed_unless_the_pods_are_what_it_names() {
    let mut history = History::recorded();
    history.record(2, "2");
    assert_eq!(history.broken(), [Rule::LiveKeepsItsTemplate], "before any pod changes");

    // Promoted, never rolled, and taken back: that needs no policy, and allows nothing.
    let mut history = History::recorded();
    history.policy(2, "RollingUpdate");
    history.record(3, "2");
    history.policy(4, "Freeze");
    history.record(5, "1");
    assert_eq!(history.broken(), []);
    history.roll(6, "2", "v9");
    assert_eq!(history.broken(), [Rule::LiveKeepsItsTemplate]);

    // By hand, and put right; and lost with the Service, which is created anew.
    let mut history = History::recorded();
    history.record(2, "7");
    history.by_the_test();
    history.record(3, "1");
    history.select(4, "blue");
    history.record(5, "1");
    assert_eq!(history.broken(), []);
    history.roll(6, "7", "v9");
    assert_eq!(history.broken(), [Rule::LiveKeepsItsTemplate]);
}

#[test]
fn is_an_old_color_noticed_that_was_touched_in_its_drain() {
    for (second, broken) in [(3, vec![Rule::OldIsDrained]), (8, vec![Rule::OldIsDrained]), (10, vec![])] {
        let mut history = History::serving();
        history.switch(2);
        if second > 4 {
            history.slice(4, "hello", "green", 2);
        }
        history.add(second, Kind::Deployment, "hello-blue", deployment(0, 0, "v1"));
        assert_eq!(history.broken(), broken, "five seconds from the fourth, not the {second}th");
    }
}

#[test]
fn is_a_service_noticed_that_lost_its_last_endpoint() {
    let mut history = History::serving();
    history.slice(2, "hello", "blue", 0);
    assert_eq!(history.broken(), [Rule::NeverEmpty]);

    // What an app that was deleted leaves behind goes, also when one of its name is there already.
    let mut history = History::serving();
    history.remove(2, Kind::App, "hello");
    history.policy(3, "Freeze");
    history.slice(4, "hello", "blue", 2);
    history.remove(4, Kind::Service, "hello");
    history.slice(5, "hello", "blue", 0);
    assert_eq!(history.broken(), []);
    history.select(6, "blue");
    history.slice(7, "hello", "blue", 2);
    history.slice(8, "hello", "blue", 0);
    assert_eq!(history.broken(), [Rule::NeverEmpty]);
}

#[test]
fn does_grace_excuse_what_was_asked_for_a_moment_before_and_nothing_else() {
    for (lowered, broken) in [(4, vec![]), (9, vec![Rule::LiveKeepsItsSize])] {
        let mut history = History::serving();
        // One pod is enough for a second.
        history.app(2, 1, "Freeze");
        history.app(3, 2, "Freeze");
        history.add(lowered, Kind::Deployment, "hello-blue", deployment(1, 1, "v1"));
        let grace = Duration::from_secs(3);
        let found = replay_with_grace(&history.events, &history.foreign, grace).broken;
        assert_eq!(found.into_iter().map(|broken| broken.rule).collect::<Vec<_>>(), broken);
        assert_eq!(history.broken(), [Rule::LiveKeepsItsSize], "without grace");
    }
}
