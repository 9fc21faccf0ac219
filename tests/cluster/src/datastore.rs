//! What the API server keeps its objects in: etcd, or kine with SQLite, as in K3s.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Result;

use crate::control_plane::Setup;
use crate::dir::{free_ports, target};
use crate::pki::Pki;
use crate::process::Service;
use crate::tools::Tools;
use crate::versions::Datastore;

/// Where etcd keeps its files, in the folder of the cluster.
pub const FOLDER: &str = "etcd";

/// The name of the API server's certificate for etcd.
const CLIENT: &str = "apiserver";

/// Starts the one that was asked for; returns the API server's arguments for it. The API server waits for it.
///
/// Only the API server may reach it: whoever can read or write it is the cluster's admin, and other users of this machine are not.
pub fn start(setup: &Setup<'_>) -> Result<Vec<String>> {
    match Datastore::chosen()? {
        Datastore::Etcd => etcd(setup),
        Datastore::Kine => kine(setup),
    }
}

fn etcd(setup: &Setup<'_>) -> Result<Vec<String>> {
    let [port, peer_port] = free_ports()?;
    let client = format!("https://127.0.0.1:{port}");
    let peer = format!("https://127.0.0.1:{peer_port}");
    // An authority of its own: that of the cluster signs the certificates of all users.
    let pki = Pki::create(&setup.dir.join("pki-etcd"))?;
    pki.store("etcd", &pki.server("etcd", &[], &["localhost"], &[Ipv4Addr::LOCALHOST.into()])?)?;
    pki.store(CLIENT, &pki.client("kube-apiserver", &[])?)?;
    let file = |name: &str| pki.file(name).display().to_string();
    let mut arguments = vec![
        format!("--data-dir={}", setup.dir.join(FOLDER).display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--log-level=warn".into(),
        // Nothing here outlives a power cut, and waiting for the disk would be most of a test's time.
        "--unsafe-no-fsync".into(),
    ];
    for whose in ["", "peer-"] {
        arguments.push(format!("--{whose}cert-file={}", file("etcd.crt")));
        arguments.push(format!("--{whose}key-file={}", file("etcd.key")));
        arguments.push(format!("--{whose}trusted-ca-file={}", file("ca.crt")));
        arguments.push(format!("--{whose}client-cert-auth=true"));
    }
    setup.start("etcd", arguments)?;
    Ok(vec![
        format!("--etcd-servers={client}"),
        format!("--etcd-cafile={}", file("ca.crt")),
        format!("--etcd-certfile={}", file(&format!("{CLIENT}.crt"))),
        format!("--etcd-keyfile={}", file(&format!("{CLIENT}.key"))),
    ])
}

/// With the settings of SQLite that K3s has, and on a socket, as there.
fn kine(setup: &Setup<'_>) -> Result<Vec<String>> {
    let program = Tools::kine(&target()?)?;
    // Others may not enter this folder.
    let folder = setup.dir.join(FOLDER);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let socket = format!("unix://{}", folder.join("kine.sock").display());
    let file = folder.join("kine.db");
    setup.processes.start(Service::new("kine", &program, arguments(&socket, &file)))?;
    Ok(vec![format!("--etcd-servers={socket}")])
}

fn arguments(socket: &str, file: &Path) -> Vec<String> {
    let settings = "_journal=WAL&cache=shared&_busy_timeout=30000&_txlock=immediate";
    vec![
        format!("--listen-address={socket}"),
        format!("--endpoint=sqlite://{}?{settings}", file.display()),
        // No metrics, no port that could be taken.
        "--metrics-bind-address=0".into(),
    ]
}
