//! The shapes whose programs can run here, on a real node: kubelet runs their containers and probes, kube-proxy leads the load to
//! every port, and each is switched and switched back.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{Cluster, code, get, put_between};
use bluegreen_load::{Client, Load, Plan};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::images::VERSIONS;
use super::{Shape, create_other, images, shapes, volume};
use crate::harness::{Kind, Sandbox, World, setup};
use crate::traffic::{Calls, Datagrams};

/// Real pods start in their own time.
const PATIENCE: Duration = Duration::from_secs(180);

/// The drain, longer than kube-proxy may take on a busy machine.
const DRAIN: u32 = 5;

/// Shapes at the same time; more would make kube-proxy late.
const AT_ONCE: usize = 2;

/// What can't run on one node with Linux, and why.
const LEFT_OUT: [(&str, &str); 2] = [
    ("host-ports.yaml", "each color needs the host's port, so it takes two nodes"),
    ("windows.yaml", "it takes a node with Windows"),
];

/// What the figures depend on.
const MEASURED: [&str; 9] = [
    "src",
    "crates",
    "examples/apps",
    "tests/cluster",
    "tests/e2e/apps",
    "tests/e2e/traffic.rs",
    "tests/grpc",
    "tests/load",
    "Cargo.lock",
];

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/apps.md");

/// What differs from the file: the time of the drain, a port of the node through which the load comes, and no more CPU and memory
/// reserved than a small machine has.
fn adapted(shape: &Shape) -> Value {
    let mut object = shape.app.clone();
    let spec = &mut object["spec"];
    spec["drainSeconds"] = json!(DRAIN);
    if spec["service"]["type"] == "ClusterIP" {
        spec["service"]["type"] = json!("NodePort");
    }
    for container in spec["template"]["spec"]["containers"].as_array_mut().into_iter().flatten() {
        if container["resources"]["requests"].is_object() {
            container["resources"]["requests"] = json!({"cpu": "20m", "memory": "32Mi"});
        }
    }
    object
}

/// The Secrets that manifests expect to be there.
async fn secrets(sandbox: &Sandbox) -> Result<()> {
    for name in ["admin-proxy", "store-database"] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"OAUTH2_PROXY_CLIENT_ID": "admin", "DATABASE_URL": "postgres://database/store"},
        });
        create_other(sandbox, &secret).await?;
    }
    Ok(())
}

/// A port of the Service as the load reaches it.
struct Port {
    name: String,
    protocol: String,
    address: SocketAddr,
}

fn ports(world: &World, app: &str, cluster: &Cluster) -> Result<Vec<Port>> {
    let node = cluster.node_address().context("a node")?;
    let service = world.raw(Kind::Service, app).context("no Service")?;
    let port = |port: &Value| -> Result<Port> {
        let number = port["nodePort"].as_u64().with_context(|| format!("{port} has no node port"))?;
        let word = |key: &str| port[key].as_str().unwrap_or_default().to_owned();
        Ok(Port {
            name: word("name"),
            protocol: word("protocol"),
            address: SocketAddr::new(node, number.try_into()?),
        })
    };
    service["spec"]["ports"].as_array().into_iter().flatten().map(port).collect()
}

/// What asks one port.
enum Asking {
    Http(Load),
    Datagrams(Datagrams),
    Calls(Calls),
}

impl Asking {
    async fn start(port: &Port, program: &Path) -> Result<Self> {
        Ok(match (port.protocol.as_str(), port.name.as_str()) {
            ("UDP", _) => Self::Datagrams(Datagrams::start(port.address)),
            (_, "grpc") => Self::Calls(Calls::start(program, port.address)?),
            _ => {
                let clients = vec![Client::fresh(50.0), Client::keep_alive(50.0)];
                Self::Http(Load::once_answered(Plan { clients, ..Plan::new(port.address) }).await?)
            }
        })
    }

    /// Ends it; nothing may be lost, and both versions must have answered. Returns how much was sent.
    async fn stop(self) -> Result<u64> {
        match self {
            Self::Http(load) => {
                let report = load.stop().await?;
                ensure!(report.total.failed() == 0, "{report}");
                let answered =
                    |version: &str| report.total.by_version.get(version).is_some_and(|count| *count > 0);
                ensure!(VERSIONS.into_iter().all(answered), "not both versions have answered: {report}");
                Ok(report.total.sent)
            }
            Self::Datagrams(datagrams) => datagrams.stop().await,
            // No server ends here, so the one channel stays where it is.
            Self::Calls(calls) => Ok(calls.stop(VERSIONS, false).await?.sent),
        }
    }
}

