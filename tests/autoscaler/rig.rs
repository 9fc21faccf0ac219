//! An app under load whose size an autoscaler decides, while it is switched and rolled back all the time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{self, Blue};
use bluegreen_cluster::Cluster;
use bluegreen_load::{Client, Load, Plan};
use k8s_openapi::DeepMerge;
use serde_json::{Value, json};

use crate::document;
use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::record::Event;
use crate::e2e::harness::{App, Kind, Sandbox, World, app};

pub const APP: &str = "hello";

/// The sizes between which the load moves it.
pub const SMALL: i32 = 3;
pub const LARGE: i32 = 6;

/// Seconds for which the old color is left alone: longer than a long request takes.
const DRAIN: i32 = 4;

/// How long one switch may take: it waits for no growth.
const SWITCH: Duration = Duration::from_secs(60);

/// How long an autoscaler may take to notice a load, and the pods to follow: it looks at averages of half a minute.
const NOTICED: Duration = Duration::from_secs(300);

/// What an autoscaler does: one pod at a time, so that there are switches between all sizes. Its default for a fall is five
/// minutes and for a growth all at once.
pub fn behavior() -> Value {
    let step = json!([{"type": "Pods", "value": 1, "periodSeconds": 10}]);
    json!({
        "scaleUp": {"policies": step},
        "scaleDown": {"policies": step, "stabilizationWindowSeconds": 10},
    })
}

/// Switches of a story, at least.
const FLIPS: usize = 10;

/// An app with the operator in charge and requests coming in.
pub struct Rig {
    pub sandbox: Sandbox,
    pub cluster: &'static Cluster,
    _operator: Operator,
    address: SocketAddr,
    live: Color,
    turns: usize,
    flips: Vec<Flip>,
}

/// How a switch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The target stands ready.
    Switch,
    /// In the drain of the switch before.
    Rollback,
    /// The same edit gives the target new pods.
    Deploy,
}

/// One switch.
struct Flip {
    /// From the edit until the Service had moved.
    took: Duration,
    kind: Turn,
    /// `spec.replicas` when it was asked for and when the Service had moved.
    sizes: (i32, i32),
}

/// What came of a story.
struct Figures {
    grew: Duration,
    shrank: Duration,
    sent: u64,
    lost: u64,
}

