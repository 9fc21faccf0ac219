//! Many apps at once: how long it takes, and what it costs the controller.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use bluegreen_cluster::Cluster;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use crate::program::Running;
use crate::side::Side;
use crate::watched::{Observer, Seen};
use crate::work::{Requests, User};

/// Requests that the user has under way at the same time.
const PARALLEL: usize = 16;

/// What one wave took.
#[derive(Clone, Copy, Debug)]
pub struct Wave {
    /// From the first request of the user to the last app's being there.
    pub time: Duration,
    /// CPU time of the controller.
    pub cpu: Duration,
    /// What it asked for.
    pub requests: Requests,
}

/// What was measured.
pub struct Mass {
    /// All apps created → all healthy.
    pub created: Wave,
    /// A new version in all apps → all apps have moved.
    pub deployed: Wave,
    /// All go back to the version that still runs → all apps have moved.
    pub back: Wave,
    /// CPU time in a time without anything to do.
    pub idle: Duration,
    /// What it asked for in that time.
    pub idle_requests: Requests,
    /// Resident memory with all apps, in MiB.
    pub memory: u64,
}

/// Runs the waves, one after the other.
pub async fn measure(
    side: &dyn Side,
    cluster: &Cluster,
    controller: &mut Running,
    apps: usize,
    idle: u64,
) -> Result<Mass> {
    let (user, observer) = (User::new(side, cluster)?, Observer::start(&cluster.client()?, side));
    let names: Vec<String> = (0..apps).map(|number| format!("app-{number}")).collect();

    let (start, cpu, mark) = (Instant::now(), controller.cpu()?, user.mark()?);
    let create = async |name: &String| user.create(name, 1).await;
    futures::stream::iter(&names).map(create).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    let healthy = |seen: &Seen| names.iter().all(|name| seen.healthy.contains_key(name)).then(Instant::now);
    let end = observer.until("all new apps are healthy", healthy).await?;
    let created = Wave {
        time: end - start,
        cpu: controller.cpu()?.saturating_sub(cpu),
        requests: user.requests(mark)?,
    };
    rest().await;

    let wave = async |patch: Value| -> Result<Wave> {
        let (start, cpu, mark) = (Instant::now(), controller.cpu()?, user.mark()?);
        let before: HashMap<String, String> = observer.now(|seen| {
            names.iter().map(|name| (name.clone(), crate::latency::version(seen, name))).collect()
        });
        let edit = async |name: &String| user.edit(name, patch.clone()).await;
        let edits = futures::stream::iter(&names).map(edit).buffer_unordered(PARALLEL).try_collect::<()>();
        edits.await?;
        let moved = |seen: &Seen| {
            let elsewhere = |(name, old): (&String, &String)| crate::latency::version(seen, name) != *old;
            before.iter().all(elsewhere).then(Instant::now)
        };
        let end = observer.until("all apps move", moved).await?;
        let wave = Wave {
            time: end - start,
            cpu: controller.cpu()?.saturating_sub(cpu),
            requests: user.requests(mark)?,
        };
        rest().await;
        Ok(wave)
    };
    let deployed = wave(side.deploy("v2")).await?;
    let back = wave(side.back()).await?;
    // Argo Rollouts keeps the version that was left for 30 s, by its defaults.
    tokio::time::sleep(Duration::from_secs(40)).await;

    let (cpu, mark) = (controller.cpu()?, user.mark()?);
    tokio::time::sleep(Duration::from_secs(idle)).await;
    let idle_requests = user.requests(mark)?;
    Ok(Mass {
        created,
        deployed,
        back,
        idle: controller.cpu()?.saturating_sub(cpu),
        idle_requests,
        memory: controller.memory()?,
    })
}

/// Lets the controller finish what follows a wave; less than Argo Rollouts' 30 s, after which nothing could go back.
async fn rest() {
    tokio::time::sleep(Duration::from_secs(10)).await;
}
