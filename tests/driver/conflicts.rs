//! Names that somebody else uses already, and objects that are handed over.

use std::time::Duration;

use bluegreen_api::Color::{self, Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

fn deployment(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": "other" } },
            "template": {
                "metadata": { "labels": { "app": "other" } },
                "spec": { "containers": [{ "name": "app", "image": "other:v1" }] },
            },
        },
    })
}

fn service(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "selector": { "app": "other" }, "ports": [{ "port": 1234 }] } })
}

/// An object of somebody else where a child should be: the app says so, leaves it alone, and goes on as soon as it has gone.
#[tokio::test]
async fn a_foreign_object_is_left_alone_until_it_goes() {
    for (kind, object) in [
        (Kind::Deployment, deployment("hello-blue")),
        (Kind::Deployment, deployment("hello-green")),
        (Kind::Service, service("hello")),
        (Kind::Service, service("hello-blue")),
    ] {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let mut rig = Rig::empty();
        rig.server.create(kind, object);
        let stands = |rig: &Rig| {
            let object = rig.server.get(kind, &name).unwrap();
            ["uid", "labels", "annotations"]
                .map(|key| object["metadata"][key].clone())
                .into_iter()
                .chain([object["spec"].clone()])
                .collect::<Vec<_>>()
        };
        let before = stands(&rig);
        rig.create_app(spec());
        rig.settle().await;
        assert_eq!(rig.says("Stalled"), "True/NameConflict");
        let message = rig.condition("Stalled").message;
        let what = format!("{} {name} exists", kind.name());
        assert!(message.contains(&what) && message.contains("delete it"), "{message}");
        assert_eq!(stands(&rig), before, "it is untouched");
        // Nothing announces that the object goes: it carries no label of ours.
        let wait = rig.pass().await;
        assert!(wait <= Duration::from_secs(10), "{wait:?}");

        rig.server.delete(kind, &name);
        rig.settle().await;
        assert!(rig.world().serves(APP, Blue), "{what}: {:#}", rig.app()["status"]);
        assert!(rig.says("StandbyReady").starts_with("True/"));
        rig.finish();
    }
}

#[tokio::test]
async fn an_object_that_is_handed_over_becomes_a_child() {
    let mut rig = Rig::empty();
    // What `kubectl delete bga hello --cascade=orphan` leaves: the right selector, and nobody's.
    let mut left_over = deployment("hello-blue");
    let labels = json!({ "bluegreen.dev/app": "hello", "bluegreen.dev/color": "blue" });
    left_over["spec"]["selector"]["matchLabels"] = labels.clone();
    left_over["spec"]["template"]["metadata"]["labels"] = labels;
    let before = rig.server.create(Kind::Deployment, left_over)["metadata"]["uid"].clone();
    rig.create_app(spec());
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/NameConflict");

    let hand_over = json!({ "metadata": { "annotations": { "bluegreen.dev/adopt": "hello" } } });
    rig.server.patch(Kind::Deployment, "hello-blue", &hand_over);
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue), "{:#}", rig.app()["status"]);
    let object = rig.server.get(Kind::Deployment, "hello-blue").unwrap();
    assert_eq!(object["metadata"]["uid"], before, "it is the very object");
    assert!(rig.runs(Blue, "v1"));
    rig.finish();
}

