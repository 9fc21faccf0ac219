//! What the cluster itself needs, without any controller of either side: the same objects, made by hand and without a look at
//! anything but the Deployments' status.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use bluegreen_cluster::Cluster;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use serde_json::{Value, json};

use crate::side::Side;
use crate::watched::NAMESPACE;
use bluegreen_bench::stats::Sample;

/// Requests that are under way at the same time.
const PARALLEL: usize = 16;

/// What was measured.
pub struct Floor {
    /// A selector's patch is sent → its watch event is here.
    pub patch: Sample,
    /// One Deployment of one pod and one Service per app: created → all available.
    pub created: Duration,
    /// The app, its Deployment, two Services and a stored revision, and one status: created → all available.
    pub same: Duration,
    /// Another Deployment, Service and revision per app; where it is available, a selector's patch and a status.
    pub deployed: Duration,
    /// One selector's patch per app: the first is sent → the last is answered.
    pub patched: Duration,
    /// One selector's patch and one status per app.
    pub reported: Duration,
}

/// Does by hand what a controller can't do with less. The apps are those of `side`.
pub async fn measure(cluster: &Cluster, side: &dyn Side, apps: usize, turns: usize) -> Result<Floor> {
    side.install(cluster).await?;
    let (group, version, kind) = side.kind();
    let gvk = kube::core::GroupVersionKind::gvk(group, version, kind);
    let client = cluster.client()?;
    let hand = Hand {
        apps: Api::namespaced_with(client.clone(), NAMESPACE, &ApiResource::from_gvk(&gvk)),
        services: Api::namespaced(client.clone(), NAMESPACE),
        deployments: Api::namespaced(client.clone(), NAMESPACE),
        revisions: Api::namespaced(client, NAMESPACE),
    };
    let names = |prefix: &str| -> Vec<String> { (0..apps).map(|app| format!("{prefix}-{app}")).collect() };

    let plain = names("plain");
    let start = Instant::now();
    each(&plain, async |name| {
        hand.deployment(name).await?;
        hand.service(name).await
    })
    .await?;
    hand.available(&plain, async |_| Ok(())).await?;
    let created = start.elapsed();

    let start = Instant::now();
    each(&plain, async |name| hand.select(name, "green").await).await?;
    let patched = start.elapsed();

    let (live, blue, green) = (names("app"), names("blue"), names("green"));
    let start = Instant::now();
    let numbers: Vec<usize> = (0..apps).collect();
    each(&numbers, async |&number| {
        let (live, blue) = (&live[number], &blue[number]);
        let app = side.app(live, 1).pop().unwrap_or_default();
        hand.apps.create(&PostParams::default(), &serde_json::from_value(app)?).await?;
        hand.service(live).await?;
        hand.color(blue).await
    })
    .await?;
    hand.available(&blue, async |number| hand.report(&live[number], "blue").await).await?;
    let same = start.elapsed();

    let start = Instant::now();
    each(&green, async |green| hand.color(green).await).await?;
    hand.available(&green, async |number| {
        hand.select(&live[number], "green").await?;
        hand.report(&live[number], "green").await
    })
    .await?;
    let deployed = start.elapsed();

    let start = Instant::now();
    each(&live, async |live| {
        hand.select(live, "blue").await?;
        hand.report(live, "blue").await
    })
    .await?;
    let reported = start.elapsed();

    let patch = hand.latency(turns).await?;
    Ok(Floor { patch, created, same, deployed, patched, reported })
}

/// Does something for each, several at a time.
async fn each<T>(all: &[T], act: impl AsyncFn(&T) -> Result<()>) -> Result<()> {
    futures::stream::iter(all).map(|one| act(one)).buffer_unordered(PARALLEL).try_collect().await
}

/// Somebody who does all of it.
struct Hand {
    apps: Api<DynamicObject>,
    services: Api<Service>,
    deployments: Api<Deployment>,
    revisions: Api<ControllerRevision>,
}

impl Hand {
    async fn deployment(&self, name: &str) -> Result<()> {
        let deployment = json!({"metadata": {"name": name}, "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "hello:v1"}]}},
        }});
        self.deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
        Ok(())
    }

    async fn service(&self, name: &str) -> Result<()> {
        let service = json!({"metadata": {"name": name},
            "spec": {"selector": {"app": name, "color": "blue"}, "ports": [{"port": 80}]}});
        self.services.create(&PostParams::default(), &serde_json::from_value(service)?).await?;
        Ok(())
    }

    /// A Deployment, a Service and a stored revision.
    async fn color(&self, name: &str) -> Result<()> {
        let revision = json!({"metadata": {"name": name}, "revision": 1, "data": {"template": {}}});
        self.revisions.create(&PostParams::default(), &serde_json::from_value(revision)?).await?;
        self.service(name).await?;
        self.deployment(name).await
    }

    async fn select(&self, name: &str, color: &str) -> Result<()> {
        let patch = json!({"spec": {"selector": {"color": color}}});
        self.services.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    async fn report(&self, name: &str, color: &str) -> Result<()> {
        let status: Value = json!({"status": {"observedGeneration": 1, "active": color}});
        self.apps.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
        Ok(())
    }

    /// Waits until all are available, and does something for each as soon as it is; it is told by its place.
    async fn available(&self, names: &[String], act: impl AsyncFn(usize) -> Result<()>) -> Result<()> {
        let mut left: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let events = watcher(self.deployments.clone(), Config::default()).default_backoff().applied_objects();
        let mut events = events.boxed();
        let mut acts = futures::stream::FuturesUnordered::new();
        while !left.is_empty() || !acts.is_empty() {
            tokio::select! {
                Some(event) = events.next(), if !left.is_empty() => {
                    let deployment = event?;
                    let is_available = deployment.status.and_then(|status| status.available_replicas) == Some(1);
                    let name = deployment.metadata.name.unwrap_or_default();
                    if is_available && left.remove(name.as_str())
                        && let Some(number) = names.iter().position(|other| *other == name)
                    {
                        acts.push(act(number));
                    }
                }
                Some(done) = acts.next() => done?,
            }
        }
        Ok(())
    }

    /// How long after its patch the watch tells of a selector.
    async fn latency(&self, turns: usize) -> Result<Sample> {
        self.service("one").await?;
        let only = Config::default().fields("metadata.name=one");
        let mut events = watcher(self.services.clone(), only).default_backoff().applied_objects().boxed();
        let mut times = Vec::new();
        for turn in 0..turns {
            let color = format!("color-{turn}");
            tokio::time::sleep(Duration::from_millis(200)).await;
            let sent = Instant::now();
            let seen = async {
                while let Some(service) = events.try_next().await? {
                    if service.spec.and_then(|spec| spec.selector?.remove("color")) == Some(color.clone()) {
                        break;
                    }
                }
                Ok(sent.elapsed())
            };
            let ((), time) = tokio::try_join!(self.select("one", &color), seen)?;
            times.push(time);
        }
        Ok(times.into_iter().collect())
    }
}
