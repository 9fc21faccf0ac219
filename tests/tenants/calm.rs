//! The other tenant: an app that switches to and fro.

mod control;

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_bench::stats::Sample;
use control::Control;
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

/// An app whose two colors are ready, and a client that is no operator.
pub struct Calm {
    apps: Api<BlueGreenApp>,
    services: Api<Service>,
    live: Cell<Color>,
    control: Control,
}

/// What was measured in one state of the cluster.
pub struct Measured {
    /// From the edit until the Service selects the other color.
    pub switches: Sample,
    /// As much work for the API server, without an operator.
    pub control: Sample,
}

impl Measured {
    /// How many times as long a switch takes as the same without an operator, in the median.
    pub fn ratio(&self) -> f64 {
        median(&self.switches) / median(&self.control)
    }
}

/// The median of a sample, in seconds.
pub fn median(sample: &Sample) -> f64 {
    sample.quantile(0.5).as_secs_f64()
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
                let control = Control::create(client).await?;
                return Ok(Self { apps, services, live: Cell::new(Color::Blue), control });
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

    /// As many switches, with time to rest after each, and as many steps of the client in between.
    pub async fn measure(&self, turns: usize) -> Result<Measured> {
        let (mut switches, mut control) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            switches.push(self.switch().await?);
            tokio::time::sleep(REST).await;
            control.push(self.control.step().await?);
        }
        Ok(Measured { switches: switches.into_iter().collect(), control: control.into_iter().collect() })
    }
}
