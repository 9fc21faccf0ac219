//! The other tenant: an app that switches to and fro.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bluegreen_api::{BlueGreenApp, Color};
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::e2e::harness::app;

/// Its namespace.
pub const NAMESPACE: &str = "calm";

/// How long a switch may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Long enough for all that follows a switch, the drain included.
const REST: Duration = Duration::from_millis(2500);

/// An app whose two colors are ready.
pub struct Calm {
    apps: Api<BlueGreenApp>,
    services: Api<Service>,
    live: Cell<Color>,
}

impl Calm {
    /// Creates the app, and waits until both of its colors are ready.
    pub async fn create(client: &Client) -> Result<Self> {
        let (apps, services) = (
            Api::<BlueGreenApp>::namespaced(client.clone(), NAMESPACE),
            Api::namespaced(client.clone(), NAMESPACE),
        );
        let object = serde_json::from_value(app("fine").object())?;
        apps.create(&PostParams::default(), &object).await?;
        let start = Instant::now();
        loop {
            let status = apps.get("fine").await?.status.unwrap_or_default();
            let is = |kind: &str| status.condition(kind).is_some_and(|condition| condition.status == "True");
            if is("Ready") && is("StandbyReady") {
                return Ok(Self { apps, services, live: Cell::new(Color::Blue) });
            }
            ensure!(start.elapsed() < PATIENCE, "the app is not ready: {status:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Switches to the color that waits: the time from the edit until the Service selects it.
    pub async fn switch(&self) -> Result<Duration> {
        let to = self.live.get().other();
        let sent = Instant::now();
        let patch = json!({"spec": {"active": to}});
        self.apps.patch("fine", &PatchParams::default(), &Patch::Merge(patch)).await?;
        loop {
            let selector = self.services.get("fine").await?.spec.and_then(|spec| spec.selector);
            if selector.is_some_and(|s| s.get("bluegreen.dev/color").map(String::as_str) == Some(to.as_str()))
            {
                break;
            }
            ensure!(sent.elapsed() < PATIENCE, "no switch to {to} within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.live.set(to);
        Ok(sent.elapsed())
    }

    /// As many switches, with time to rest after each.
    pub async fn switches(&self, turns: usize) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for _ in 0..turns {
            times.push(self.switch().await?);
            tokio::time::sleep(REST).await;
        }
        Ok(times)
    }
}
