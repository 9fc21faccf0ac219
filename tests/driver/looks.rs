//! What is read to confirm a switch, and does that see what the watch caches have not been told?

use bluegreen_api::Color::Green;
use bluegreen_apiserver::{Fault, Kind, Request, Verb};
use bluegreen_core::desired::names;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

/// An app at rest whose caches stay as they are, and that is asked to switch after `change`.
async fn behind(change: impl FnOnce(&mut Rig)) -> Rig {
    let mut rig = Rig::serving(spec()).await;
    rig.operator.lags = true;
    change(&mut rig);
    rig.activate(Green);
    rig
}

/// The requests until the Service was written.
fn until_the_switch(rig: &Rig) -> Vec<Request> {
    let requests = rig.server.log().into_iter().map(|logged| logged.request);
    let requests: Vec<_> = requests.collect();
    let switch = requests.iter().position(|request| request.is(Verb::Apply, Kind::Service, APP));
    requests[..switch.expect("a switch")].to_vec()
}

fn of_verb(requests: &[Request], verb: Verb) -> Vec<Kind> {
    requests.iter().filter(|request| request.verb == verb).map(|request| request.kind).collect()
}

/// A list that has to be up to date keeps the switch waiting.
#[tokio::test]
async fn a_switch_is_confirmed_without_a_list() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    rig.settle().await;
    let requests = until_the_switch(&rig);
    assert_eq!(of_verb(&requests, Verb::List), []);
    let read = of_verb(&requests, Verb::Get);
    for kind in
        [Kind::App, Kind::Service, Kind::Deployment, Kind::Revision, Kind::Slice, Kind::Pod, Kind::ReplicaSet]
    {
        assert!(read.contains(&kind), "{kind:?} was not read");
    }
}

/// Nothing waits for anything else: each round of requests takes as long as the network and etcd do.
#[tokio::test]
async fn the_owners_of_pods_are_read_with_the_pods() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.fault(|request| request.is(Verb::Get, Kind::Pod, "").then_some(Fault::Hang));
    rig.activate(Green);
    assert!(rig.pass_until_it_hangs().await, "no pod was read");
    assert_ne!(rig.count(|request| request.is(Verb::Get, Kind::ReplicaSet, "")), 0);
}

