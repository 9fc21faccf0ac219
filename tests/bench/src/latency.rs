//! One app at a time: how long from an edit, or from the target's readiness, until the app has moved.

use std::time::{Duration, Instant};

use anyhow::Result;
use bluegreen_cluster::Cluster;

use crate::side::Side;
use crate::watched::{Observer, Seen};
use crate::work::{Requests, User};
use bluegreen_bench::stats::Sample;

/// Pods of an app.
const PODS: i32 = 3;

/// Long enough for everything that follows a switch, the old color's drain included.
const REST: Duration = Duration::from_secs(4);

/// What was measured.
pub struct Latency {
    /// The target's ReplicaSet is available → the app has moved: deploying a new version.
    pub available_to_moved: Sample,
    /// All the target's pods are in its EndpointSlices → the app has moved, for a side that waits for that.
    pub listed_to_moved: Sample,
    /// The edit is sent → the app has moved: going back to the version that still runs.
    pub back_to_moved: Sample,
    /// What the last deployment asked for, until it is all over.
    pub deploy: Requests,
    /// What the last way back asked for, until it is all over.
    pub way_back: Requests,
}

/// Deploys and goes back, with a new app for each turn: no two turns are different.
pub async fn measure(side: &dyn Side, cluster: &Cluster, turns: usize) -> Result<Latency> {
    let (user, observer) = (User::new(side, cluster)?, Observer::start(&cluster.client()?, side));
    let (mut available, mut listed, mut back) = (Vec::new(), Vec::new(), Vec::new());
    let (mut deploy, mut way_back) = Default::default();
    for turn in 0..turns {
        let app = format!("one-{turn}");
        user.create(&app, PODS).await?;
        observer.until("a new app is healthy", |seen| seen.healthy.get(&app).map(|_| ())).await?;
        tokio::time::sleep(REST).await;

        let (before, mark) = (observer.now(|seen| version(seen, &app)), user.mark()?);
        user.edit(&app, side.deploy("v2")).await?;
        let moved = moved(&observer, &app, &before).await?;
        // The newest ReplicaSet of the app is the one that it has moved to.
        let target = observer
            .now(|seen| seen.available.values().filter(|(of, _)| *of == app).map(|(_, at)| *at).max());
        available.extend(target.map(|at| moved.saturating_duration_since(at)));
        let slices =
            side.trial(&app).and_then(|service| observer.now(|seen| seen.listed.get(&service).copied()));
        listed.extend(slices.map(|(_, at)| moved.saturating_duration_since(at)));
        tokio::time::sleep(REST).await;
        deploy = user.requests(mark)?;

        let (before, mark) = (observer.now(|seen| version(seen, &app)), user.mark()?);
        let sent = Instant::now();
        user.edit(&app, side.back()).await?;
        back.push(moved_since(&observer, &app, &before, sent).await?);
        // One by one too, so that runs that take turns can be put together.
        eprintln!(
            "{app}: available -> moved {:.1?}, listed -> moved {:.1?}, back -> moved {:.1?}",
            available.last(),
            listed.last(),
            back.last()
        );
        tokio::time::sleep(REST).await;
        way_back = user.requests(mark)?;
        user.delete(&app).await?;
    }
    Ok(Latency {
        available_to_moved: available.into_iter().collect(),
        listed_to_moved: listed.into_iter().collect(),
        back_to_moved: back.into_iter().collect(),
        deploy,
        way_back,
    })
}

/// The version that the app's requests go to.
pub fn version(seen: &Seen, app: &str) -> String {
    seen.served.get(app).map(|(value, _)| value.clone()).unwrap_or_default()
}

async fn moved(observer: &Observer, app: &str, before: &str) -> Result<Instant> {
    let look = |seen: &Seen| seen.served.get(app).filter(|(value, _)| value != before).map(|(_, at)| *at);
    observer.until("the app moves", look).await
}

async fn moved_since(observer: &Observer, app: &str, before: &str, sent: Instant) -> Result<Duration> {
    Ok(moved(observer, app, before).await?.saturating_duration_since(sent))
}
