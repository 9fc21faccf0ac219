//! Several ports under traffic, on a real node.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{Cluster, answer_image, grpc, target};
use bluegreen_load::{Client, Load, Plan};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{App, Kind, Sandbox, app, setup};
use crate::traffic::{Calls, Datagrams};

/// Real pods start in their own time.
const PATIENCE: Duration = Duration::from_secs(120);

/// HTTP in the container `app`, with UDP beside it, and gRPC in another container, which Kubernetes' own probe asks.
fn answering() -> App {
    let env = |name: &str, value: &str| json!({"name": name, "value": value});
    app("hello").with(json!({
        "image": "localhost/answer",
        "port": 8080,
        // Longer than kube-proxy may take on a busy machine.
        "drainSeconds": 5,
        "readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 1},
        "service": {"type": "NodePort", "extraPorts": [
            {"name": "grpc", "port": 9090, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"},
            {"name": "echo", "port": 7, "targetPort": "echo", "protocol": "UDP"},
        ]},
        "template": {"spec": {"terminationGracePeriodSeconds": 10, "containers": [
            {"name": "app", "env": [env("UDP_PORT", "7007")], "ports": [{"name": "echo", "containerPort": 7007, "protocol": "UDP"}]},
            {"name": "grpc", "image": grpc::IMAGE, "args": ["serve", "8081"], "env": [env("COLOR", "$(BLUEGREEN_COLOR)")],
                "ports": [{"name": "grpc", "containerPort": 8081}],
                "readinessProbe": {"grpc": {"port": 8081}, "periodSeconds": 1}},
        ]}},
    }))
}

/// Alone: it asks whether a switch loses anything, and beside other tests kube-proxy itself may be seconds late.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "by make test, after the other tests"]
async fn is_nothing_lost_on_any_port_while_an_app_is_switched() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = setup::real_node().await?;
    for tag in ["v1", "v2"] {
        cluster.load_image(&answer_image(cluster.dir()?, "answer", tag)?).await?;
    }
    let program = tokio::task::spawn_blocking(|| grpc::program(&target()?)).await??;
    cluster.load_image(&grpc::image(&program, cluster.dir()?)?).await?;
    let sandbox = Sandbox::on(cluster, "ports-traffic").await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&answering()).await?;
    sandbox.within(PATIENCE, "blue serves", |world| world.serves("hello", Blue)).await?;
    sandbox.within(PATIENCE, "green is warm", |world| world.says("hello", "StandbyReady").is_some()).await?;

    let node = cluster.node_address().context("a node")?;
    let service = sandbox.world().raw(Kind::Service, "hello").cloned().unwrap_or(Value::Null);
    let addresses: Vec<SocketAddr> = service["spec"]["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|port| Some(SocketAddr::new(node, port["nodePort"].as_u64()?.try_into().ok()?)))
        .collect();
    let [http, rpc, echo] = addresses.as_slice() else { anyhow::bail!("{service}") };
    let plan = |target| Plan { clients: vec![Client::fresh(50.0)], ..Plan::mixed(target) };
    let load = Load::once_answered(plan(*http)).await?;
    let calls = Calls::start(&program, *rpc)?;
    let echoes = Datagrams::start(*echo);
    for (turn, color) in [Green, Blue, Green, Blue].into_iter().enumerate() {
        sleep(Duration::from_secs(1)).await;
        if turn == 2 {
            // From now on the old color's pods end after the drain, with a GOAWAY for the connections that are kept.
            sandbox.edit("hello", json!({"standby": {"replicas": 0}})).await?;
        }
        sandbox.activate("hello", color).await?;
        sandbox.within(PATIENCE, "it serves", |world| world.serves("hello", color)).await?;
    }
    // The old color's gRPC server ends 7 s after it was told to.
    sleep(Duration::from_secs(9)).await;
    let report = load.stop().await?;
    println!("http: {report}");
    ensure!(report.total.failed() == 0, "http: {} requests were lost", report.total.failed());
    let called = calls.stop(["blue", "green"], true).await?;
    ensure!(called.streams > 0, "no stream ended, so no server has told its clients to go");
    echoes.stop().await?;
    sandbox.finish().await
}
