//! Real nodes: containers, probes, NodePorts. Left out, with the reason, where none can run; REQUIRE_REAL_NODE=1 forbids
//! that.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, Node, Options, ProxyMode, answer_image, get, output, patiently};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, PostParams};
use serde_json::json;
use tokio::time::timeout;

async fn deploy(cluster: &Cluster, replicas: i32, node_port: i32) -> Result<()> {
    let client = cluster.client()?;
    cluster.load_image(&answer_image(cluster.dir()?, "answer", "1")?).await?;
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "answer"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "answer"}},
            "template": {
                "metadata": {"labels": {"app": "answer"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "topologySpreadConstraints": [{
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app": "answer"}},
                    }],
                    "containers": [{
                        "name": "answer",
                        "image": "localhost/answer:1",
                        "imagePullPolicy": "IfNotPresent",
                        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
                    }],
                },
            },
        },
    }))?;
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": "answer"},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "answer"},
            "ports": [{"port": 8080, "nodePort": node_port}],
        },
    }))?;
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    deployments.create(&PostParams::default(), &deployment).await?;
    Api::<Service>::default_namespaced(client).create(&PostParams::default(), &service).await?;
    let attempt = async || {
        let status = deployments.get("answer").await?.status.unwrap_or_default();
        ensure!(status.ready_replicas == Some(replicas), "not ready: {status:?}");
        Ok(())
    };
    patiently(Duration::from_secs(60), attempt).await
}

/// Asks until as many pods have answered as there are.
async fn all_answer(address: IpAddr, port: u16, pods: usize) -> Result<BTreeSet<String>> {
    let mut answers = BTreeSet::new();
    let attempt = async || {
        // kube-proxy may not have heard of the Service yet.
        let answer = timeout(Duration::from_secs(2), get((address, port), "/")).await??;
        answers.insert(answer.trim().to_owned());
        ensure!(answers.len() >= pods, "only these answered: {answers:?}");
        Ok(answers.clone())
    };
    patiently(Duration::from_secs(20), attempt).await
}

#[tokio::test]
async fn does_a_real_pod_answer_on_a_node_port_and_reach_the_api_server() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = Cluster::start(Options { node: Node::Real { count: 1 }, ..Options::default() }).await?;
    deploy(&cluster, 2, 30007).await?;
    let address = cluster.node_address().context("no address")?;
    let answers = all_answer(address, 30007, 2).await?;
    assert!(answers.iter().all(|answer| answer.ends_with("reaches the API server: true")), "{answers:?}");

    let logs = output(cluster.kubectl(&["logs", "deployment/answer"])).await?;
    assert_eq!(logs.trim(), "answering");

    cluster.restart_kube_proxy().await?;
    all_answer(address, 30007, 2).await?;
    let inside = cluster.node_command("ip")?.args(["-brief", "address"]).output()?;
    assert!(String::from_utf8(inside.stdout)?.contains("10.200."));
    ends_without_a_trace(cluster).await
}

#[tokio::test]
async fn do_two_nodes_serve_each_others_pods_with_nftables() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let options =
        Options { node: Node::Real { count: 2 }, proxy_mode: ProxyMode::Nftables, ..Options::default() };
    let cluster = Cluster::start(options).await?;
    // The same NodePort as in the other test, at the same time.
    deploy(&cluster, 2, 30007).await?;
    all_answer(cluster.node_address().context("no address")?, 30007, 2).await?;
    ends_without_a_trace(cluster).await
}

/// Looks for all that a real node brings with it.
async fn ends_without_a_trace(cluster: Cluster) -> Result<()> {
    let dir = cluster.dir()?.to_owned();
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("state.json"))?)?;
    let id = state["id"].as_str().context("id")?.to_owned();
    assert_ne!(traces(&id)?, Vec::<String>::new(), "we would find them");
    cluster.stop().await?;
    assert_eq!(traces(&id)?, Vec::<String>::new());
    assert!(!dir.exists());
    Ok(())
}

fn traces(id: &str) -> Result<Vec<String>> {
    let script = "ip -brief link; ip netns; cat /proc/self/mounts; find /sys/fs/cgroup -type d; cat /proc/[0-9]*/cgroup";
    let output = Command::new("sh").args(["-c", script]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // A zombie that the machine's init has not waited for yet is still listed with the cgroup it was in.
    let trace = |line: &&str| line.contains(id) && !line.ends_with("(deleted)");
    Ok(text.lines().filter(trace).map(str::to_owned).collect())
}

#[tokio::test]
async fn is_nothing_of_a_real_node_left_when_its_owner_was_killed() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let dir = bluegreen_cluster::target()?.join("cluster-killed-real");
    let mut owner = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .args(["run", "--real-node", "--name", "killed-real", "--", "sleep", "10"])
        .spawn()?;
    let record = dir.join("run/kube-proxy-node-1.json");
    patiently(Duration::from_secs(60), async || Ok(record.metadata()?)).await?;
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("state.json"))?)?;
    let id = state["id"].as_str().context("id")?;
    assert_ne!(traces(id)?, Vec::<String>::new(), "we would find them");
    // SIGKILL: no destructor and no signal handler runs.
    owner.kill()?;
    owner.wait()?;
    let gone = async || {
        let left = traces(id)?;
        ensure!(left.is_empty() && !dir.exists(), "left over: {left:?}");
        Ok(())
    };
    // Seconds on a machine with nothing else to do.
    patiently(Duration::from_secs(60), gone).await
}
