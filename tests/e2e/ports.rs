//! More ports than one (`spec.service.extraPorts`): what Kubernetes makes of them.

mod traffic;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World, app};

/// gRPC by the name of a container's port, SIP over UDP by number.
fn extra_ports() -> Value {
    json!([
        {"name": "grpc", "port": 9090, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"},
        {"name": "sip", "port": 5060, "targetPort": 15060, "protocol": "UDP"},
    ])
}

fn template(number: i32) -> Value {
    json!({"spec": {"containers": [{"name": "app", "ports": [{"name": "grpc", "containerPort": number}]}]}})
}

/// The ports with which the slices of this Service list ready endpoints, as `name/protocol:number`, in order.
fn listed(sandbox: &Sandbox, service: &str) -> Vec<String> {
    let world = sandbox.world();
    let of_service = |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service;
    let is_ready = |slice: &&Value| {
        slice["endpoints"].as_array().is_some_and(|all| all.iter().any(|e| e["conditions"]["ready"] == true))
    };
    let slices: Vec<&Value> =
        world.all(Kind::Slice).map(|(_, slice)| slice).filter(of_service).filter(is_ready).collect();
    let ports = slices.iter().flat_map(|slice| slice["ports"].as_array().into_iter().flatten());
    let mut all: Vec<String> = ports
        .map(|p| {
            format!(
                "{}/{}:{}",
                p["name"].as_str().unwrap_or(""),
                p["protocol"].as_str().unwrap_or(""),
                p["port"]
            )
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

#[tokio::test]
async fn does_one_write_move_all_ports_and_is_a_color_without_one_of_them_never_selected() -> Result<()> {
    let spec = json!({"template": template(19090), "service": {"extraPorts": extra_ports()}});
    let (sandbox, _operator) = Sandbox::serving("ports", &app("hello").with(spec)).await?;
    assert_eq!(listed(&sandbox, "hello"), ["grpc/TCP:19090", "http/TCP:8888", "sip/UDP:15060"]);

    // Each color has the number that its own pods give the port.
    sandbox
        .edit("hello", json!({"template": template(29090), "green": {"tag": "v3"}, "active": "green"}))
        .await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    assert_eq!(listed(&sandbox, "hello"), ["grpc/TCP:29090", "http/TCP:8888", "sip/UDP:15060"]);
    let writes: Vec<String> = sandbox
        .events()
        .iter()
        .filter(|event| event.kind == Kind::Service && event.name == "hello")
        .map(|event| {
            event.object["spec"]["selector"]["bluegreen.dev/color"].as_str().unwrap_or("").to_owned()
        })
        .collect();
    assert_eq!(writes.iter().filter(|color| *color == "green").count(), 1, "{writes:?}");

    // The next version of blue has no port for gRPC: Kubernetes lists its pods without it.
    sandbox.edit("hello", json!({"template": null, "blue": {"tag": "v4"}})).await?;
    sandbox
        .until("blue is up", |world| {
            world.rolled_out("hello", Blue) && world.condition("hello", "StandbyReady", "False", "NotReady")
        })
        .await?;
    sandbox.activate("hello", Blue).await?;
    let told = |world: &World| {
        world.status("hello").and_then(|status| status.condition("Ready").map(|c| c.message.clone()))
    };
    let lacks = "ready endpoints with port grpc (targetPort grpc, TCP)";
    sandbox
        .until("it says what is missing", |world| told(world).is_some_and(|told| told.contains(lacks)))
        .await?;
    assert_eq!(listed(&sandbox, "hello-blue"), ["http/TCP:8888", "sip/UDP:15060"]);
    assert_eq!(sandbox.world().selects("hello"), "green");
    sandbox.edit("hello", json!({"template": template(19090)})).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_service_that_was_deleted_come_back_with_the_node_ports_of_all_its_ports() -> Result<()> {
    let ports = json!([
        {"name": "sip-udp", "port": 5060, "protocol": "UDP"},
        {"name": "sip-tcp", "port": 5060},
    ]);
    let spec = json!({"service": {"type": "NodePort", "extraPorts": ports}});
    let (sandbox, _operator) = Sandbox::serving("node-ports", &app("hello").with(spec)).await?;
    let numbers = || {
        let world = sandbox.world();
        let ports = world.raw(Kind::Service, "hello")?["spec"]["ports"].as_array()?.clone();
        ports.iter().map(|port| port["nodePort"].as_i64()).collect::<Option<Vec<i64>>>()
    };
    let before = numbers().context("node ports")?;
    ensure!(before.len() == 3);
    sandbox.delete(Kind::Service, "hello").await?;
    sandbox.until("it is back", |world| world.serves("hello", Blue)).await?;
    assert_eq!(numbers().context("node ports")?, before);
    sandbox.finish().await
}
