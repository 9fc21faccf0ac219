//! `switch --selector --rollback-on-failure` for twenty apps with real pods, under traffic.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, answer_image};
use bluegreen_load::{Client, Load, Plan};
use serde_json::{Value, json};
use tokio::process::Command;

use super::PROGRAM;
use super::e2e::harness::{App, Kind, Sandbox, World, app, setup};

/// Apps of the group.
const APPS: usize = 20;

/// The apps with traffic, by their numbers; the first of them fails.
const LOADED: [usize; 3] = [7, 0, 19];

/// Forty real pods start in their own time.
const PATIENCE: Duration = Duration::from_secs(300);

fn name(number: usize) -> String {
    format!("app-{number:02}")
}

/// One pod for each color; of the app that fails only one for the live color.
fn answering(number: usize) -> App {
    let is_loaded = LOADED.contains(&number);
    let standby =
        if number == LOADED[0] { json!({"replicas": 0, "scaleDownAfterSeconds": 1}) } else { Value::Null };
    app(&name(number)).replicas(1).drain(2).with(json!({
        "image": "localhost/answer",
        "port": 8080,
        "readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 2},
        "service": {"type": if is_loaded { "NodePort" } else { "ClusterIP" }},
        "standby": standby,
        "template": {"spec": {"terminationGracePeriodSeconds": 5}},
    }))
}

fn all_select(world: &World, color: &str) -> bool {
    (0..APPS).all(|number| world.settled(&name(number)) && world.selects(&name(number)) == color)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make group-test`"]
async fn is_nothing_lost_while_a_group_of_twenty_apps_is_taken_back() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = setup::real_node().await?;
    for tag in ["v1", "v2"] {
        cluster.load_image(&answer_image(cluster.dir()?, "answer", tag)?).await?;
    }
    let sandbox = Sandbox::on(cluster, "group-traffic").await?;
    let _operator = sandbox.operator()?;
    for number in 0..APPS {
        sandbox.apply(&answering(number)).await?;
        sandbox.kubectl(&["label", "bga", &name(number), "release=42"]).await?;
    }
    let idle = |world: &World, number: usize| {
        let reason = if number == LOADED[0] { ("False", "ScaledDown") } else { ("True", "Warm") };
        world.condition(&name(number), "StandbyReady", reason.0, reason.1)
    };
    let ready = |world: &World| all_select(world, "blue") && (0..APPS).all(|number| idle(world, number));
    sandbox.within(PATIENCE, "all apps serve", ready).await?;
    // There is no room for one more pod, so one app of the group can't switch, and nobody can tell beforehand.
    let pods = APPS * 2 - 1;
    sandbox.kubectl(&["create", "quota", "pods", &format!("--hard=pods={pods}")]).await?;
    let used = format!("--for=jsonpath={{.status.used.pods}}={pods}");
    sandbox.kubectl(&["wait", "quota/pods", &used, "--timeout=60s"]).await?;

    let node = cluster.node_address().context("a node")?;
    let mut loads = Vec::new();
    for number in LOADED {
        let service = sandbox.world().raw(Kind::Service, &name(number)).cloned().context("a Service")?;
        let port = service["spec"]["ports"][0]["nodePort"].as_u64().context("a NodePort")?.try_into()?;
        let clients = vec![Client::fresh(30.0), Client::keep_alive(30.0)];
        let plan = Plan { clients, ..Plan::mixed(SocketAddr::new(node, port)) };
        loads.push((number, Load::once_answered(plan).await?));
    }
    let command = [
        "switch",
        "-l",
        "release=42",
        "--count",
        "20",
        "--to",
        "green",
        "--wait",
        "--timeout",
        "40s",
        "--rollback-on-failure",
        "-o",
        "json",
    ];
    let ended = Command::new(PROGRAM)
        .args(["-n", &sandbox.namespace])
        .args(command)
        .env("KUBECONFIG", cluster.kubeconfig())
        .kill_on_drop(true)
        .output()
        .await?;
    let result: Value = serde_json::from_slice(&ended.stdout)
        .with_context(|| String::from_utf8_lossy(&ended.stderr).into_owned())?;
    sandbox.within(PATIENCE, "all are back", |world| all_select(world, "blue")).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ended.status.code(), Some(3), "{result}");
    let apps = result["apps"].as_array().context("apps")?;
    assert_eq!(apps.iter().filter(|app| app["state"] == "TakenBack").count(), APPS, "{result}");

    let mut lost = 0;
    for (number, load) in loads {
        let report = load.stop().await?;
        println!("{}: {report}", name(number));
        lost += report.total.failed();
        let history = sandbox.world().status(&name(number)).context("status")?.history;
        // There and back, but for the one that never moved.
        let wanted = if number == LOADED[0] { 1 } else { 3 };
        ensure!(history.len() == wanted, "{}: {history:?}", name(number));
    }
    ensure!(lost == 0, "{lost} requests were lost");
    sandbox.finish().await
}
