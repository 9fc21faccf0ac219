//! Many apps are watched after their switch when their Prometheus dies: nothing moves, and one person is told once.
//!
//! `make outage` does so with 200 apps and a release build, and writes the figures into docs/checks.md; without `APPS` there are a
//! few.

#[path = "../../alerts/live.rs"]
#[allow(dead_code)]
mod alerts;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bluegreen_api::CheckResult::{Inconclusive, Passed};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{Entry, patiently, put_between};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World, app, cluster};
use alerts::Alerts;

/// The document with the figures.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/checks.md");

/// The most write requests for one app from the edit that asks for the switch until the last verdict, Events aside: the switch with
/// its status, the Job, and the verdict.
const MOST_WRITES: usize = 12;

/// Requests at the same time.
const AT_ONCE: usize = 8;

/// A check of the error rate after the switch, of a Prometheus that nobody answers for.
fn errors() -> Value {
    json!([{"name": "errors", "when": "After", "prometheus": {
        "address": "http://prometheus.monitoring:9090", "query": "up", "max": "1",
    }}])
}

#[tokio::test]
async fn does_an_outage_of_prometheus_under_many_watched_apps_move_nothing_and_alert_once() -> Result<()> {
    let count: usize = std::env::var("APPS").ok().and_then(|apps| apps.parse().ok()).unwrap_or(6);
    let cluster = cluster().await?;
    // So many apps have a small machine's API server at its limit, and a Lease that runs out is not what is asked here.
    let sandbox = Sandbox::new("outage").await?.with_pace(["60s", "40s", "5s", "15s"]);
    let operator = match std::env::var_os("OPERATOR") {
        Some(program) => sandbox.operator_from(Path::new(&program))?,
        None => sandbox.operator()?,
    };
    let names: Vec<String> = (0..count).map(|number| format!("app-{number}")).collect();
    let limit = Duration::from_secs(60 + 3 * u64::try_from(count)?);
    let of_all = |holds: fn(&World, &str) -> bool| {
        let names = names.clone();
        move |world: &World| names.iter().all(|name| holds(world, name))
    };
    let declared =
        |name: &String| sandbox.apply_owned(app(name).replicas(1).with(json!({"checks": errors()})));
    stream::iter(&names).map(declared).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    // The checks of the first activation run, too, at most 100 at a time; blue passes, so that it is a way back.
    let proven = |world: &World, name: &str| {
        let checks = world.status(name).map(|status| status.checks).unwrap_or_default();
        let passed = checks.iter().any(|check| check.result == Passed);
        passed && world.settled(name) && world.says(name, "StandbyReady").is_some()
    };
    tokio::select! {
        ended = end_all(&sandbox, "0") => ended?,
        reached = sandbox.within(limit, "all serve", of_all(proven)) => reached?,
    }
    // Before anything happens: an increase is counted from what was scraped.
    let alerts = Alerts::watch(cluster, &operator.address("/metrics")?).await?;

    let (audit, before) = (cluster.audit()?, operator.cpu()?);
    let (began, start) = (audit.end()?, Instant::now());
    let activated = |name: &String| {
        let name = name.clone();
        let sandbox = &sandbox;
        async move { sandbox.activate(&name, Green).await }
    };
    stream::iter(&names).map(activated).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let over = |world: &World, name: &str| {
        let checks = world.status(name).map(|status| status.checks).unwrap_or_default();
        checks.iter().any(|check| check.result == Inconclusive) && world.serves(name, Green)
    };
    let all_are_over = of_all(over);
    tokio::select! {
        ended = end_all(&sandbox, "75") => ended?,
        reached = sandbox.within(limit, "no check can tell, and green serves", &all_are_over) => reached?,
    }
    let took = start.elapsed();
    // The time in which it might go back.
    sandbox.throughout(Duration::from_secs(10), "green serves", &all_are_over).await?;
    let cpu = operator.cpu()? - before;
    let fires = async || {
        let firing = alerts.firing().await?;
        ensure!(!firing.is_empty(), "no alert fires");
        Ok(firing)
    };
    let firing = patiently(Duration::from_secs(60), fires).await?;
    ensure!(firing == ["BlueGreenChecksCannotTell"], "{firing:?}");
    let moves = sandbox.guard().switches.iter().filter(|switch| switch.to == Blue).count();
    // The first activation of each app is one to blue.
    ensure!(moves == count, "{} apps went back", moves.saturating_sub(count));
    let (most, mean, events) = writes(&audit.since(began)?.0, &sandbox);
    ensure!(most <= MOST_WRITES, "{most} writes for one app");
    let table = format!(
        "| what | figure |\n|---|---|\n| apps whose checks can't tell | {count} |\n| switches back | 0 |\n\
         | alerts that fire | 1: `{}` |\n| write requests for one app, from the edit to the verdict: mean, most (+ Events) | {mean:.1}, \
         {most} (+ {events:.1}) |\n| CPU time of the operator for all of it | {:.1} s in {:.0} s |\n",
        firing.concat(),
        cpu.as_secs_f64(),
        took.as_secs_f64(),
    );
    println!("{table}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        put_between(Path::new(DOCUMENT), "outage", &table)?;
    }
    sandbox.finish().await
}

/// Ends each pod of a check that runs, with this exit code; for ever. 75: as the program does that gets no answer.
async fn end_all(sandbox: &Sandbox, code: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let of_jobs = ListParams::default().labels("batch.kubernetes.io/job-name");
    // The Job controller waits from the end of the last pod on, so these are tried again without a wait.
    let exit = json!({"metadata": {"annotations": {
        "test.bluegreen.dev/exit": code, "test.bluegreen.dev/exited-at": "2000-01-01T00:00:00Z",
    }}});
    let params = PatchParams::default();
    loop {
        let all = pods.list(&of_jobs).await?.items;
        let runs = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running") && !pod.annotations().contains_key("test.bluegreen.dev/exit")
        };
        let end = |name: String| {
            let (pods, params, exit) = (&pods, &params, Patch::Merge(&exit));
            async move { pods.patch(&name, params, &exit).await }
        };
        let names: Vec<String> = all.iter().filter(|pod| runs(pod)).map(ResourceExt::name_any).collect();
        // One that is gone meanwhile has ended, too.
        stream::iter(names).map(end).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The operator's writes for an app, Leases aside: the most, the mean, and the mean of Events.
#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn writes(entries: &[Entry], sandbox: &Sandbox) -> (usize, f64, f64) {
    let mine =
        |entry: &&Entry| entry.user == sandbox.user.name && entry.is_write() && entry.resource != "leases";
    let mut by_app = BTreeMap::<String, usize>::new();
    let mut events = 0;
    for entry in entries.iter().filter(mine) {
        if entry.resource == "events" {
            events += 1;
            continue;
        }
        // A Job, and what belongs to a color, has the app's name in front.
        let app: Vec<&str> = entry.name.split('-').take(2).collect();
        *by_app.entry(app.join("-")).or_default() += 1;
    }
    let apps = sandbox.world().all(Kind::App).count().max(1) as f64;
    let sum: usize = by_app.values().sum();
    (by_app.values().copied().max().unwrap_or_default(), sum as f64 / apps, f64::from(events) / apps)
}
