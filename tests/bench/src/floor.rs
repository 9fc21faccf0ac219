//! What the cluster itself needs, without any controller of either side.

use std::time::{Duration, Instant};

use anyhow::Result;
use bluegreen_cluster::Cluster;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use serde_json::json;

use crate::watched::NAMESPACE;
use bluegreen_bench::stats::Sample;

/// What was measured.
pub struct Floor {
    /// A selector's patch is sent → its watch event is here.
    pub patch: Sample,
    /// One Deployment of one pod per app: created → all available.
    pub created: Duration,
    /// One selector's patch per app: the first is sent → the last is answered.
    pub patched: Duration,
}

/// Does by hand what a controller can't do with less.
pub async fn measure(cluster: &Cluster, apps: usize, turns: usize) -> Result<Floor> {
    let client = cluster.client()?;
    let services: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
    let deployments: Api<Deployment> = Api::namespaced(client, NAMESPACE);
    let names: Vec<String> = (0..apps).map(|number| format!("app-{number}")).collect();
    let service = |name: &str| json!({"metadata": {"name": name}, "spec": {"selector": {"color": "blue"}, "ports": [{"port": 80}]}});

    let start = Instant::now();
    let create = async |name: &String| -> Result<()> {
        let deployment = json!({"metadata": {"name": name}, "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "hello:v1"}]}},
        }});
        deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
        services.create(&PostParams::default(), &serde_json::from_value(service(name))?).await?;
        Ok(())
    };
    futures::stream::iter(&names).map(create).buffer_unordered(16).try_collect::<()>().await?;
    let mut available = std::collections::HashSet::new();
    let mut events = watcher(deployments, Config::default()).default_backoff().applied_objects().boxed();
    while let Some(deployment) = events.try_next().await? {
        if deployment.status.and_then(|status| status.available_replicas) == Some(1) {
            available.extend(deployment.metadata.name);
        }
        if available.len() == names.len() {
            break;
        }
    }
    let created = start.elapsed();

    let start = Instant::now();
    let patch = async |name: &String| patch(&services, name, "green").await;
    futures::stream::iter(&names).map(patch).buffer_unordered(16).try_collect::<()>().await?;
    let patched = start.elapsed();

    services.create(&PostParams::default(), &serde_json::from_value(service("one"))?).await?;
    let only = Config::default().fields("metadata.name=one");
    let mut events = watcher(services.clone(), only).default_backoff().applied_objects().boxed();
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
        let ((), time) = tokio::try_join!(self::patch(&services, "one", &color), seen)?;
        times.push(time);
    }
    Ok(Floor { patch: times.into_iter().collect(), created, patched })
}

async fn patch(services: &Api<Service>, name: &str, color: &str) -> Result<()> {
    let patch = json!({"spec": {"selector": {"color": color}}});
    services.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}
