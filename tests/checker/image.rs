//! Does the image's program find a Prometheus by its name where there is nothing but the program?
//!
//! A static program has the resolver of the libc that it was linked with, and no plug-ins for it. So this takes the program out of
//! the image, and runs it as the first process of a container-like root: two files in `/etc`, as the kubelet writes them, another user,
//! a network of its own with a DNS server of the test.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use bluegreen_cluster::{output, target};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::program::Folder;
use crate::rig::Rig;

/// Set in the namespaces.
const INSIDE: &str = "BLUEGREEN_CHECKER_INSIDE";

/// Runs this test once more in namespaces of its own. True in there.
async fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]);
    command.arg("ip link set lo up && exec \"$0\" \"$@\"").arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(INSIDE, "1");
    let said = output(command).await.unwrap();
    assert!(said.contains("1 passed"), "{said}");
    false
}

/// The image's files, and what the kubelet adds.
async fn root(folder: &Folder) -> PathBuf {
    let archives = target().unwrap().join("images");
    let version = env!("CARGO_PKG_VERSION");
    let archive = archives.join(format!("bluegreen-operator-{version}.tar"));
    assert!(archive.exists(), "run `make image` first");
    let (layout, root) = (folder.0.join("layout"), folder.0.join("root"));
    for path in [&layout, &root.join("etc"), &root.join("dev")] {
        std::fs::create_dir_all(path).unwrap();
    }
    unpack(&archive, &layout).await;
    let blob = |digest: &Value| layout.join("blobs").join(digest.as_str().unwrap().replace(':', "/"));
    let mut index: Value =
        serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    // An index may name others, one for each architecture.
    while let Some(manifest) = index.pointer("/manifests/0/digest") {
        index = serde_json::from_slice(&std::fs::read(blob(manifest)).unwrap()).unwrap();
    }
    for layer in index["layers"].as_array().unwrap() {
        unpack(&blob(&layer["digest"]), &root).await;
    }
    let domains = "search shop.svc.cluster.local svc.cluster.local cluster.local\n";
    std::fs::write(root.join("etc/resolv.conf"), format!("{domains}nameserver {DNS}\noptions ndots:5\n"))
        .unwrap();
    std::fs::write(root.join("etc/hosts"), "127.0.0.1 alias.of.the.pod\n").unwrap();
    let message = root.join("dev/termination-log");
    std::fs::write(&message, "").unwrap();
    std::os::unix::fs::chown(&message, Some(65532), Some(65532)).unwrap();
    root
}

async fn unpack(archive: &Path, folder: &Path) {
    let mut command = Command::new("tar");
    command.arg("-xf").arg(archive).arg("-C").arg(folder);
    output(command).await.unwrap();
}

const DNS: &str = "127.0.0.10";

/// Knows one Service, by its full name.
async fn serve_names() -> JoinSet<()> {
    let socket = UdpSocket::bind((DNS, 53)).await.unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut query = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut query).await.unwrap();
            socket.send_to(&named(&query[..length]), from).await.unwrap();
        }
    });
    serving
}

/// The answer to a query (RFC 1035, 4.1).
fn named(query: &[u8]) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] > 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
        at = end;
    }
    let (kind, end) = (&query[at + 1..at + 3], at + 5);
    let known = labels.join(".") == "prometheus.monitoring.svc.cluster.local";
    // Type A; for AAAA the name is known and has no record.
    let records = u8::from(known && kind == [0, 1]);
    let code = if known { 0 } else { 3 };
    let mut answer =
        [&query[..2], &[0x81, 0x80 | code, 0, 1, 0, records, 0, 0, 0, 0], &query[12..end]].concat();
    if records > 0 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// The program as the first process of its namespace, as in a container.
fn container(root: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "chroot", "--userspec=65532:65532"]).arg(root);
    command.args(["/bluegreen-operator", "check"]).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("BLUEGREEN_TAG", "v2").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

/// Runs it to its end: the exit code and the last words.
async fn ended(root: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = container(root, arguments).wait_with_output().await.unwrap();
    let message = std::fs::read_to_string(root.join("dev/termination-log")).unwrap();
    assert!(String::from_utf8_lossy(&ended.stdout).ends_with(&format!("{message}\n")));
    (ended.status.code(), message)
}

