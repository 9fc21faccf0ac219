//! What the API server keeps its objects in: etcd, or kine with SQLite, as in K3s.

use std::path::Path;

use anyhow::Result;

use crate::control_plane::Setup;
use crate::dir::{free_ports, target};
use crate::process::Service;
use crate::tools::Tools;
use crate::versions::Datastore;

/// Where etcd keeps its files, in the folder of the cluster.
pub const FOLDER: &str = "etcd";

/// Starts the one that was asked for; its URL for the API server, which waits for it.
pub fn start(setup: &Setup<'_>) -> Result<String> {
    match Datastore::chosen()? {
        Datastore::Etcd => etcd(setup),
        Datastore::Kine => kine(setup),
    }
}

fn etcd(setup: &Setup<'_>) -> Result<String> {
    let [port, peer_port] = free_ports()?;
    let client = format!("http://127.0.0.1:{port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    setup.start(
        "etcd",
        [
            format!("--data-dir={}", setup.dir.join(FOLDER).display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--log-level=warn".into(),
            // Nothing here outlives a power cut, and waiting for the disk would be most of a test's time.
            "--unsafe-no-fsync".into(),
        ],
    )?;
    Ok(client)
}

/// With the settings of SQLite that K3s has.
fn kine(setup: &Setup<'_>) -> Result<String> {
    let program = Tools::kine(&target()?)?;
    let [port] = free_ports()?;
    let file = setup.dir.join("kine.db");
    setup.processes.start(Service::new("kine", &program, arguments(port, &file)))?;
    Ok(format!("http://127.0.0.1:{port}"))
}

fn arguments(port: u16, file: &Path) -> Vec<String> {
    let settings = "_journal=WAL&cache=shared&_busy_timeout=30000&_txlock=immediate";
    vec![
        format!("--listen-address=127.0.0.1:{port}"),
        format!("--endpoint=sqlite://{}?{settings}", file.display()),
        // No metrics, no port that could be taken.
        "--metrics-bind-address=0".into(),
    ]
}
