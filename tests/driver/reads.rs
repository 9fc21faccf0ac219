//! What is read, and how often.

use std::time::Duration;

use bluegreen_apiserver::{Fault, Kind, Request, Verb};
use serde_json::json;

use crate::rig::{Rig, spec};

/// What was done since the last call: how many requests read, and how many wrote anything but an Event.
fn counts(rig: &Rig) -> (usize, usize) {
    let log = rig.server.take_log();
    let reads = log.iter().filter(|logged| matches!(logged.request.verb, Verb::Get | Verb::List)).count();
    let events = log.iter().filter(|logged| logged.request.kind == Kind::Event).count();
    (reads, log.len() - reads - events)
}

/// A read of everything takes 8 requests, with the pods' owners, before a first switch, 10; a confirming read takes 11 here. The answers to writes hold what was written, so a pass reads
/// once, and not after each of its writes.
#[tokio::test]
async fn a_pass_reads_once_however_much_it_writes() {
    let mut rig = Rig::new(spec());
    rig.settle().await;
    // All objects are made without any; the switch to the first color and the end of its drain have one each.
    assert_eq!(counts(&rig), (10 + 8, 11), "a new app");

    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    // It is stored, rolled out, and the earlier one deleted; then it is reported as ready.
    assert_eq!(counts(&rig), (8 + 8, 6), "a new version of the idle color");

    rig.edit(|spec| spec["active"] = json!("green"));
    rig.settle().await;
    assert_eq!(counts(&rig), (11 + 8, 4), "a switch");
}

fn lists_pods(request: &Request) -> bool {
    request.is(Verb::List, Kind::Pod, "")
}

/// The rights of an earlier release: pods can't be listed, so that nobody can say why a color is late.
#[tokio::test]
async fn pods_that_may_not_be_listed_are_asked_for_as_rarely_as_others() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 0);
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    rig.server.fault(|request| lists_pods(request).then(|| Fault::answer(403, "pods is forbidden")));
    let _ = rig.server.take_log();
    rig.run(Duration::from_secs(60)).await;
    let lists = rig.count(lists_pods);
    assert!((1..=6).contains(&lists), "{lists} lists of pods in a minute");
}