/// Returns its row of the table.
async fn lives(sandbox: &Sandbox, cluster: &Cluster, program: &Path, shape: &Shape) -> Result<String> {
    for other in &shape.others {
        create_other(sandbox, other).await?;
    }
    let name = shape.name();
    sandbox.create(Kind::App, adapted(shape)).await?;
    sandbox.within(PATIENCE, &format!("{name} serves"), |world| world.serves(name, Blue)).await?;
    let ports = ports(&sandbox.world(), name, cluster)?;
    let mut asking = Vec::new();
    for port in &ports {
        asking.push(Asking::start(port, program).await.with_context(|| format!("port {}", port.name))?);
    }
    for color in [Green, Blue] {
        sleep(Duration::from_secs(1)).await;
        sandbox.activate(name, color).await?;
        sandbox
            .within(PATIENCE, &format!("{name} serves {color}"), |world| world.serves(name, color))
            .await?;
    }
    sleep(Duration::from_secs(1)).await;
    let mut cells = Vec::new();
    for (port, asking) in ports.iter().zip(asking) {
        let sent = asking.stop().await.with_context(|| format!("port {}", port.name))?;
        cells.push(format!("`{}` ({}) {sent}", port.name, port.protocol));
    }
    println!("{}: {}", shape.file, cells.join(", "));
    Ok(format!("| [`{0}`](../examples/apps/{0}) | {1} | 0 |", shape.file, cells.join(", ")))
}

/// nginx serves the files of the version that php-fpm runs.
async fn are_files_and_code_of_one_version(sandbox: &Sandbox, cluster: &Cluster) -> Result<()> {
    let ports = ports(&sandbox.world(), "shop", cluster)?;
    let [http] = ports.as_slice() else { anyhow::bail!("{} ports", ports.len()) };
    for path in ["/", "/version.txt"] {
        let found = get(http.address, path).await?;
        // php-fpm's answer is in chunks.
        ensure!(found.contains(VERSIONS[0]), "{path}: {found}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make apps-test: it fetches packages and wants the machine for itself"]
async fn is_nothing_lost_while_the_shapes_are_switched() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    // The code may be another one by the end of the run.
    let commit = std::env::var_os("UPDATE_DOCS").map(|_| code(&MEASURED)).transpose()?;
    let cluster = setup::real_node().await?;
    let program = &images::load(cluster).await?;
    let owned = Sandbox::on(cluster, "shapes").await?;
    let sandbox = &owned;
    let _operator = sandbox.operator()?;
    let volumes: Api<PersistentVolume> = Api::all(sandbox.client.clone());
    let path = cluster.dir()?.join("wiki");
    let volume = volume(&sandbox.namespace, &path.display().to_string())?;
    volumes.create(&PostParams::default(), &volume).await?;
    secrets(sandbox).await?;
    let shapes = shapes()?;
    let can_run: Vec<&Shape> =
        shapes.iter().filter(|shape| LEFT_OUT.iter().all(|(file, _)| *file != shape.file)).collect();
    ensure!(can_run.len() + LEFT_OUT.len() == shapes.len(), "a shape that is left out is not there");
    let rows: Result<Vec<String>> = futures::stream::iter(&can_run)
        .map(|shape| async move {
            lives(sandbox, cluster, program, shape).await.with_context(|| shape.file.clone())
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await;
    let one_version = are_files_and_code_of_one_version(sandbox, cluster).await;
    volumes.delete(&sandbox.namespace, &DeleteParams::default()).await?;
    let mut table = String::from("| shape | sent to each port | lost |\n|---|---|---|\n");
    for line in rows? {
        table += &format!("{line}\n");
    }
    one_version?;
    for (file, why) in LEFT_OUT {
        table += &format!("| [`{file}`](../examples/apps/{file}) | – ({why}) | – |\n");
    }
    println!("{table}");
    if let Some(commit) = commit {
        table += &format!("\nMeasured at commit `{commit}`.\n");
        put_between(Path::new(DOCUMENT), "measured", &table)?;
    }
    owned.finish().await
}
