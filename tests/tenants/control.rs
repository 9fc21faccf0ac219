//! A client that is no operator, and asks the API server for what a switch asks for: what it needs is the API server's share.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::sync::watch::{Receiver, channel};
use tokio::task::JoinHandle;

use super::NAMESPACE;

const NAME: &str = "control";

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its objects, and the watch that shows their edits.
pub struct Control {
    maps: Api<ConfigMap>,
    services: Api<Service>,
    deployments: Api<Deployment>,
    slices: Api<EndpointSlice>,
    seen: Receiver<Option<String>>,
    watch: JoinHandle<()>,
    turn: Cell<usize>,
}

impl Control {
    /// Creates its objects.
    pub async fn create(client: &Client) -> Result<Self> {
        let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
        let services = Api::<Service>::namespaced(client.clone(), NAMESPACE);
        let map = serde_json::from_value(json!({"metadata": {"name": NAME}, "data": {"turn": "0"}}))?;
        maps.create(&PostParams::default(), &map).await?;
        let (tell, seen) = channel(None);
        let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
        let mut events = watcher(maps.clone(), config).default_backoff().applied_objects().boxed();
        let watch = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Ok(map) = event {
                    let turn = map.data.and_then(|data| data.get("turn").cloned());
                    tell.send_replace(turn);
                }
            }
        });
        Ok(Self {
            maps,
            services,
            deployments: Api::namespaced(client.clone(), NAMESPACE),
            slices: Api::namespaced(client.clone(), NAMESPACE),
            seen,
            watch,
            turn: Cell::new(0),
        })
    }

    /// An edit until its watch event, two rounds of reads with a write between them, and a write of a Service that a read then
    /// shows: how long all of it takes.
    pub async fn step(&self) -> Result<Duration> {
        let sent = Instant::now();
        tokio::time::timeout(PATIENCE, self.requests()).await.context("the API server does not answer")??;
        Ok(sent.elapsed())
    }

    async fn requests(&self) -> Result<()> {
        self.turn.set(self.turn.get() + 1);
        let turn = self.turn.get().to_string();
        let edit = Patch::Merge(json!({"data": {"turn": turn}}));
        self.maps.patch(NAME, &PatchParams::default(), &edit).await?;
        self.seen.clone().wait_for(|seen| seen.as_ref() == Some(&turn)).await?;
        let mut map = self.read().await?;
        map.data.get_or_insert_default().insert("answered".to_owned(), turn.clone());
        self.maps.replace(NAME, &PostParams::default(), &map).await?;
        self.read().await?;
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": NAME, "annotations": {"turn": turn}},
            "spec": {"ports": [{"port": 80}]},
        });
        self.services.patch(NAME, &PatchParams::apply(NAME).force(), &Patch::Apply(service)).await?;
        let now = self.services.get(NAME).await?;
        anyhow::ensure!(
            now.annotations().get("turn") == Some(&turn),
            "a read is older than the write before it"
        );
        Ok(())
    }

    /// One round of reads.
    async fn read(&self) -> Result<ConfigMap> {
        let all = ListParams::default();
        let (map, ..) = tokio::try_join!(
            self.maps.get(NAME),
            self.services.list(&all),
            self.deployments.list(&all),
            self.slices.list(&all),
        )?;
        Ok(map)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
