//! From nothing to an app that serves.

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::json;

use crate::rig::{APP, Rig, spec, spec_with};

#[tokio::test]
async fn the_first_activation_waits_until_every_pod_is_ready() {
    let mut rig = Rig::new(spec_with(json!({ "replicas": 3 })));
    rig.controllers.ready("hello-blue", 2);
    rig.settle().await;
    let reconciling = rig.condition("Reconciling");
    assert_eq!(reconciling.reason, "WaitingForTarget");
    assert!(reconciling.message.contains("2 of 3 pods available"), "{}", reconciling.message);
    assert_eq!(rig.world().selects(APP), "none", "the live Service is there and selects nothing");
    assert!(!rig.world().ready(APP));

    rig.controllers.heal("hello-blue");
    rig.settle().await;
    let (world, status) = (rig.world(), rig.status());
    assert!(world.serves(APP, Blue));
    assert_eq!((status.active, status.history.len(), status.replicas), (Some(Blue), 1, 3));
    assert_eq!(status.blue.unwrap().image, "team/hello:v1");
    assert_eq!(rig.says("StandbyReady"), "True/Warm");
    assert_eq!(world.size(APP, Green), Some(3));
    rig.finish();
}

#[tokio::test]
async fn an_app_of_one_color_serves_and_says_that_there_is_no_standby() {
    let mut one = spec();
    one.as_object_mut().unwrap().remove("green");
    let mut rig = Rig::serving(one).await;
    assert_eq!(rig.says("StandbyReady"), "False/Absent");
    let children = ["Service hello", "Service hello-blue", "Deployment hello-blue", "Revision hello-blue-1"];
    assert_eq!(rig.world().children(APP), children);

    rig.edit(|spec| spec["green"] = json!({ "tag": "v2" }));
    for _ in 0..10 {
        rig.pass().await;
        rig.step();
        assert_eq!(rig.says("Ready"), "True/Serving", "blue serves on");
    }
    assert_eq!(rig.says("StandbyReady"), "True/Warm");
    rig.finish();
}

#[tokio::test]
async fn what_an_app_owns_is_collected_when_it_is_deleted() {
    let rig = Rig::serving(spec()).await;
    assert_eq!(rig.world().children(APP).len(), 7);
    rig.server.delete(Kind::App, APP);
    rig.step();
    for kind in [Kind::Service, Kind::Deployment, Kind::ReplicaSet, Kind::Pod, Kind::Revision, Kind::Slice] {
        assert_eq!(rig.server.all(kind), [""; 0], "{kind:?}");
    }
}