/// The name of a pod says which ReplicaSet made it. Who controls it is in the pod.
#[tokio::test]
async fn the_owner_of_a_pod_is_read_whatever_the_pod_is_called() {
    let mut rig = Rig::serving(spec()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pods = rig.server.all(Kind::Pod);
    let green = pods.iter().filter(|pod| pod["metadata"]["labels"][names::COLOR] == "green");
    for (number, pod) in green.enumerate() {
        let (old, new) = (text(&pod["metadata"]["name"]), format!("odd{number}"));
        let mut pod = pod.clone();
        let metadata = pod["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| ["labels", "ownerReferences"].contains(&key.as_str()));
        metadata.insert("name".to_owned(), json!(new));
        let uid = rig.server.create(Kind::Pod, pod)["metadata"]["uid"].clone();
        rig.server.delete(Kind::Pod, &old);
        for slice in rig.server.all(Kind::Slice) {
            rig.server.edit(Kind::Slice, &text(&slice["metadata"]["name"]), |slice| {
                let endpoints = slice["endpoints"].as_array_mut().unwrap().iter_mut();
                for endpoint in endpoints.filter(|endpoint| endpoint["targetRef"]["name"] == *old) {
                    endpoint["targetRef"] = json!({ "kind": "Pod", "name": new, "uid": uid });
                }
            });
        }
    }
    rig.activate(Green);
    rig.pass().await;
    assert_eq!(of_verb(&until_the_switch(&rig), Verb::List), []);
}

/// Which nodes serve now is told by the live Service's slices, which a look by name does not read.
#[tokio::test]
async fn everything_is_read_where_traffic_keeps_to_its_node() {
    let local = json!({ "service": { "type": "NodePort", "externalTrafficPolicy": "Local" } });
    let mut rig = Rig::serving(spec_with(local)).await;
    rig.activate(Green);
    rig.settle().await;
    assert!(of_verb(&until_the_switch(&rig), Verb::List).contains(&Kind::Slice));
}

#[tokio::test]
async fn a_look_by_name_sees_pods_that_have_failed_since() {
    let mut rig = behind(|rig| {
        rig.controllers.ready("hello-green", 0);
        rig.step();
    })
    .await;
    for _ in 0..3 {
        rig.pass().await;
        assert_eq!(rig.world().selects(APP), "blue");
    }
    assert_ne!(
        rig.count(|request| request.is(Verb::Get, Kind::Pod, "")),
        0,
        "the caches asked for no switch"
    );
    rig.operator.lags = false;
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// The newest record of what green is to run is one that the caches do not know, as an operator may have left it that was
/// cut off. Were it not asked for, revision 1 would be committed, and 2 would be newer than what serves.
#[tokio::test]
async fn a_look_by_name_asks_for_the_next_revision() {
    let mut rig = behind(|rig| {
        let mut next = rig.server.get(Kind::Revision, "hello-green-1").unwrap();
        next["metadata"]["name"] = json!("hello-green-2");
        next["revision"] = json!(2);
        for key in ["uid", "resourceVersion", "managedFields"] {
            next["metadata"][key] = Value::Null;
        }
        rig.server.create(Kind::Revision, next);
    })
    .await;
    rig.pass().await;
    rig.operator.lags = false;
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_ne!(rig.count(|request| request.is(Verb::Get, Kind::Revision, "hello-green-2")), 0);
    let service = rig.server.get(Kind::Service, APP).unwrap();
    assert_eq!(service["metadata"]["annotations"][names::SERVED_GREEN], "2");
}

/// The record of what green runs was lost, and the caches do not know.
#[tokio::test]
async fn a_look_by_name_misses_a_revision_that_is_gone() {
    let mut rig = behind(|rig| rig.server.delete(Kind::Revision, "hello-green-1")).await;
    for _ in 0..10 {
        rig.pass().await;
        rig.step();
    }
    assert_eq!(rig.world().selects(APP), "green");
    let recovered = |request: &Request| request.verb.writes() && request.kind == Kind::Revision;
    assert!(until_the_switch(&rig).iter().any(recovered), "it was selected without a record");
}

/// Two slices, read one after the other: what each says may never have been so at the same time.
#[tokio::test]
async fn several_slices_are_read_until_they_are_of_one_moment() {
    let mut rig = Rig::serving(spec()).await;
    let slices = rig.server.all(Kind::Slice);
    let green = |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == "hello-green";
    let mut second = slices.iter().find(green).unwrap().clone();
    second["metadata"] = json!({ "name": "hello-green-second", "labels": second["metadata"]["labels"] });
    second["endpoints"] = json!([]);
    rig.server.create(Kind::Slice, second);
    rig.settle().await;
    let _ = rig.server.take_log();
    rig.activate(Green);
    let (server, controllers) = (rig.server.clone(), &mut rig.controllers.clone());
    controllers.ready("hello-green", 0);
    // The first slice changes when both have been read, and before they are read again.
    let changes = async {
        let read = |request: &Request| request.is(Verb::Get, Kind::Slice, "hello-green-second");
        while !server.log().iter().any(|logged| read(&logged.request)) {
            tokio::task::yield_now().await;
        }
        controllers.step();
    };
    tokio::join!(biased; changes, rig.pass());
    let log = rig.server.log();
    let told = log.iter().position(|logged| logged.request.writes_status());
    let all = log.iter().position(|logged| logged.request.is(Verb::List, Kind::Slice, ""));
    assert!(all.is_some() && told.is_none_or(|told| all < Some(told)), "{log:#?}");
    assert_eq!(rig.world().selects(APP), "blue");
}
