//! What the cluster can't carry out: a webhook that does not answer, a lost answer, a server that is overloaded. The app
//! says so, and a way back never waits for it.

use std::fmt::Debug;
use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Fault, Kind, Status, Verb};
use serde_json::{Value, json};

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

/// A webhook denies the write, with a code of its own choice.
fn denials() -> [Fault; 5] {
    [403, 404, 409, 429, 500]
        .map(|code| Fault::answer(code, "admission webhook \"p.example.com\" denied the request: no team"))
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
    failing_after(fault, |spec| spec["replicas"] = json!(3)).await
}

async fn failing_after(fault: &Fault, edit: impl FnOnce(&mut Value)) -> Rig {
    let mut rig = Rig::serving(spec()).await;
    fail_deployments(&rig, fault);
    rig.edit(edit);
    rig.run(Duration::from_secs(10)).await;
    rig
}

async fn is_tried_less_than_once_a_second(rig: &mut Rig, answer: impl Debug) {
    let _ = rig.server.take_log();
    rig.run(Duration::from_secs(60)).await;
    let tries = rig.count(|request| request.is(Verb::Apply, Kind::Deployment, "hello-green"));
    assert!((1..60).contains(&tries), "{answer:?}: {tries} tries in a minute");
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

        is_tried_less_than_once_a_second(&mut rig, &fault).await;

        rig.server.no_faults();
        rig.run(Duration::from_secs(31)).await;
        assert!(rig.world().settled(APP), "{fault:?}: {:#}", rig.app()["status"]);
        assert!(rig.events().await.iter().any(|event| event.starts_with("Normal Recovered:")));
        rig.finish();
    }
}

/// With many apps, tries that follow each other closely keep an API server so busy that it answers none of them in time.
#[tokio::test]
async fn an_api_server_that_does_not_answer_in_time_gets_as_long_a_rest() {
    const LONG: Duration = Duration::from_secs(3);
    let mut rig = Rig::serving(spec()).await;
    let clock = rig.clock.clone();
    rig.server.fault(move |request| {
        let is_late = request.is(Verb::Apply, Kind::Deployment, "hello-green");
        is_late.then(|| {
            clock.turn(LONG);
            Fault::Late
        })
    });
    rig.deploy(Green, "v3");
    let wait = rig.pass().await;
    assert!(wait >= LONG, "{wait:?}");
    rig.server.no_faults();
    rig.run(Duration::from_secs(31)).await;
    assert!(rig.runs(Green, "v3"), "{:#}", rig.app()["status"]);
    rig.finish();
}

/// A 409 of a webhook is no conflict that another read mends, and a 404 no object that is gone.
#[tokio::test]
async fn a_write_that_a_webhook_denies_is_told_whatever_its_code() {
    for fault in denials() {
        let mut rig = failing(&fault).await;
        assert_eq!(rig.says("Stalled"), "True/Refused", "{fault:?}");
        assert!(rig.condition("Stalled").message.contains("denied the request: no team"), "{fault:?}");
        rig.server.no_faults();
        rig.run(Duration::from_secs(31)).await;
        assert!(rig.world().settled(APP), "{fault:?}: {:#}", rig.app()["status"]);
        rig.finish();
    }
}

/// Something in front of the API server, or another client that never rests: each write of a Deployment meets a conflict.
#[tokio::test]
async fn a_conflict_that_does_not_end_is_told() {
    for code in [404, 409] {
        let mut rig = failing(&Fault::answer(code, "the object has been modified")).await;
        assert_eq!(rig.says("Ready"), "False/WriteFailed", "{code}");
        assert!(rig.condition("Ready").message.contains("changed or deleted by somebody else"), "{code}");
        is_tried_less_than_once_a_second(&mut rig, code).await;
        rig.server.no_faults();
        rig.run(Duration::from_secs(31)).await;
        assert!(rig.world().settled(APP), "{code}: {:#}", rig.app()["status"]);
        rig.finish();
    }
}

