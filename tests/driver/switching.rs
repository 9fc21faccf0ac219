//! From one color to the other.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_api::Phase;
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_switch_moves_the_service_and_keeps_the_old_color_warm() {
    let mut rig = Rig::serving(spec_with(json!({ "replicas": 3, "drainSeconds": 5 }))).await;
    rig.activate(Green);
    rig.run(SECOND * 2).await;
    assert!(rig.world().ready(APP));
    assert_eq!(rig.world().selects(APP), "green", "Ready means that it serves");
    assert_eq!(rig.status().phase, Some(Phase::Draining));
    rig.run(SECOND * 5).await;
    assert!(rig.world().serves(APP, Green));
    let status = rig.status();
    assert_eq!((status.phase, status.history.len()), (Some(Phase::Stable), 2));
    assert_eq!((status.history[0].from, status.history[0].image.as_str()), (Some(Blue), "team/hello:v2"));
    assert_eq!(rig.world().size(APP, Blue), Some(3));
    assert_eq!(rig.says("StandbyReady"), "True/Warm");
    rig.finish();
}

#[tokio::test]
async fn a_switch_back_while_draining_needs_no_waiting() {
    let mut rig = Rig::serving(spec_with(json!({ "drainSeconds": 600 }))).await;
    let blue = rig.world().pods(APP, Blue);
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().ready(APP) && rig.world().selects(APP) == "green");
    assert_eq!(rig.status().phase, Some(Phase::Draining));
    rig.activate(Blue);
    rig.settle().await;
    assert!(rig.world().ready(APP) && rig.world().selects(APP) == "blue");
    assert_eq!(rig.world().pods(APP, Blue), blue, "no pod was made anew");
    assert_eq!(rig.switches(), [Blue, Green, Blue]);
    rig.finish();
}

#[tokio::test]
async fn canceling_before_the_switch_leaves_the_live_color_alone() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 0);
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert_eq!(rig.status().switch.map(|switch| switch.to), Some(Green));
    rig.activate(Blue);
    rig.settle().await;
    assert!(rig.world().ready(APP), "it is canceled");
    assert_eq!(rig.status().switch, None);
    // Green becomes ready now, too late.
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.says("StandbyReady").starts_with("True/"));
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(rig.switches(), [Blue]);
    let events = rig.events().await;
    assert!(events.iter().any(|event| event.starts_with("Normal SwitchCanceled:")), "{events:?}");
    rig.finish();
}

#[tokio::test]
async fn a_new_tag_is_never_served_on_the_readiness_of_the_old_pods() {
    let mut rig = Rig::serving(spec()).await;
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    // The same again, slower, towards a color that served before.
    rig.controllers.ready("hello-blue", 1);
    rig.edit(|spec| {
        spec["active"] = json!("blue");
        spec["blue"]["tag"] = json!("v4");
    });
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    rig.controllers.heal("hello-blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(rig.served(), ["team/hello:v1", "team/hello:v3", "team/hello:v4"]);
    rig.finish();
}

/// The Deployment controller has not looked at the new template yet: its counts are about the old one.
#[tokio::test]
async fn counts_of_an_older_generation_do_not_count() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ignore("hello-green");
    rig.deploy(Green, "v3");
    rig.settle().await;
    let green = rig.server.get(Kind::Deployment, "hello-green").unwrap();
    assert_ne!(green["status"]["observedGeneration"], green["metadata"]["generation"]);
    assert_eq!(rig.world().selects(APP), "blue");
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// The Deployment is ready, and the color's own Service lists nothing yet.
#[tokio::test]
async fn a_target_without_endpoints_is_not_selected() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.controllers.hold_endpoints("hello-green");
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.runs(Green, "v3") && rig.world().rolled_out(APP, Green));
    assert_eq!(rig.world().selects(APP), "blue");
    assert!(rig.condition("Ready").message.contains("endpoints"), "{:?}", rig.condition("Ready"));
    rig.controllers.release_endpoints("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// Somebody made the live Service dual-stack. The colors' own Services must show both families, too, before a color is selected.
#[tokio::test]
async fn a_service_that_became_dual_stack_does_not_keep_a_color_waiting() {
    let local = json!({ "service": { "type": "NodePort", "externalTrafficPolicy": "Local" } });
    let mut rig = Rig::serving(spec_with(local)).await;
    let both = json!({ "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"] });
    rig.server.patch(Kind::Service, APP, &json!({ "spec": both }));
    rig.step();
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
    rig.finish();
}

