//! Does `kubectl bluegreen` do on a real API server what it says, and end with the code that it documents?

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}

#[path = "cli/dashboard.rs"]
mod dashboard;
#[path = "cli/file.rs"]
mod file;
#[path = "cli/group.rs"]
mod group;
#[path = "cli/group_traffic.rs"]
mod group_traffic;
#[path = "cli/served.rs"]
mod served;
#[path = "cli/trial.rs"]
mod trial;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{Cluster, Node, Options, output, patiently};
use serde_json::{Value, json};
use tokio::process::Command;

use e2e::harness::{Kind, Sandbox, app, cluster, pods, setup};

/// How a command ended.
struct Ended {
    code: i32,
    out: String,
    all: String,
}

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-bluegreen-under-test");

/// Runs the program in a test's namespace, as a cluster admin.
async fn bluegreen(sandbox: &Sandbox, arguments: &[&str]) -> Result<Ended> {
    let output = Command::new(PROGRAM)
        .args(["-n", &sandbox.namespace])
        .args(arguments)
        .env("KUBECONFIG", cluster().await?.kubeconfig())
        .kill_on_drop(true)
        .output()
        .await?;
    let out = String::from_utf8(output.stdout)?;
    let all = format!("$ {arguments:?}\n{out}{}", String::from_utf8_lossy(&output.stderr));
    Ok(Ended { code: output.status.code().context("killed")?, out, all })
}

/// Runs the program and asks for an exit code.
async fn ends(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> Result<Ended> {
    let ended = bluegreen(sandbox, arguments).await?;
    ensure!(ended.code == code, "ended with {} instead of {code}: {}", ended.code, ended.all);
    Ok(ended)
}

#[tokio::test]
async fn does_a_release_go_from_the_idle_color_to_live_and_back() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-release", &app("hello")).await?;
    let blue = sandbox.world().pods("hello", Blue);

    ends(&sandbox, 0, &["deploy", "hello", "--tag", "v3", "--wait", "--timeout", "60s"]).await?;
    // When it returns, the very pods of the new version are ready, and what serves was left alone.
    let world = sandbox.world();
    assert_eq!(world.image("hello", Green).as_deref(), Some("team/hello:v3"));
    assert!(world.rolled_out("hello", Green));
    assert_eq!((world.selects("hello"), world.pods("hello", Blue)), ("blue", blue.clone()));
    ends(&sandbox, 0, &["status", "hello", "--for", "standby", "--timeout", "10s"]).await?;

    ends(&sandbox, 0, &["switch", "hello", "--wait", "--timeout", "60s"]).await?;
    let live: Value =
        serde_json::from_str(&sandbox.kubectl(&["get", "service", "hello", "-o", "json"]).await?)?;
    assert_eq!(live["spec"]["selector"]["bluegreen.dev/color"], "green");
    ends(&sandbox, 0, &["status", "hello", "--for", "active=green", "--timeout", "0s"]).await?;

    ends(&sandbox, 0, &["rollback", "hello", "--wait", "--timeout", "60s"]).await?;
    let world = sandbox.world();
    assert_eq!((world.selects("hello"), world.pods("hello", Blue)), ("blue", blue));
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_dry_run_change_nothing_and_print_the_edit_for_git() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-dry", &app("hello")).await?;
    let before = sandbox.world().app("hello").context("app")?.metadata.generation;
    let ended = ends(&sandbox, 0, &["switch", "hello", "--dry-run=server"]).await?;
    assert!(
        ended.all.contains("-   active: blue") && ended.all.contains("+   active: green"),
        "{}",
        ended.all
    );
    assert_eq!(sandbox.world().app("hello").context("app")?.metadata.generation, before);
    // The live color is refused, by name.
    let refused = ends(&sandbox, 1, &["deploy", "hello", "--tag", "v9", "--to", "blue"]).await?;
    assert!(refused.all.contains("blue"), "{}", refused.all);
    assert_eq!(sandbox.world().app("hello").context("app")?.metadata.generation, before);
    sandbox.finish().await
}

#[tokio::test]
async fn do_the_views_show_what_is_live() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-views", &app("hello")).await?;
    let tree = ends(&sandbox, 0, &["get", "hello"]).await?.out;
    for words in ["hello", "blue", "green", "team/hello:v1", "team/hello:v2"] {
        assert!(tree.contains(words), "{words}: {tree}");
    }
    let list = ends(&sandbox, 0, &["list"]).await?.out;
    assert!(list.contains("hello") && list.contains("blue"), "{list}");
    let value: Value = serde_json::from_str(&ends(&sandbox, 0, &["get", "hello", "-o", "json"]).await?.out)?;
    assert_eq!(value["kind"], "BlueGreenApp");
    ends(&sandbox, 1, &["get", "nobody"]).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_waiting_end_at_a_gate_in_time_or_with_the_cause() -> Result<()> {
    let slow = app("hello").with(json!({"progressDeadlineSeconds": 20}));
    let (sandbox, _operator) = Sandbox::serving("cli-gate", &slow).await?;
    sandbox.edit("hello", pods(json!({"ready": "never"}))).await?;

    let start = Instant::now();
    ends(&sandbox, 3, &["switch", "hello", "--wait", "--timeout", "3s"]).await?;
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_eq!(sandbox.world().selects("hello"), "blue");
    // Nothing will come without a change: no reason to use up the time.
    let stalled = ends(&sandbox, 1, &["status", "hello", "--timeout", "5m"]).await?;
    assert!(stalled.all.contains("green"), "{}", stalled.all);
    // A cancel.
    ends(&sandbox, 0, &["rollback", "hello", "--wait", "--timeout", "60s"]).await?;
    assert_eq!(sandbox.guard().switches.len(), 1);
    sandbox.finish().await
}

