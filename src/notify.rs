//! The notifier: a process of its own that watches apps and tells receivers what happens to them.
//!
//! It lists and watches BlueGreenApps, reads one file, and writes nothing to the cluster. What is told, to whom and how often is
//! decided in `bluegreen-notify`. The operator never runs any of this: it talks to nobody but the API server.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::Careful;
use bluegreen_notify::{Config, Counts, Couriers, Limits, Memory, Transition};
use futures::{Stream, StreamExt};
use kube::Client;
use kube::runtime::watcher::{self, Event};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::NotifyArgs;
use crate::controller::{Failed, Seen, Watched};
use crate::health::{Health, HealthLimits};
use crate::http::{self, Pages};
use crate::{shutdown, telemetry};

/// Apps of a page: each may be large.
const PAGE: u32 = 20;

/// Watches and tells until a signal.
///
/// # Errors
/// What is wrong with the configuration, an address or the cluster's.
pub async fn run(args: &NotifyArgs) -> anyhow::Result<()> {
    telemetry::init(&args.log)?;
    let config = read(&args.config)?;
    let shutdown = CancellationToken::new();
    tokio::spawn(shutdown::end_on_signals(shutdown.clone()));
    let client = Client::try_from(args.cluster.kube_config().await?)?;
    let (health, counts) = (Health::new(HealthLimits::default()), Counts::new()?);
    let pages = [
        (args.health_addr, Pages::Health(health.clone())),
        (args.metrics_addr, Pages::Registry(counts.registry())),
    ];
    let mut servers = JoinSet::new();
    for (address, pages) in pages {
        let (_, server) = http::serve(address, http::Limits::default(), pages, shutdown.clone()).await?;
        servers.spawn(server);
    }
    for receiver in &config.receivers {
        tracing::info!(receiver = receiver.name, "telling a receiver");
    }
    let limits = Limits { queue: args.queue.into(), keep: args.keep, request: args.timeout };
    let couriers = Couriers::start(config, limits, &counts, &shutdown).map_err(anyhow::Error::msg)?;
    let page = watcher::Config::default().page_size(PAGE);
    let apps = args.scope().watch(&client, &page, health.clone());
    let watching = follow(apps, &health, |transition| couriers.tell(&transition));
    shutdown.run_until_cancelled(watching).await;
    // By a signal, or because the couriers ended. Nothing is detected any more. What is being sent now is sent to its end.
    shutdown.cancel();
    couriers.end().await.map_err(anyhow::Error::msg)?;
    while let Some(ended) = servers.join_next().await {
        ended.context("an HTTP server panicked")?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read --config {}: mount the Secret that holds it", path.display()))?;
    let config = Config::parse(&text);
    config.map_err(|words| anyhow::anyhow!("--config {} can't be used: {words}", path.display()))
}

/// Follows every version of every app, for ever; a watch that fails is started again.
async fn follow(
    mut events: impl Stream<Item = Watched<BlueGreenApp>> + Unpin,
    health: &Arc<Health>,
    tell: impl Fn(Transition),
) {
    let mut memory = Memory::default();
    while let Some(seen) = events.next().await {
        match seen {
            Ok(Seen::Event(event)) => {
                let is_complete = matches!(event, Event::InitDone);
                take(&mut memory, event).into_iter().for_each(&tell);
                if is_complete {
                    tracing::info!(apps = memory.len(), "watching; what happens from now on is told");
                    health.set_ready();
                }
            }
            Ok(Seen::Listed(_)) => {}
            Err(Failed { namespace, error }) => {
                let (namespace, error) = (namespace.as_deref(), telemetry::brief(&error));
                tracing::warn!(namespace, "watching BlueGreenApps failed; trying again: {error}");
            }
        }
    }
}

/// What an event of the watch tells.
fn take(memory: &mut Memory, event: Event<Careful<BlueGreenApp>>) -> Vec<Transition> {
    match event {
        Event::Init => memory.list_begins(),
        Event::InitDone => memory.list_ends(),
        Event::Delete(Careful(app)) => {
            let meta = app.as_ref().map_or_else(|hidden| &hidden.metadata, |app| &app.metadata);
            memory.forget(meta.namespace.as_deref(), meta.name.as_deref());
        }
        Event::InitApply(Careful(Ok(app))) | Event::Apply(Careful(Ok(app))) => return memory.see(app),
        Event::InitApply(Careful(Err(hidden))) | Event::Apply(Careful(Err(hidden))) => {
            memory.see_unreadable(hidden.metadata.namespace.as_deref(), hidden.metadata.name.as_deref());
        }
    }
    Vec::new()
}
