//! Beginning and end: side by side, failing, killed.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bluegreen_cluster::{Cluster, Node, Options, output, patiently};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};

fn none() -> Options {
    Options { node: Node::None, ..Options::default() }
}

/// The living processes that carry a cluster's id.
fn processes(id: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&format!("BLUEGREEN_CLUSTER_ID={id}.")) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn id(dir: &Path) -> Result<String> {
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("state.json"))?)?;
    Ok(state["id"].as_str().context("id")?.to_owned())
}

async fn gone(dir: &Path, id: &str) -> Result<()> {
    let attempt = async || {
        let left = processes(id)?;
        ensure!(left.is_empty() && !dir.exists(), "left over: {left:?}");
        Ok(())
    };
    patiently(Duration::from_secs(60), attempt).await
}

#[tokio::test]
async fn do_two_clusters_run_side_by_side_without_seeing_each_other() -> Result<()> {
    let (one, two) = tokio::try_join!(Cluster::start(none()), Cluster::start(none()))?;
    let note: ConfigMap = serde_json::from_value(serde_json::json!({"metadata": {"name": "note"}}))?;
    Api::default_namespaced(one.client()?).create(&PostParams::default(), &note).await?;
    let there: Option<ConfigMap> = Api::default_namespaced(two.client()?).get_opt("note").await?;
    assert!(there.is_none());

    let (dir, id) = (one.dir()?.to_owned(), id(one.dir()?)?);
    one.stop().await?;
    gone(&dir, &id).await?;
    two.client()?.apiserver_version().await?;
    two.stop().await
}

#[tokio::test]
async fn does_the_api_server_freeze_and_come_back() -> Result<()> {
    let cluster = Cluster::start(none()).await?;
    let client = cluster.client()?;
    cluster.pause_apiserver().await?;
    assert!(tokio::time::timeout(Duration::from_millis(500), client.apiserver_version()).await.is_err());
    cluster.resume_apiserver().await?;
    tokio::time::timeout(Duration::from_secs(5), cluster.client()?.apiserver_version()).await??;
    cluster.restart_apiserver().await?;
    cluster.client()?.apiserver_version().await?;
    cluster.stop().await
}

#[tokio::test]
async fn does_a_failed_start_show_why_and_leave_nothing() -> Result<()> {
    let options =
        Options { apiserver_args: vec!["--no-such-flag".into()], name: Some("failing".into()), ..none() };
    let Err(error) = Cluster::start(options).await else { bail!("it started") };
    assert!(format!("{error:#}").contains("unknown flag: --no-such-flag"), "{error:#}");
    assert!(!bluegreen_cluster::target()?.join("cluster-failing").exists());
    Ok(())
}

/// Whoever reaches etcd is the cluster's admin, and other users of the machine can reach its port.
#[tokio::test]
async fn can_only_the_api_server_read_what_the_cluster_stores() -> Result<()> {
    let cluster = Cluster::start(none()).await?;
    let dir = cluster.dir()?;
    let mut arguments = Vec::new();
    for pid in processes(&id(dir)?)? {
        arguments.push(String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline"))?).into_owned());
    }
    let address = arguments.iter().find_map(|arguments| {
        arguments.split('\0').find_map(|argument| argument.strip_prefix("--listen-client-urls="))
    });
    let address = address.context("no etcd runs")?;
    let file = |folder: &str, name: &str| dir.join(folder).join(name).display().to_string();
    let get = async |certificate: Option<(&str, &str)>| {
        let mut command = cluster.kubectl(&["get", "--raw", "/version", "--server", address]);
        command.arg("--certificate-authority").arg(file("pki-etcd", "ca.crt"));
        // Without those of the kubeconfig.
        command.env("KUBECONFIG", "/dev/null").arg("--kubeconfig=/dev/null");
        if let Some((folder, name)) = certificate {
            command.arg("--client-certificate").arg(file(folder, &format!("{name}.crt")));
            command.arg("--client-key").arg(file(folder, &format!("{name}.key")));
        }
        output(command).await
    };
    ensure!(
        get(Some(("pki-etcd", "apiserver"))).await?.contains("etcdserver"),
        "the API server can't, either"
    );
    ensure!(get(None).await.is_err(), "anybody can");
    ensure!(get(Some(("pki", "kubelet-client"))).await.is_err(), "an admin of the cluster can");
    cluster.stop().await
}

/// Runs the program as a user would, in the background.
fn cluster_run(name: &str, command: &[&str]) -> Result<std::process::Child> {
    let mut run = Command::new(env!("CARGO_BIN_EXE_cluster"));
    run.args(["run", "--name", name, "--"]).args(command);
    Ok(run.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?)
}

#[test]
fn does_a_run_give_its_command_a_cluster_and_pass_its_exit_code_on() -> Result<()> {
    let script = "kubectl get nodes --no-headers | wc -l; exit 7";
    let output = cluster_run("exit-code", &["sh", "-c", script])?.wait_with_output()?;
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8(output.stdout)?.trim(), "3");
    assert!(!bluegreen_cluster::target()?.join("cluster-exit-code").exists());
    Ok(())
}

#[test]
fn does_a_cluster_start_where_the_environment_names_a_proxy() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .args(["run", "--", "kubectl", "get", "nodes"])
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test]
async fn is_nothing_left_when_the_owner_was_terminated() -> Result<()> {
    let dir = bluegreen_cluster::target()?.join("cluster-terminated");
    let mut owner = cluster_run("terminated", &["sh", "-c", "echo started; exec sleep 60"])?;
    let mut line = [0; 7];
    owner.stdout.as_mut().context("stdout")?.read_exact(&mut line)?;
    let id = id(&dir)?;
    Command::new("kill").arg(owner.id().to_string()).status()?;
    assert_eq!(owner.wait()?.code(), Some(143));
    gone(&dir, &id).await
}

#[tokio::test]
async fn is_nothing_left_when_the_owner_was_killed() -> Result<()> {
    let dir = bluegreen_cluster::target()?.join("cluster-killed");
    let mut owner = cluster_run("killed", &["sleep", "10"])?;
    patiently(Duration::from_secs(60), async || Ok(dir.join("run/kwok.json").metadata()?)).await?;
    let id = id(&dir)?;
    assert!(processes(&id)?.len() >= 6);
    // SIGKILL: no destructor and no signal handler runs.
    owner.kill()?;
    owner.wait()?;
    gone(&dir, &id).await
}

#[tokio::test]
async fn does_down_remove_what_up_left_running() -> Result<()> {
    let cluster = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_cluster")).args(arguments).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    };
    let printed = cluster(&["up", "--name", "kept"])?;
    assert!(printed.trim().ends_with("cluster-kept/kubeconfig"), "{printed}");
    let dir = bluegreen_cluster::target()?.join("cluster-kept");
    let id = id(&dir)?;
    std::thread::sleep(Duration::from_millis(300));
    assert!(processes(&id)?.len() >= 5, "it runs on without an owner");
    cluster(&["down", "--name", "kept"])?;
    gone(&dir, &id).await
}