#[tokio::test]
async fn is_a_switch_that_does_not_come_about_taken_back() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-back", &app("hello")).await?;
    sandbox.edit("hello", pods(json!({"ready": "never"}))).await?;
    let command = ["switch", "hello", "--tag", "v2", "--wait", "--timeout", "3s", "--rollback-on-failure"];
    let ended = ends(&sandbox, 3, &command).await?;
    assert!(ended.all.contains("undo the switch: set spec.active back to blue"), "{}", ended.all);
    let world = sandbox.world();
    assert_eq!(world.raw(Kind::App, "hello").context("app")?["spec"]["active"], "blue");
    // And it never comes about by itself, now that it could.
    sandbox.edit("hello", pods(json!({"ready": null}))).await?;
    sandbox.until("green is ready", |world| world.says("hello", "StandbyReady").is_some()).await?;
    assert_eq!(sandbox.world().selects("hello"), "blue");
    // What nobody deployed is not made live.
    ends(&sandbox, 1, &["switch", "hello", "--tag", "v9", "--wait", "--rollback-on-failure"]).await?;
    ends(&sandbox, 0, &["switch", "hello", "--tag", "v2", "--wait", "--timeout", "60s"]).await?;
    ends(&sandbox, 0, &["rollback", "hello", "--tag", "v2", "--wait", "--timeout", "60s"]).await?;
    ends(&sandbox, 1, &["rollback", "hello", "--tag", "v2"]).await?;
    assert_eq!(sandbox.world().selects("hello"), "blue");
    sandbox.finish().await
}

/// A program that runs on, with what it printed so far in a file.
struct Running {
    child: tokio::process::Child,
    log: PathBuf,
}

impl Running {
    fn start(arguments: &[&str], kubeconfig: &Path, log: PathBuf) -> Result<Self> {
        let out = std::fs::File::create(&log)?;
        let child = Command::new(PROGRAM)
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, log })
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn says(&mut self, words: &str) -> Result<()> {
        let attempt = async || {
            ensure!(self.text().contains(words), "never said {words:?}:\n{}", self.text());
            Ok(())
        };
        let said = patiently(Duration::from_secs(60), attempt).await;
        said.with_context(|| format!("{:?}", self.child.try_wait()))
    }
}

/// A cluster with an app that nobody looks after, and somebody who may see it and no more: right after a restart, the API
/// server answers an admin sooner than anybody else.
async fn watched_app(cluster: &Cluster) -> Result<PathBuf> {
    let user = cluster.user("watcher", &[]).await?;
    let kubectl = async |arguments: &[&str]| output(cluster.kubectl(arguments)).await;
    setup::install(cluster).await?;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("watched.yaml");
    std::fs::write(&file, serde_json::to_string(&app("hello").object())?)?;
    kubectl(&["apply", "-f", &file.display().to_string()]).await?;
    let resources = "--resource=bluegreenapps.bluegreen.dev,services,pods,deployments.apps,replicasets.apps";
    kubectl(&["create", "role", "see", "--verb=get,list", resources]).await?;
    kubectl(&["create", "rolebinding", "see", "--role=see", "--user=watcher"]).await?;
    Ok(user.kubeconfig)
}

#[tokio::test]
async fn do_a_watch_and_a_wait_outlive_restarts_of_the_api_server() -> Result<()> {
    let cluster = Cluster::start(Options { node: Node::None, ..Options::default() }).await?;
    let kubeconfig = watched_app(&cluster).await?;
    let log = |name: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("outlives-{name}.log"));
    let mut watch = Running::start(&["get", "hello", "-w"], &kubeconfig, log("watch"))?;
    let command = ["status", "hello", "--for=active=blue", "--timeout=5m"];
    let mut wait = Running::start(&command, &kubeconfig, log("wait"))?;
    watch.says("team/hello:v1").await?;
    wait.says("waiting for the operator to observe").await?;
    for _ in 0..3 {
        cluster.restart_apiserver().await?;
    }
    // While it is frozen, requests hang instead of being refused.
    cluster.pause_apiserver().await?;
    tokio::time::sleep(Duration::from_secs(12)).await;
    cluster.resume_apiserver().await?;
    watch.says("no connection").await?;
    wait.says("can't reach the cluster").await?;

    let patch = r#"{"spec":{"active":"green"}}"#;
    output(cluster.kubectl(&["patch", "bga", "hello", "--type=merge", "-p", patch])).await?;
    watch.says("target   green").await?;
    let ended = tokio::time::timeout(Duration::from_secs(60), wait.child.wait()).await??;
    assert_eq!(ended.code(), Some(1), "{}", wait.text());
    assert!(wait.text().contains("no switch to blue was requested"), "{}", wait.text());
    drop(watch);
    cluster.stop().await
}

#[tokio::test]
async fn does_a_plan_against_the_live_app_say_what_the_operator_then_does() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-plan", &app("hello")).await?;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.yaml", sandbox.namespace));
    let wanted = app("hello").with(json!({"active": "green", "green": {"tag": "v3"}}));
    std::fs::write(&file, serde_json::to_string(&wanted.object())?)?;
    let generation =
        sandbox.world().raw(Kind::App, "hello").context("app")?["metadata"]["generation"].clone();
    let plan = ends(&sandbox, 0, &["plan", "-f", &file.display().to_string()]).await?;
    std::fs::remove_file(file)?;
    for words in ["v3", "green"] {
        assert!(plan.out.contains(words), "{words}: {}", plan.all);
    }
    assert_eq!(sandbox.world().raw(Kind::App, "hello").context("app")?["metadata"]["generation"], generation);
    sandbox.finish().await
}