#[tokio::test]
#[ignore = "needs `make image` and root"]
async fn does_the_images_program_find_a_real_prometheus_by_its_name() {
    if !inside("image::does_the_images_program_find_a_real_prometheus_by_its_name").await {
        return;
    }
    let folder = Folder::new();
    let (root, mut names) = (root(&folder).await, serve_names().await);
    let (rig, secure) = (Rig::start().await, Rig::start_tls().await);
    let query = "ratio{tag=\"$(BLUEGREEN_TAG)\"}";
    let port = rig.port();
    let asked = async |host: &str, max: &str| {
        let address = format!("http://{host}:{port}");
        ended(
            &root,
            &["prometheus", "--address", &address, "--query", query, "--max", max, "--timeout-seconds", "5"],
        )
        .await
    };
    for host in [
        "prometheus.monitoring",
        "prometheus.monitoring.svc",
        "prometheus.monitoring.svc.cluster.local",
        "prometheus.monitoring.svc.cluster.local.",
        "alias.of.the.pod",
        "127.0.0.1",
    ] {
        let (code, message) = asked(host, "0.01").await;
        assert_eq!(code, Some(0), "{host}: {message}");
        assert!(message.contains("the query answered 0.005"), "{host}: {message}");
    }
    let (code, message) = asked("prometheus.monitoring", "0.001").await;
    assert_eq!((code, message.as_str()), (Some(1), "the query answered 0.005, more than max 0.001"));
    let (code, message) = asked("prometheus.elsewhere", "0.01").await;
    assert_eq!(code, Some(75), "{message}");
    assert!(message.contains("can't find the address of prometheus.elsewhere"), "{message}");

    // The CA is that of the test, so the roots that are built in do not know it.
    std::fs::copy(secure.ca(), root.join("ca.crt")).unwrap();
    std::fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    let address = secure.address();
    let flags = [
        "prometheus",
        "--address",
        &address,
        "--query",
        "sum(ratio)",
        "--max",
        "1",
        "--timeout-seconds",
        "5",
    ];
    let (code, message) = ended(&root, &[&flags[..], &["--ca-file", "/ca.crt"]].concat()).await;
    assert_eq!(code, Some(0), "{message}");
    let (code, message) = ended(&root, &flags).await;
    assert_eq!(code, Some(75), "{message}");
    assert!(message.contains("UnknownIssuer"), "{message}");

    // A name server that does not answer delays a measurement no longer than its limit, and no other one.
    names.shutdown().await;
    let _silent = UdpSocket::bind((DNS, 53)).await.unwrap();
    let address = format!("http://prometheus.monitoring:{port}");
    let flags =
        ["prometheus", "--address", &address, "--query", query, "--max", "1", "--timeout-seconds", "1"];
    let (code, message) = ended(&root, &flags).await;
    assert_eq!(code, Some(75), "{message}");
    assert!(message.contains("no connection within 1 s"), "{message}");
}

#[tokio::test]
#[ignore = "needs `make image` and root"]
async fn does_the_images_program_measure_an_app_and_end_on_sigterm_as_the_first_process() {
    if !inside("image::does_the_images_program_measure_an_app_and_end_on_sigterm_as_the_first_process").await
    {
        return;
    }
    let folder = Folder::new();
    let (root, rig) = (root(&folder).await, Rig::start().await);
    let url = format!("http://127.0.0.1:{}/-/healthy", rig.port());
    let flags = ["http", "--url", &url, "--host", "hello.shop.svc"];
    let (code, message) = ended(&root, &[&flags[..], &["--contains", "Healthy"]].concat()).await;
    assert_eq!(code, Some(0), "{message}");
    let (code, message) = ended(&root, &[&flags[..], &["--contains", "Sick"]].concat()).await;
    assert_eq!(code, Some(1), "{message}");

    let mut child = container(&root, &[&flags[..], &["--for-seconds", "3600"]].concat());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("good: "));
    let unshare = child.id().unwrap();
    let first = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    kill_process(Pid::from_raw(first.trim().parse().unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(143));
    let message = std::fs::read_to_string(root.join("dev/termination-log")).unwrap();
    assert!(message.starts_with("ended by a signal"), "{message}");
}
