//! A cluster that is restored from a snapshot of etcd, while the operator runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{AuditLog, Backup, Cluster, Entry, Offset, Options};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::cluster;
use crate::harness::operator::Operator;
use crate::harness::sandbox::PATIENCE;
use crate::harness::{Kind, Sandbox, World, app};

const APP: &str = "hello";

/// Longer than the API server is away, so that the operator does not end for want of its Lease.
const LEASE: Duration = Duration::from_secs(25);
const PACE: [&str; 4] = ["25s", "20s", "2s", "5s"];

/// Longer than etcd is away, which took 5.5 s on a busy machine.
const SHORTER: [&str; 4] = ["16s", "13s", "1500ms", "2s"];

/// Some retry periods of the Lease, on a busy machine.
const NOTICED: Duration = Duration::from_secs(15);

/// What the operator writes, with the version of each object.
fn versions(world: &World) -> BTreeMap<(Kind, String), String> {
    let kinds = [Kind::App, Kind::Service, Kind::Deployment, Kind::Revision];
    let all =
        kinds.into_iter().flat_map(|kind| world.all(kind).map(move |(name, object)| (kind, name, object)));
    all.map(|(kind, name, object)| {
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        ((kind, name.to_owned()), version.to_owned())
    })
    .collect()
}

/// What was there at the moment of the backup.
struct Lost {
    cluster: &'static Cluster,
    backup: Backup,
    before: BTreeMap<(Kind, String), String>,
}

/// An app that served blue at the moment of the backup and serves green now, in another version and of another size.
async fn lost(name: &str, pace: [&'static str; 4]) -> Result<(Sandbox, Operator, Lost)> {
    let cluster = cluster(Options::default()).await?;
    let sandbox = Sandbox::on(cluster, name).await?.with_pace(pace);
    let (sandbox, operator) = sandbox.serve(&app(APP)).await?;
    let start = Instant::now();
    let backup = cluster.back_up().await?;
    println!("backed up in {:.1} s", start.elapsed().as_secs_f64());
    let before = versions(&sandbox.world());
    sandbox.edit(APP, json!({"active": "green", "green": {"tag": "v3"}, "replicas": 3})).await?;
    let is_edited = |world: &World| {
        world.serves(APP, Green) && world.size(APP, Blue) == Some(3) && world.rolled_out(APP, Blue)
    };
    sandbox.until("green serves", is_edited).await?;
    let broken = sandbox.guard().broken;
    ensure!(broken.is_empty(), "{broken:?}");
    let now = versions(&sandbox.world());
    ensure!(!now.keys().eq(before.keys()), "another revision: {now:?}");
    Ok((sandbox, operator, Lost { cluster, backup, before }))
}

/// What the operator has written since then, but for its Lease and for Events.
fn writes(sandbox: &Sandbox, audit: &AuditLog, since: Offset) -> Result<Vec<Entry>> {
    let counts = |entry: &Entry| {
        let is_other = ["leases", "events"].contains(&entry.resource.as_str());
        entry.is_write() && entry.user == sandbox.user.name && !is_other
    };
    audit.matching(since, counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn is_a_cluster_that_was_restored_from_a_snapshot_served_as_it_was() -> Result<()> {
    let (sandbox, mut operator, lost) = lost("restored", PACE).await?;
    let (cluster, before) = (lost.cluster, &lost.before);
    let (audit, began) = (cluster.audit()?, cluster.audit()?.end()?);
    let start = Instant::now();
    cluster.restore(&lost.backup).await?;
    println!("put back in {:.1} s", start.elapsed().as_secs_f64());
    let restored = Instant::now();
    let after = || restored.elapsed().as_secs_f64();
    let sandbox = sandbox.anew().await?;
    let status = operator.ended(NOTICED).await?;
    println!("the operator ended {:.1} s after the API server was ready: {status}", after());
    operator.says("its data was restored from a backup", Duration::ZERO).await?;
    // As a kubelet does.
    let operator = sandbox.operator()?;
    operator.says("leading", LEASE + PATIENCE).await?;
    println!("the next one led after {:.1} s", after());

    let is_as_it_was = |world: &World| versions(world) == *before && world.serves(APP, Blue);
    sandbox.until("all is as it was", is_as_it_was).await?;
    sandbox.throughout(Duration::from_secs(3), "all stays as it was", is_as_it_was).await?;
    let writes = writes(&sandbox, &audit, began)?;
    ensure!(writes.is_empty(), "written by what was known before, or for nothing: {writes:#?}");

    for (color, image) in [(Green, "team/hello:v2"), (Blue, "team/hello:v1"), (Green, "team/hello:v2")] {
        sandbox.activate(APP, color).await?;
        sandbox.until(&format!("{color} serves"), |world| world.serves(APP, color)).await?;
        println!("{color} served after {:.1} s", after());
        let world = sandbox.world();
        assert_eq!((world.image(APP, color).as_deref(), world.size(APP, color)), (Some(image), Some(2)));
    }
    sandbox.finish().await
}

/// Against Kubernetes' guide. The API server's own cache goes on showing what is lost, in lists and watches, until its versions
/// are reached again.
#[tokio::test(flavor = "multi_thread")]
async fn is_nothing_written_on_the_word_of_an_api_server_that_still_shows_what_is_lost() -> Result<()> {
    let (sandbox, mut operator, lost) = lost("stale", SHORTER).await?;
    let (audit, began) = (lost.cluster.audit()?, lost.cluster.audit()?.end()?);
    lost.cluster.restore_only_etcd(&lost.backup).await?;
    let restored = Instant::now();
    operator.ended(NOTICED).await?;
    println!("the operator ended {:.1} s after etcd had started", restored.elapsed().as_secs_f64());
    operator.says("its data was restored from a backup", Duration::ZERO).await?;
    let operator = sandbox.operator()?;
    operator.says("leading", LEASE + PATIENCE).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let services = Kind::Service.api(&sandbox.client, &sandbox.namespace);
    let listed = services.list(&ListParams::default()).await?.items;
    let selects = |color: &str| {
        listed
            .iter()
            .any(|it| it.name_any() == APP && it.data["spec"]["selector"]["bluegreen.dev/color"] == color)
    };
    println!("a list shows what is lost: {}", selects("green"));
    for ((kind, name), version) in &lost.before {
        // Of one object by its name, the API server asks etcd.
        let now = kind.api(&sandbox.client, &sandbox.namespace).get(name).await?.resource_version();
        ensure!(now.as_ref() == Some(version), "{kind:?} {name} has version {now:?}, not {version}");
    }
    let writes = writes(&sandbox, &audit, began)?;
    ensure!(writes.is_empty(), "{writes:#?}");

    // What is left to do: the API server, and then everything that has read from it.
    operator.kill()?;
    lost.cluster.restart_readers().await?;
    let sandbox = sandbox.anew().await?;
    let _operator = sandbox.operator()?;
    sandbox.activate(APP, Green).await?;
    sandbox.until("green serves", |world| world.serves(APP, Green)).await?;
    assert_eq!(sandbox.world().image(APP, Green).as_deref(), Some("team/hello:v2"));
    sandbox.finish().await
}