impl Rig {
    /// Three pods of each color, which say what they want of a processor, as an autoscaler that counts in percent needs it.
    pub async fn start(cluster: &'static Cluster, name: &str, port: u16, more: Value) -> Result<Self> {
        let spec = json!({
            "image": "docker.io/library/hello",
            "blue": {"tag": "v1.0.0"},
            "green": {"tag": "v2.0.0"},
            "readinessProbe": {"httpGet": {"path": "/healthz"}, "periodSeconds": 1},
            "service": {"type": "NodePort", "nodePort": port},
            "template": {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "20m"}}}]}},
        });
        let app: App = app(APP).replicas(SMALL).drain(DRAIN).with(spec).with(more);
        let sandbox = Sandbox::on(cluster, name).await?;
        let (sandbox, operator) = sandbox.serve(&app).await?;
        let address = SocketAddr::new(cluster.node_address().context("a real node")?, port);
        Ok(Self { sandbox, cluster, _operator: operator, address, live: Blue, turns: 0, flips: Vec::new() })
    }

    /// Applies a manifest of the document after these changes.
    pub async fn apply(&self, kind: &str, changes: Value) -> Result<()> {
        let mut object = document::manifest(kind)?;
        object.merge_from(changes);
        let namespace = &self.sandbox.namespace;
        let command = self.cluster.kubectl(&["-n", namespace, "apply", "-f", "-"]);
        bluegreen_cluster::fed(command, &object.to_string()).await.map(drop)
    }

    /// Few requests, of all kinds, for as long as it is kept.
    pub async fn base_load(&self) -> Result<Load> {
        let clients =
            vec![Client::fresh(40.0), Client::keep_alive(40.0), Client::long(1.0, Duration::from_secs(2))];
        Load::once_answered(Plan { clients, ..Plan::new(self.address) }).await
    }

    /// Ends the load, of which nothing may be lost, and the sandbox.
    pub async fn finish_without_loss(self, load: Load) -> Result<()> {
        let report = load.stop().await?;
        println!("  {} of {} requests lost", report.total.failed(), report.total.sent);
        ensure!(report.total.failed() == 0, "{report}");
        self.sandbox.finish().await
    }

    /// Many more of them.
    fn high_load(&self) -> Result<Load> {
        let clients = vec![Client::fresh(500.0), Client::keep_alive(200.0)];
        let source_addresses = self.cluster.source_addresses(4)?;
        Load::start(Plan { clients, source_addresses, ..Plan::new(self.address) })
    }

    fn size(&self) -> i32 {
        self.sandbox.world().app(APP).map_or(0, |app| app.spec.replicas)
    }

    /// The live color's Deployment is of this size, and complete.
    fn has(&self, size: i32) -> bool {
        let world = self.sandbox.world();
        self.size() == size && world.size(APP, self.live) == Some(size) && world.rolled_out(APP, self.live)
    }

    /// Asks for the other color; returns when the Service has moved.
    async fn flip(&mut self, kind: Turn) -> Result<()> {
        let (to, before, asked) = (self.live.other(), self.size(), Instant::now());
        let edit = match kind {
            Turn::Switch | Turn::Rollback => json!({"active": to}),
            Turn::Deploy => json!({"active": to, to.as_str(): {"revision": self.turns.to_string()}}),
        };
        self.sandbox.edit(APP, edit).await?;
        let moved = |world: &World| world.selects(APP) == to.as_str();
        self.sandbox.within(SWITCH, &format!("{to} is selected"), moved).await?;
        let flip = Flip { took: asked.elapsed(), kind, sizes: (before, self.size()) };
        println!("  {kind:?} to {to} after {:.2} s, replicas {:?}", flip.took.as_secs_f64(), flip.sizes);
        self.flips.push(flip);
        self.live = to;
        Ok(())
    }

    /// One switch: to what stands ready, the same and back in the middle of the drain, or with new pods.
    async fn turn(&mut self) -> Result<()> {
        self.turns += 1;
        match self.turns % 3 {
            0 => self.flip(Turn::Deploy).await?,
            1 => self.flip(Turn::Switch).await?,
            _ => {
                self.flip(Turn::Switch).await?;
                tokio::time::sleep(Duration::from_millis(1500)).await;
                self.flip(Turn::Rollback).await?;
            }
        }
        // The drain is over and the other color warm, whatever its size by now.
        let live = self.live;
        let drained = |world: &World| {
            world.ready(APP)
                && world.selects(APP) == live.as_str()
                && world.status(APP).is_some_and(|status| status.switch.is_none())
        };
        self.sandbox.within(SWITCH, "the drain is over", drained).await
    }

    /// Turns until the app has this size, and then once more.
    async fn turn_until(&mut self, size: i32) -> Result<Duration> {
        let start = Instant::now();
        while !self.has(size) {
            ensure!(start.elapsed() < NOTICED, "{} replicas and not {size} after {NOTICED:?}", self.size());
            self.turn().await?;
        }
        let took = start.elapsed();
        println!("  {size} replicas after {:.0} s", took.as_secs_f64());
        self.turn().await?;
        Ok(took)
    }

    /// The load grows and falls, the autoscaler follows, and a person switches all the time. Writes the row of the document.
    pub async fn story(mut self, title: &str) -> Result<()> {
        let base = self.base_load().await?;
        self.turn().await?;
        let high = self.high_load()?;
        let grew = self.turn_until(LARGE).await?;
        let high = high.stop().await?;
        let shrank = self.turn_until(SMALL).await?;
        while self.flips.len() < FLIPS {
            self.turn().await?;
        }
        let base = base.stop().await?;
        let figures = Figures {
            grew,
            shrank,
            sent: base.total.sent + high.total.sent,
            lost: base.total.failed() + high.total.failed(),
        };
        if figures.lost > 0 {
            println!("{base}\n{high}");
        }
        document::report(&self.row(title, &figures))?;
        ensure!(figures.lost == 0, "{} requests were lost", figures.lost);
        let complaints = self.complaints();
        ensure!(complaints.is_empty(), "the app said {}", complaints.join(", "));
        self.sandbox.finish().await
    }

    fn row(&self, title: &str, figures: &Figures) -> Vec<String> {
        let Figures { grew, shrank, sent, lost } = figures;
        let of = |kind: Turn| self.flips.iter().filter(move |flip| flip.kind == kind);
        let cell = |kind: Turn| {
            let longest = of(kind).map(|flip| flip.took).max().unwrap_or_default();
            format!("{}, {:.2} s", of(kind).count(), longest.as_secs_f64())
        };
        let between =
            self.flips.iter().filter(|flip| ![(SMALL, SMALL), (LARGE, LARGE)].contains(&flip.sizes)).count();
        vec![
            title.to_owned(),
            format!("{} s, {} s", grew.as_secs(), shrank.as_secs()),
            cell(Turn::Switch),
            cell(Turn::Rollback),
            cell(Turn::Deploy),
            between.to_string(),
            sent.to_string(),
            lost.to_string(),
        ]
    }

    /// The fewest available pods of a color since then.
    pub fn least_available(&self, color: Color, since: Instant) -> i64 {
        let name = format!("{APP}-{color}");
        let events = self.sandbox.events();
        let of_color = |event: &&Event| {
            event.kind == Kind::Deployment && event.name == name && event.at > since && !event.deleted
        };
        let available = |event: &Event| event.object["status"]["availableReplicas"].as_i64().unwrap_or(0);
        events.iter().filter(of_color).map(available).min().unwrap_or(0)
    }

    /// Every word of the app that would page somebody.
    pub fn complaints(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for event in self.sandbox.events().iter().filter(|event| event.kind == Kind::App) {
            let conditions = event.object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            for condition in conditions {
                let reason = condition["reason"].as_str().unwrap_or_default();
                let stalled = condition["type"] == "Stalled" && condition["status"] == "True";
                if stalled || reason == "LiveNotReady" {
                    found.push(format!("{} {reason}: {}", condition["type"], condition["message"]));
                }
            }
        }
        found.dedup();
        found
    }
}
