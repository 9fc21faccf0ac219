//! What the cluster can't carry out: a webhook that does not answer, a lost answer, a server that is overloaded. The app
//! says so, and a way back never waits for it.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Fault, Kind, Status, Verb};
use serde_json::json;

use crate::rig::{APP, Rig, spec};

const WEBHOOK: &str =
    "Internal error occurred: failed calling webhook \"p.example.com\": Post \"https://p\": connect: refused";

/// What a write may end with although nobody refuses it.
fn failures() -> [Fault; 5] {
    [
        Fault::answer(500, WEBHOOK),
        Fault::answer(500, "etcdserver: request timed out"),
        Fault::answer(503, "busy"),
        Fault::Late,
        Fault::Answer(Status::throttled(1)),
    ]
}

/// Every write of a Deployment fails. Its status is another resource, which a webhook for Deployments does not see.
fn fail_deployments(rig: &Rig, fault: &Fault) {
    let fault = fault.clone();
    rig.server.fault(move |request| {
        let write = request.is(Verb::Apply, Kind::Deployment, "") && request.subresource.is_empty();
        write.then(|| fault.clone())
    });
}

/// A size that both Deployments are to get is the write that fails.
async fn failing(fault: &Fault) -> Rig {
    let mut rig = Rig::serving(spec()).await;
    fail_deployments(&rig, fault);
    rig.edit(|spec| spec["replicas"] = json!(3));
    rig.run(Duration::from_secs(10)).await;
    rig
}

#[tokio::test]
async fn a_write_that_fails_is_told_within_seconds_and_tried_less_and_less_often() {
    for fault in failures() {
        let mut rig = failing(&fault).await;
        assert_eq!(rig.status().observed_generation, rig.app()["metadata"]["generation"], "{fault:?}");
        assert_eq!(rig.says("Reconciling"), "True/WriteFailed", "{fault:?}");
        assert_eq!(rig.says("Ready"), "False/WriteFailed", "{fault:?}");
        let words = rig.condition("Ready").message;
        assert!(words.ends_with("the operator tries again"), "{words}");
        let events = rig.events().await;
        let told = events.iter().filter(|event| event.starts_with("Warning WriteFailed:")).count();
        assert_eq!(told, 1, "{events:?}");

        let _ = rig.server.take_log();
        rig.run(Duration::from_secs(60)).await;
        let tries = rig.count(|request| request.is(Verb::Apply, Kind::Deployment, "hello-green"));
        assert!((1..60).contains(&tries), "{fault:?}: {tries} tries in a minute");

        rig.server.no_faults();
        rig.run(Duration::from_secs(31)).await;
        assert!(rig.world().settled(APP), "{fault:?}: {:#}", rig.app()["status"]);
        assert!(rig.events().await.iter().any(|event| event.starts_with("Normal Recovered:")));
        rig.finish();
    }
}

/// What serves is watched on, whatever becomes of a write.
#[tokio::test]
async fn pods_that_fail_are_told_while_a_write_fails() {
    for fault in failures() {
        let mut rig = failing(&fault).await;
        rig.controllers.ready("hello-blue", 0);
        rig.run(Duration::from_secs(2)).await;
        assert_eq!(rig.says("Ready"), "False/LiveNotReady", "{fault:?}");
        assert_eq!(rig.status().blue.unwrap().ready_replicas, 0);
        let events = rig.events().await;
        assert!(
            events.iter().any(|event| event.starts_with("Warning LiveDegraded:")),
            "{fault:?}: {events:?}"
        );
    }
}

/// A color whose pods are ready is selected although no Deployment can be written, and no write that is still on its way
/// arrives afterwards.
#[tokio::test]
async fn a_way_back_to_pods_that_are_ready_waits_for_no_write_of_a_deployment() {
    for fault in failures() {
        let mut rig = failing(&fault).await;
        rig.edit(|spec| {
            spec["replicas"] = json!(2);
            spec["active"] = json!("green");
        });
        rig.run(Duration::from_secs(3)).await;
        assert_eq!(rig.world().selects(APP), "green", "{fault:?}: {:#}", rig.app()["status"]);
        let pods = rig.world().pods(APP, Green);
        assert!(rig.server.deliver_late().iter().all(|code| *code == 409), "{fault:?}");
        rig.server.no_faults();
        rig.run(Duration::from_secs(31)).await;
        assert!(rig.world().serves(APP, Green), "{fault:?}");
        assert_eq!(rig.world().pods(APP, Green), pods, "{fault:?}");
        assert_eq!(rig.switches(), [Blue, Green], "{fault:?}");
        rig.finish();
    }
}
