//! A bad release: a version that fails some of its requests is made live under traffic, a check of the error rate notices, and the
//! Service goes back. This operator and Argo Rollouts do so side by side in one cluster, so both meet the same machine.
//!
//! `side` says what a user of each declares and does, `scrape` has a Prometheus look at their pods, `turn` measures one release, and
//! `table` publishes them all.

mod scrape;
mod side;
mod table;
mod turn;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bluegreen_bench::peer::{ARGO_ROLLOUTS, Built};
use bluegreen_cluster::{free_ports, patiently};
use bluegreen_demo::curl;
use bluegreen_demo::kubectl::Kubectl;
use bluegreen_load::{Client, Load, Plan};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::load::Rate;
use crate::rows::Row;
use crate::scene::{PATIENCE, namespace};
use crate::stage::Stage;
use scrape::Scraped;
use side::Side;

/// The version that fails 5 % of its requests, as `make images` leaves it.
const BAD: &str = "hello-v2.0.0-bad";

/// What to do.
pub struct Order {
    /// Releases of each side, with those of this commit that were made before.
    pub turns: usize,
    /// How many requests per second.
    pub rate: Rate,
    /// Leave Argo Rollouts out.
    pub alone: bool,
    /// The commit that is measured.
    pub commit: String,
    /// The file of results.
    pub results: PathBuf,
    /// The document with the table, if it is to be written.
    pub write: Option<PathBuf>,
}

/// What one release gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The commit of the code that was measured.
    pub commit: String,
    /// Who switched.
    pub subject: String,
    /// When it began.
    pub at: String,
    /// Processor cores of the machine.
    pub cores: usize,
    /// Its load just before.
    pub load: f64,
    /// Requests per second.
    pub rate: f64,
    /// Milliseconds for which the Service selected the bad version.
    pub live_ms: f64,
    /// Milliseconds from the moment in which the Service was back to the end of the last answer of the bad version to a fresh
    /// connection.
    pub lingered_ms: f64,
    /// Requests that were due.
    pub sent: u64,
    /// Requests that this machine started late.
    pub late: u64,
    /// Requests that the bad version answered.
    pub answered: u64,
    /// Those of them that it answered with an error.
    pub failed: u64,
    /// Errors that the pods of the bad version have counted themselves.
    pub counted: u64,
    /// All other requests without a good answer, by cause.
    pub lost: BTreeMap<String, u64>,
}

/// Measures what is not in the results yet. True if nothing was lost by the operator's switches, and all failures are the version's.
pub async fn run(order: &Order) -> Result<bool> {
    let sides: &[Side] = if order.alone { &[Side::Ours] } else { &[Side::Ours, Side::Argo] };
    let known = read(&order.results, &order.commit)?;
    let left = |side: Side| {
        let made = known.iter().filter(|entry| entry.subject == side.name()).count();
        order.turns.saturating_sub(made)
    };
    let most = sides.iter().map(|side| left(*side)).max().unwrap_or_default();
    if most > 0 {
        let mut stage = stage(order.alone).await?;
        let scraped = Scraped::start(&stage).await?;
        let mut places = Vec::new();
        for side in sides {
            places.push(Place::set(&mut stage, *side, scraped.address()).await?);
        }
        for turn in 0..most {
            let one = async |place: &Place| -> Result<()> {
                if turn < left(place.side) {
                    let entry = turn::measure(place, &stage, order, turn).await?;
                    println!("  {}", in_short(&entry));
                    add(&order.results, &entry)?;
                }
                Ok(())
            };
            match places.as_slice() {
                [ours, theirs] => tokio::try_join!(one(ours), one(theirs)).map(drop)?,
                alone => {
                    for place in alone {
                        one(place).await?;
                    }
                }
            }
        }
        drop((places, scraped));
        stage.leave().await?;
    }
    let entries = read(&order.results, &order.commit)?;
    let table = table::table(&entries);
    println!("{table}");
    if let Some(path) = &order.write {
        table::write(path, &table, &order.commit, &entries)?;
    }
    let ours = entries.iter().filter(|entry| entry.subject == Side::Ours.name());
    Ok(ours.clone().count() >= order.turns
        && ours.clone().all(|e| e.lost.is_empty() && e.failed == e.counted))
}

/// A cluster with the images, a Prometheus that scrapes the apps, and both controllers.
async fn stage(alone: bool) -> Result<Stage> {
    let row = Row::named("plain").context("the row `plain`")?;
    let stage = Stage::set(row.shape).await?;
    let operator = concat!("bluegreen-operator-", env!("CARGO_PKG_VERSION"));
    stage.cluster.load_images(&[BAD, operator]).await?;
    stage.install().await?;
    if !alone {
        let built = tokio::task::spawn_blocking(|| ARGO_ROLLOUTS.build()).await??;
        start_argo(&stage, &built).await?;
    }
    Ok(stage)
}