/// The status can't say that it can't be written.
#[tokio::test]
async fn a_status_that_is_not_written_is_told_by_an_event() {
    let failures = [
        Fault::answer(500, WEBHOOK),
        Fault::answer(500, "etcdserver: request timed out"),
        Fault::Late,
        Fault::Answer(Status::throttled(1)),
        Fault::answer(409, "the object has been modified; please apply your changes to the latest version"),
    ];
    for fault in denials().into_iter().chain(failures) {
        let mut rig = Rig::serving(spec()).await;
        let rule = fault.clone();
        rig.server.fault(move |request| (request.subresource == "status").then(|| rule.clone()));
        rig.activate(Green);
        rig.run(Duration::from_secs(10)).await;
        let events = rig.events().await;
        let told = events.iter().filter(|event| event.starts_with("Warning StatusNotWritten: The "));
        assert_eq!(told.count(), 1, "{fault:?}: {events:?}");
        assert_eq!(rig.world().selects(APP), "blue", "a switch is recorded first");
        rig.server.no_faults();
        rig.run(Duration::from_secs(31)).await;
        assert!(rig.world().serves(APP, Green), "{fault:?}");
        rig.finish();
    }
}

/// What serves is watched on, whatever becomes of a write.
#[tokio::test]
async fn pods_that_fail_are_told_while_a_write_fails() {
    for fault in failures().into_iter().chain(denials()) {
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
    // The edit whose write fails is taken back with it, or not. A tag must be: its pods could not be made.
    type Edit = fn(&mut Value);
    let edits: [(Edit, Edit); 3] = [
        (|spec| spec["replicas"] = json!(3), |spec| spec["replicas"] = json!(2)),
        (|spec| spec["replicas"] = json!(3), |_| ()),
        (|spec| spec["green"]["tag"] = json!("v9"), |spec| spec["green"]["tag"] = json!("v2")),
    ];
    for (edit, back) in edits {
        for fault in failures().into_iter().chain(denials()) {
            let mut rig = failing_after(&fault, edit).await;
            // What concerns the idle color alone leaves Ready as it is.
            let is_told = rig.says("Ready") != "True/Serving" || rig.says("StandbyReady") != "True/Warm";
            assert!(is_told, "{fault:?}: the write was not tried");
            let before = rig.world().pods(APP, Green);
            rig.edit(|spec| {
                back(spec);
                spec["active"] = json!("green");
            });
            rig.run(Duration::from_secs(3)).await;
            assert_eq!(rig.world().selects(APP), "green", "{fault:?}: {:#}", rig.app()["status"]);
            let pods = rig.world().pods(APP, Green);
            assert_eq!(pods, before, "{fault:?}");
            assert!(rig.server.deliver_late().iter().all(|code| *code == 409), "{fault:?}");
            rig.server.no_faults();
            rig.run(Duration::from_secs(31)).await;
            assert!(rig.world().serves(APP, Green), "{fault:?}");
            assert!(pods.iter().all(|pod| rig.world().pods(APP, Green).contains(pod)), "{fault:?}");
            assert_eq!(rig.switches(), [Blue, Green], "{fault:?}");
            rig.finish();
        }
    }
}

/// Without what it would have read, the status can't say it.
#[tokio::test]
async fn objects_that_are_not_read_are_told_by_an_event() {
    let forbidden = "endpointslices.discovery.k8s.io is forbidden";
    for fault in [Fault::answer(403, forbidden), Fault::answer(500, "etcdserver: request timed out")] {
        let mut rig = Rig::serving(spec()).await;
        let rule = fault.clone();
        rig.server.fault(move |request| request.is(Verb::List, Kind::Slice, "").then(|| rule.clone()));
        rig.activate(Green);
        rig.run(Duration::from_secs(10)).await;
        let events = rig.events().await;
        let told = |event: &&String| event.starts_with("Warning ObjectsNotRead: The operator can't read");
        assert_eq!(events.iter().filter(told).count(), 1, "{fault:?}: {events:?}");
        rig.server.no_faults();
        rig.run(Duration::from_secs(31)).await;
        assert!(rig.world().serves(APP, Green), "{fault:?}");

        // A single one is not worth an Event.
        let before = rig.events().await.len();
        let mut left = 1;
        rig.server.fault(move |request| {
            let fails = request.is(Verb::List, Kind::Slice, "") && left > 0;
            left -= u32::from(fails);
            fails.then(|| fault.clone())
        });
        rig.activate(Blue);
        rig.run(Duration::from_secs(31)).await;
        let events = rig.events().await;
        assert_eq!(events[before..].iter().filter(told).count(), 0, "{events:?}");
        assert!(rig.world().serves(APP, Blue));
        rig.finish();
    }
}
