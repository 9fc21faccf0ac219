//! The glue: watches the EndpointSlices of a Service, and tells the proxy of each change after a fixed time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::TryStreamExt as _;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::ingress::proxy::Proxy;

type Pods = BTreeSet<SocketAddr>;

pub struct Follower {
    watch: JoinHandle<Result<()>>,
    tell: JoinHandle<Result<()>>,
}

impl Follower {
    /// Returns when the proxy knows the pods of this Service that are there now.
    pub async fn start(client: Client, service: &str, proxy: Proxy, late: Duration) -> Result<Self> {
        let (changes, mut received) = mpsc::unbounded_channel::<(Instant, Pods)>();
        let watch = tokio::spawn(watch(client, format!("kubernetes.io/service-name={service}"), changes));
        let (begin, begun) = oneshot::channel();
        let mut begin = Some(begin);
        let tell = tokio::spawn(async move {
            // Each change in its turn, as late as the others: what the proxy knows is what was true that long ago.
            // But for what it finds when it starts.
            let mut wait = Duration::ZERO;
            while let Some((seen, pods)) = received.recv().await {
                tokio::time::sleep_until(seen + wait).await;
                proxy.serve(&pods)?;
                wait = late;
                if let Some(begin) = begin.take() {
                    let _ = begin.send(());
                }
            }
            Ok(())
        });
        begun.await.context("the EndpointSlices can't be watched")?;
        Ok(Self { watch, tell })
    }

    /// Fails if one of its parts has.
    pub async fn stop(self) -> Result<()> {
        if self.watch.is_finished() {
            self.watch.await??;
        } else {
            self.watch.abort();
        }
        self.tell.await?
    }
}

async fn watch(
    client: Client,
    of_service: String,
    changes: mpsc::UnboundedSender<(Instant, Pods)>,
) -> Result<()> {
    let slices: Api<EndpointSlice> = Api::default_namespaced(client);
    let config = watcher::Config::default().labels(&of_service);
    let mut known: BTreeMap<String, Pods> = BTreeMap::new();
    let mut events = pin!(watcher::watcher(slices, config));
    while let Some(event) = events.try_next().await? {
        let complete = !matches!(event, Event::Init | Event::InitApply(_));
        match event {
            Event::Init => known.clear(),
            Event::InitApply(slice) | Event::Apply(slice) => {
                known.insert(slice.name_any(), ready(&slice)?);
            }
            Event::Delete(slice) => drop(known.remove(&slice.name_any())),
            Event::InitDone => {}
        }
        if complete {
            changes
                .send((Instant::now(), known.values().flatten().copied().collect()))
                .context("nobody listens")?;
        }
    }
    Ok(())
}

/// What a proxy sends requests to: ready endpoints, by the slice's port.
fn ready(slice: &EndpointSlice) -> Result<Pods> {
    let port = slice.ports.iter().flatten().find_map(|port| port.port);
    let Some(port) = port else { return Ok(Pods::new()) };
    let port = u16::try_from(port)?;
    let endpoints = slice.endpoints.iter().filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
    });
    let addresses = endpoints.flat_map(|endpoint| &endpoint.addresses);
    addresses.map(|address| Ok(SocketAddr::new(address.parse()?, port))).collect()
}