/// With `externalTrafficPolicy: Local`, a node without a pod of the live color drops what comes to it.
#[tokio::test]
async fn a_switch_waits_until_the_target_covers_the_nodes_that_serve() {
    covers_the_nodes(json!({ "type": "NodePort", "externalTrafficPolicy": "Local" })).await;
}

/// As with traffic from outside: a client in the cluster reaches only the pods of its own node.
#[tokio::test]
async fn a_switch_waits_for_the_nodes_also_if_only_traffic_in_the_cluster_stays_on_its_node() {
    covers_the_nodes(json!({ "type": "ClusterIP", "internalTrafficPolicy": "Local" })).await;
}

async fn covers_the_nodes(service: Value) {
    let mut rig = Rig::serving(spec_with(json!({ "service": service }))).await;
    let on = |rig: &Rig, node: &str| {
        for pod in rig.server.all(Kind::Pod) {
            let name = pod["metadata"]["name"].as_str().unwrap();
            if name.starts_with("hello-green-") {
                rig.server.edit(Kind::Pod, name, |pod| pod["spec"]["nodeName"] = json!(node));
            }
        }
        rig.step();
    };
    on(&rig, "node-1");
    rig.activate(Green);
    rig.settle().await;
    let ready = rig.condition("Ready");
    assert_eq!(ready.reason, "WaitingForTarget");
    assert!(ready.message.contains("no ready pod on node-2, where blue has one"), "{ready:?}");
    assert_eq!(rig.world().selects(APP), "blue");

    for (number, pod) in rig.world().endpoints("hello-green").into_iter().enumerate() {
        let node = format!("node-{}", number + 1);
        rig.server.edit(Kind::Pod, &pod.pod, |pod| pod["spec"]["nodeName"] = json!(node));
    }
    rig.step();
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    // Back to pods that have served, which no wait would move: not held up, whatever the nodes.
    on(&rig, "node-1");
    rig.activate(Blue);
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    rig.finish();
}

/// Pods that are ready, but not for `minReadySeconds`: the Deployment controller does not count them as available yet.
#[tokio::test]
async fn a_target_whose_pods_are_ready_and_not_yet_available_is_not_selected() {
    let mut rig = Rig::serving(spec_with(json!({ "standby": { "replicas": 0 } }))).await;
    rig.controllers.available("hello-green", 0);
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.status().green.map(|green| green.ready_replicas), Some(2));
    assert_eq!(rig.world().selects(APP), "blue");
    rig.controllers.heal("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

#[tokio::test]
async fn the_history_has_the_last_ten_switches_newest_first() {
    let mut rig = Rig::serving(spec()).await;
    for switch in 0..12 {
        rig.activate(if switch % 2 == 0 { Green } else { Blue });
        rig.settle().await;
    }
    let history = rig.status().history;
    let to: Vec<_> = history.iter().map(|entry| entry.to).collect();
    assert_eq!(to, [Blue, Green].repeat(5));
    assert!(history.iter().all(|entry| entry.from == Some(entry.to.other())), "the first activation is gone");
}

#[tokio::test]
async fn the_status_counts_the_pods_of_each_color() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 1);
    rig.settle().await;
    rig.run(SECOND * 2).await;
    let counts = |color: &bluegreen_api::ColorStatus| (color.replicas, color.ready_replicas, color.endpoints);
    let status = rig.status();
    assert_eq!(status.blue.as_ref().map(counts), Some((2, 2, 2)));
    assert_eq!(status.green.as_ref().map(counts), Some((2, 1, 1)));
}