/// `kubectl delete bga hello --cascade=orphan`, or a restore without owner references, and the app is created again.
#[tokio::test]
async fn an_app_that_comes_back_takes_over_all_its_children_with_one_annotation() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    rig.settle().await;
    rig.server.delete(Kind::App, APP);
    for kind in [Kind::Service, Kind::Deployment, Kind::Revision] {
        for child in rig.server.all(kind) {
            let orphan = json!({ "metadata": { "ownerReferences": [] } });
            rig.server.patch(kind, child["metadata"]["name"].as_str().unwrap(), &orphan);
        }
    }
    let pods = Color::ALL.map(|color| rig.world().pods(APP, color));
    rig.create_app(spec_with(json!({ "active": "green" })));
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/NameConflict");
    let told = rig.condition("Stalled").message;
    for object in ["Service hello,", "Service hello-blue", "Deployment hello-blue", "Deployment hello-green"]
    {
        assert!(told.contains(object), "{told}");
    }
    assert!(told.ends_with("kubectl annotate bluegreenapp hello bluegreen.dev/adopt=true"), "{told}");

    let hand_over = json!({ "metadata": { "annotations": { "bluegreen.dev/adopt": "true" } } });
    rig.server.patch(Kind::App, APP, &hand_over);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
    let (app, services) = (rig.app()["metadata"]["uid"].clone(), rig.server.all(Kind::Service));
    for child in services.iter().chain(&rig.server.all(Kind::Deployment)) {
        assert_eq!(child["metadata"]["ownerReferences"][0]["uid"], app, "{child:#}");
    }
    assert_eq!(Color::ALL.map(|color| rig.world().pods(APP, color)), pods, "nothing was rolled");
    assert_eq!(rig.switches(), [Blue, Green], "and the selector was left alone");
}

/// Somebody who may create ControllerRevisions, and nothing else, makes one that would be the idle color's newest.
#[tokio::test]
async fn a_revision_that_somebody_else_made_neither_runs_nor_is_in_the_way() {
    for is_owned in [false, true] {
        let mut rig = Rig::serving(spec()).await;
        let service = rig.server.get(Kind::Service, APP).unwrap()["metadata"]["uid"].clone();
        let owner = json!({ "apiVersion": "v1", "kind": "Service", "name": APP, "uid": service });
        let owners = if is_owned { json!([owner]) } else { json!([]) };
        for number in [2, 3, i64::MAX] {
            let mut made_up = rig.server.get(Kind::Revision, "hello-green-1").unwrap();
            let labels = made_up["metadata"]["labels"].clone();
            made_up["metadata"] = json!({ "name": format!("hello-green-{number}"), "labels": labels, "ownerReferences": owners });
            made_up["revision"] = json!(number);
            made_up["data"]["deployment"]["template"]["spec"]["containers"][0]["image"] = json!("evil");
            rig.server.create(Kind::Revision, made_up);
        }
        rig.settle().await;
        assert!(rig.runs(Green, "v2"), "{:#}", rig.app()["status"]);
        rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
        rig.settle().await;
        assert!(rig.world().settled(APP) && rig.runs(Green, "v3"), "{:#}", rig.app()["status"]);
        let names: Vec<String> =
            rig.server.all(Kind::Revision).iter().map(|it| it["metadata"]["name"].to_string()).collect();
        assert!(names.contains(&"\"hello-green-4\"".to_owned()), "the next one that is free: {names:?}");
        rig.activate(Green);
        rig.settle().await;
        assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
        rig.finish();
    }
}

/// What people have: the Service names the port's number, and the pods' port has no name at all.
#[tokio::test]
async fn a_service_that_is_handed_over_reaches_its_old_pods_until_the_switch() {
    let mut rig = Rig::empty();
    rig.server.create(Kind::Deployment, deployment("old"));
    let mut service = service(APP);
    service["metadata"]["annotations"] = json!({ "bluegreen.dev/adopt": "hello" });
    service["spec"]["ports"] = json!([{ "port": 8888, "targetPort": 8888 }]);
    rig.server.create(Kind::Service, service);
    rig.step();
    rig.controllers.ready("hello-blue", 0);
    rig.create_app(spec());
    rig.settle().await;
    let live = rig.server.get(Kind::Service, APP).unwrap();
    assert!(rig.world().children(APP).contains(&"Service hello".to_owned()), "it is taken over");
    assert_eq!(live["spec"]["selector"], json!({ "app": "other" }), "it serves as it did");
    assert_eq!(live["spec"]["ports"][0]["targetPort"], 8888);
    assert!(rig.world().endpoints(APP).iter().any(|endpoint| endpoint.ready));

    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    let live = rig.server.get(Kind::Service, APP).unwrap();
    assert_eq!(
        live["spec"]["ports"][0]["targetPort"], "http",
        "now by its name: a color may have another number"
    );
    rig.finish();
}
