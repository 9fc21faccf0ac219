//! More ports than one (`spec.service.extraPorts`).

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::Kind;
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec};

/// What the app says of the port that its pods lack.
const GRPC: &str = "port grpc (targetPort grpc, TCP)";

fn grpc() -> Value {
    json!([{ "name": "grpc", "port": 9090, "targetPort": "grpc" }])
}

/// A template whose container has the port.
fn template() -> Value {
    json!({ "spec": { "containers": [{ "name": "app", "ports": [{ "name": "grpc", "containerPort": 19090 }] }] } })
}

/// The ports of each of the app's Services.
fn ports(rig: &Rig) -> [Vec<Value>; 3] {
    [APP, "hello-blue", "hello-green"].map(|name| {
        let service = rig.server.get(Kind::Service, name).unwrap();
        let ports = service["spec"]["ports"].as_array().unwrap();
        ports.iter().map(|port| port["port"].clone()).collect()
    })
}

#[tokio::test]
async fn a_color_without_one_of_the_ports_never_passes_the_gate_and_the_port_is_named() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| spec["service"]["extraPorts"] = grpc());
    rig.settle().await;
    assert_eq!(ports(&rig), [[8888, 9090], [8888, 9090], [8888, 9090]], "all Services follow at once");
    // What serves goes on.
    assert_eq!(rig.says("Ready"), "True/Serving");
    assert!(rig.condition("Ready").message.contains(GRPC), "{:?}", rig.condition("Ready"));
    assert_eq!(rig.says("StandbyReady"), "False/NotReady");

    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().rolled_out(APP, Green));
    assert_eq!(rig.world().selects(APP), "blue");
    let told = rig.condition("Ready").message;
    assert!(told.starts_with("Service hello-green has 0 of 2 ready endpoints with port grpc"), "{told}");
    rig.edit(|spec| spec["template"] = template());
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert!(!rig.condition("Ready").message.contains(GRPC));

    // Blue still has none: as a way back it leads nowhere on that port, and the app says so before.
    assert_eq!(rig.says("StandbyReady"), "False/NotReady");
    assert!(rig.condition("StandbyReady").message.contains(GRPC));
    rig.activate(Blue);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    assert!(rig.condition("Ready").message.contains("has to leave spec.service.extraPorts"));
    rig.edit(|spec| spec["service"]["extraPorts"] = json!([]));
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(ports(&rig), [[8888], [8888], [8888]]);
    rig.finish();
}

/// As with `service.port`: the Services follow, and the switch waits for slices that show it.
#[tokio::test]
async fn ports_that_are_edited_while_a_switch_is_under_way_reach_all_services_and_the_gate_sees_them() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| {
        spec["template"] = template();
        spec["service"]["extraPorts"] = json!([{ "name": "sip", "port": 5060, "protocol": "UDP" }]);
    });
    rig.settle().await;
    rig.controllers.hold_endpoints("hello-green");
    rig.edit(|spec| {
        spec["active"] = json!("green");
        // The name and the number are as before, and only where it leads is not.
        spec["service"]["extraPorts"][0]["targetPort"] = json!(15060);
    });
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue", "the slices are those from before the edit");
    assert_eq!(ports(&rig)[0], [8888, 5060]);
    let target =
        |service| rig.server.get(Kind::Service, service).unwrap()["spec"]["ports"][1]["targetPort"].take();
    assert_eq!([target(APP), target("hello-green")], [15060, 15060], "the live Service follows at once");
    rig.controllers.release_endpoints("hello-green");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// The flip stays one write.
#[tokio::test]
async fn a_switch_of_several_ports_is_one_write_of_the_service() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| {
        spec["template"] = template();
        spec["service"]["extraPorts"] = grpc();
    });
    rig.settle().await;
    let _ = rig.server.take_log();
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    let of_services = |write: &&String| write.contains("Service") || write.contains("services");
    let writes = rig.writes();
    assert_eq!(writes.iter().filter(of_services).count(), 1, "{writes:?}");
    rig.finish();
}
