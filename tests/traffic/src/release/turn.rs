//! One release: from the edit to the way back, under traffic.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bluegreen_cluster::get;
use bluegreen_load::{Client, Failure, Kind, Load, Outcome, Plan, Report};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, ListParams};
use tokio::time::sleep;

use super::side::Side;
use super::{Entry, Order, Place, begin};
use crate::scene::PATIENCE;
use crate::stage::Stage;

/// How long the load runs before the release and after the way back.
const AROUND: Duration = Duration::from_secs(4);

/// How often the Service is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Releases the bad version once.
pub async fn measure(place: &Place, stage: &Stage, order: &Order, turn: usize) -> Result<Entry> {
    let mut entry = begin(place.side, order)?;
    let clients = vec![Client::fresh(order.rate.fresh), Client::keep_alive(order.rate.kept)];
    let plan = Plan { clients, source_addresses: stage.sources.clone(), ..Plan::new(place.address) };
    let load = Load::start(plan)?;
    let origin = Instant::now() - load.mark("begin");
    sleep(AROUND).await;

    let services: Api<Service> = Api::namespaced(stage.client.clone(), &place.namespace);
    let good = selected(&services, place.side).await?;
    // Unlike the one before: of this process, and of this turn.
    place.edit(&place.side.release(turn)).await?;
    let moved = async {
        let (bad, live) = until(&services, place.side, |now| now != good).await?;
        let (_, back) = until(&services, place.side, |now| now == good).await?;
        anyhow::Ok((bad, live, back))
    };
    let (bad, live, back) = match moved.await {
        Ok(moved) => moved,
        Err(error) => return Err(error.context(place.describe().await)),
    };
    sleep(AROUND).await;
    let report = load.stop().await?;

    entry.live_ms = (back - live).as_secs_f64() * 1e3;
    count(&mut entry, &report, back.saturating_duration_since(origin));
    entry.counted = counted(stage, place, &bad).await?;
    place.until("it says that the release has failed", Side::blames).await?;
    place.edit(&place.side.give_up()).await?;
    place.until("the good version serves", Side::serves).await?;
    Ok(entry)
}

/// What the live Service selects.
async fn selected(services: &Api<Service>, side: Side) -> Result<String> {
    let selector = services.get("hello").await?.spec.and_then(|spec| spec.selector);
    selector.and_then(|mut selector| selector.remove(side.key())).context("the Service has no such selector")
}

/// Waits until the Service selects something like that; what, and when it was seen.
async fn until(
    services: &Api<Service>,
    side: Side,
    holds: impl Fn(&str) -> bool,
) -> Result<(String, Instant)> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let now = selected(services, side).await?;
        if holds(&now) {
            return Ok((now, Instant::now()));
        }
        sleep(LOOK).await;
    }
    bail!("{}: the Service has not moved within {PATIENCE:?}", side.name())
}

/// Adds what the load saw.
fn count(entry: &mut Entry, report: &Report, back: Duration) {
    for request in report.requests() {
        entry.sent += 1;
        entry.late += u64::from(request.lateness > Duration::from_millis(20));
        let is_bad = request.version.is_some_and(|version| version.ends_with("-bad"));
        entry.answered += u64::from(is_bad);
        match request.outcome {
            Outcome::Ok => {}
            Outcome::Failed(Failure::Status(500)) if is_bad => entry.failed += 1,
            Outcome::Failed(failure) => {
                *entry.lost.entry(format!("{} {failure}", request.kind)).or_default() += 1
            }
        }
        if is_bad && request.kind == Kind::Fresh {
            let lingered = request.ended().saturating_sub(back).as_secs_f64() * 1e3;
            entry.lingered_ms = entry.lingered_ms.max(lingered);
        }
    }
}

/// The errors that the pods of the bad version have counted.
async fn counted(stage: &Stage, place: &Place, bad: &str) -> Result<u64> {
    let pods: Api<Pod> = Api::namespaced(stage.client.clone(), &place.namespace);
    let of_version = ListParams::default().labels(&format!("{}={bad}", place.side.key()));
    let mut sum = 0;
    for pod in pods.list(&of_version).await?.items {
        let address = pod.status.and_then(|status| status.pod_ip).context("the pod has no address")?;
        let text = get((address.as_str(), 8888), "/metrics").await?;
        let line = text.lines().find(|line| line.contains(r#"code="500""#)).context("no such metric")?;
        sum += line.rsplit(' ').next().context("no number")?.parse::<u64>()?;
    }
    Ok(sum)
}