/// Argo Rollouts at its defaults, as a process beside the cluster with an administrator's rights.
async fn start_argo(stage: &Stage, built: &Built) -> Result<()> {
    let kubectl = Kubectl::new(&stage.cluster, None)?;
    for crd in &built.crds {
        let file = crd.display().to_string();
        kubectl.quiet(&["apply", "--server-side", "-f", &file]).await?;
    }
    // It holds its Lease there.
    kubectl.quiet(&["create", "namespace", "argo-rollouts"]).await?;
    let wait = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"];
    kubectl.quiet(&wait).await?;
    let [metrics, health] = free_ports()?;
    let arguments = [format!("--metricsPort={metrics}"), format!("--healthzPort={health}")];
    let arguments = arguments.each_ref().map(String::as_str);
    let environment = [("KUBECONFIG", stage.cluster.kubeconfig())];
    stage.cluster.start_process("rollouts-controller", &built.program, &arguments, &environment)
}

/// The app of one side.
pub struct Place {
    /// Whose it is.
    pub side: Side,
    /// Its namespace.
    pub namespace: String,
    /// kubectl for that.
    pub kubectl: Kubectl,
    /// Where it answers.
    pub address: SocketAddr,
}

impl Place {
    /// Declares the app, and waits until its good version serves.
    async fn set(stage: &mut Stage, side: Side, prometheus: &str) -> Result<Self> {
        let port = stage.take_port();
        let namespace = namespace(stage, "release").await?;
        let kubectl = Kubectl::new(&stage.cluster, Some(namespace.clone()))?;
        for object in side.objects(port, prometheus) {
            kubectl.apply(&object.to_string()).await?;
        }
        let address = SocketAddr::new(*stage.nodes.first().context("a node")?, port);
        let place = Self { side, namespace, kubectl, address };
        place.until("the app serves", Side::serves).await?;
        curl::first_answer(&[address]).await?;
        // A color is a way back once it has passed its own checks, and an error rate needs traffic.
        let load = Load::start(Plan { clients: vec![Client::fresh(50.0)], ..Plan::new(address) })?;
        place.until("the good version is proven", Side::is_proven).await?;
        load.stop().await?;
        Ok(place)
    }

    /// Waits until that can be said of the app.
    async fn until(&self, what: &str, holds: fn(Side, &serde_json::Value) -> bool) -> Result<()> {
        let attempt = async || {
            let app = self.kubectl.quiet(&["get", self.side.kind(), "hello", "-o", "json"]).await?;
            let app = serde_json::from_str(&app)?;
            ensure!(holds(self.side, &app), "{}: not yet: {what}: {}", self.side.name(), app["status"]);
            Ok(())
        };
        patiently(PATIENCE, attempt).await
    }

    /// All that helps to see why.
    async fn describe(&self) -> String {
        let mut text = String::new();
        for arguments in [
            &["get", self.side.kind(), "hello", "-o", "jsonpath={.status}"][..],
            &["get", "pods", "-o", "wide"],
            &["logs", "-l", "batch.kubernetes.io/job-name", "--tail=40"],
        ] {
            text += &self.kubectl.quiet(arguments).await.unwrap_or_else(|error| format!("{error:#}"));
            text.push('\n');
        }
        text
    }

    /// Edits the app.
    async fn edit(&self, patch: &serde_json::Value) -> Result<()> {
        let patch = patch.to_string();
        self.kubectl
            .quiet(&["patch", self.side.kind(), "hello", "--type=merge", "-p", &patch])
            .await
            .map(drop)
    }
}

fn read(path: &Path, commit: &str) -> Result<Vec<Entry>> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(Vec::new()) };
    let entries: Vec<Entry> = text
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{} is damaged", path.display())))
        .collect::<Result<_>>()?;
    Ok(entries.into_iter().filter(|entry| entry.commit == commit).collect())
}

fn add(path: &Path, entry: &Entry) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::options().create(true).append(true).open(path)?;
    Ok(file.write_all((serde_json::to_string(entry)? + "\n").as_bytes())?)
}

/// A line before anything was measured.
fn begin(side: Side, order: &Order) -> Result<Entry> {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Ok(Entry {
        commit: order.commit.clone(),
        subject: side.name().to_owned(),
        at: Timestamp::now().to_string(),
        cores: std::thread::available_parallelism()?.get(),
        load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        rate: order.rate.fresh + order.rate.kept,
        ..Entry::default()
    })
}

fn in_short(entry: &Entry) -> String {
    format!(
        "{}: live for {:.1} s, {} of {} requests of it failed ({} counted by itself), lost {:?} of {} ({} started late)",
        entry.subject,
        entry.live_ms / 1e3,
        entry.failed,
        entry.answered,
        entry.counted,
        entry.lost,
        entry.sent,
        entry.late
    )
}
