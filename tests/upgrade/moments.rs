//! The moments at which one operator takes over from another, and what must not change.

use std::time::Duration;

use anyhow::{Result, ensure};
use bluegreen_api::Color::{self, Blue, Green};
use bluegreen_api::Phase;
use bluegreen_cluster::{Offset, patiently};
use serde_json::{Value, json};

use crate::harness::operator::Operator;
use crate::harness::{App, Kind, Sandbox, World, app, cluster, pods};

/// Long before anything is looked at for no reason, and long before the drain of [`Moment::Draining`] ends.
pub const SOON: Duration = Duration::from_secs(20);

/// How long green's pods take in [`Moment::Switching`].
const SLOW: &str = "12s";

/// What is under way.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// Nothing.
    Resting,
    /// Green `v3` is to serve, and its pods are not ready yet.
    Switching,
    /// Green serves, and blue drains for a long time.
    Draining,
}

impl Moment {
    pub const ALL: [Self; 3] = [Self::Resting, Self::Switching, Self::Draining];

    pub fn name(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Switching => "switching",
            Self::Draining => "draining",
        }
    }

    /// The app before anything happens: blue `v1` serves, green `v2` is warm.
    pub fn app(self) -> App {
        match self {
            Self::Resting | Self::Switching => app("hello"),
            Self::Draining => app("hello").drain(600),
        }
    }

    /// Goes there from the app at rest.
    pub async fn begin(self, sandbox: &Sandbox) -> Result<()> {
        match self {
            Self::Resting => {}
            Self::Switching => {
                let slow = pods(json!({"ready-after": SLOW}));
                let commit = json!({"active": "green", "green": {"tag": "v3"}, "template": slow["template"]});
                sandbox.edit("hello", commit).await?;
            }
            Self::Draining => sandbox.activate("hello", Green).await?,
        }
        sandbox.until(self.name(), |world| self.is_now(world)).await
    }

    pub fn is_now(self, world: &World) -> bool {
        let status = world.status("hello");
        match self {
            Self::Resting => world.settled("hello") && world.says("hello", "StandbyReady").is_some(),
            Self::Switching => {
                world.image("hello", Green).as_deref() == Some("team/hello:v3")
                    && world.pods("hello", Green).len() > 2
                    && status.is_some_and(|status| status.switch.is_some())
            }
            Self::Draining => status.is_some_and(|status| status.phase == Some(Phase::Draining)),
        }
    }

    /// What a person does next, once the other operator leads; it must come out as if nothing had happened.
    pub async fn end(self, sandbox: &Sandbox) -> Result<()> {
        match self {
            Self::Resting => {
                sandbox.activate("hello", Green).await?;
                sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
                sandbox.activate("hello", Blue).await?;
                sandbox.until("blue serves", |world| world.serves("hello", Blue)).await
            }
            Self::Switching => sandbox.until("green serves", |world| world.serves("hello", Green)).await,
            // The rollback is what nobody can wait for: blue is warm, and the drain has no say in it.
            Self::Draining => {
                sandbox.activate("hello", Blue).await?;
                sandbox.within(SOON, "blue is selected again", |world| world.selects("hello") == "blue").await
            }
        }
    }
}

/// A color's generation, pod template and pods.
#[derive(Debug, PartialEq)]
pub struct Running {
    generation: Option<i64>,
    template: Value,
    pods: Vec<String>,
}

/// What the colors run. A roll that is under way takes pods away by itself: of that one, only what was asked for counts.
pub fn running(world: &World, rolls: Option<Color>) -> [Running; 2] {
    Color::ALL.map(|color| {
        let raw = world.raw(Kind::Deployment, &format!("hello-{color}"));
        let mut pods = if rolls == Some(color) { Vec::new() } else { world.pods("hello", color) };
        pods.sort();
        Running {
            generation: raw.and_then(|object| object["metadata"]["generation"].as_i64()),
            template: raw.map(|object| object["spec"]["template"].clone()).unwrap_or_default(),
            pods,
        }
    })
}

/// Waits until this operator leads and has looked at the app.
pub async fn looked(operator: &Operator) -> Result<()> {
    operator.says("leading", Duration::from_secs(40)).await?;
    let attempt = async || {
        let passes = operator.metric("controller_runtime_reconcile_total").await?;
        ensure!(passes > 0, "it looks at nothing");
        Ok(())
    };
    patiently(SOON, attempt).await
}

/// What operators wrote since then, Lease and Events aside.
pub async fn written(sandbox: &Sandbox, since: Offset) -> Result<Vec<String>> {
    let entries = cluster().await?.audit()?.matching(since, |entry| {
        entry.user == sandbox.user.name
            && entry.is_write()
            && !["leases", "events"].contains(&entry.resource.as_str())
    })?;
    let words = |entry: &bluegreen_cluster::Entry| {
        format!("{} {}/{} {}", entry.verb, entry.resource, entry.subresource, entry.name)
    };
    Ok(entries.iter().map(words).collect())
}

/// What the app's conditions claim, without their words: type, status and reason.
pub fn claims(world: &World) -> Vec<String> {
    let app = world.raw(Kind::App, "hello").cloned().unwrap_or_default();
    let conditions = app["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let mut claims: Vec<String> =
        conditions.iter().map(|c| format!("{}={}/{}", c["type"], c["status"], c["reason"])).collect();
    claims.sort();
    claims
}

/// Another release has other words for the same state, and other fields in the status: it writes the status once and nothing
/// else, then nothing at all.
///
/// # Errors
/// Anything else that was written since.
pub async fn told_once(sandbox: &Sandbox, since: Offset) -> Result<()> {
    let wait = Duration::from_secs(5);
    tokio::time::sleep(wait).await;
    let first = written(sandbox, since).await?;
    ensure!(first == ["update bluegreenapps/status hello"], "{first:#?}");
    let since = cluster().await?.audit()?.end()?;
    tokio::time::sleep(wait).await;
    let then = written(sandbox, since).await?;
    ensure!(then.is_empty(), "{then:#?}");
    Ok(())
}
