//! Does one tenant stop the operator for the others?
//!
//! In one namespace, somebody writes everything that is known to harm an operator that watches all namespaces: objects that it
//! can't decode, and more and larger objects than it needs. In another namespace, an app switches to and fro. The operator is
//! ended and started anew in the middle, because a new process has to read all of it.
//!
//! `make tenants` does so in full, with a release build, and writes the figures into `docs/tenants.md`. `make test` does it with
//! a few objects of each kind, and judges no times.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "alerts/live.rs"]
#[allow(dead_code)]
mod alerts;
#[path = "tenants/calm.rs"]
mod calm;
#[path = "e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
#[path = "waits/setup.rs"]
#[allow(dead_code)]
mod setup;
#[path = "tenants/storm.rs"]
mod storm;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bluegreen_cluster::{code, patiently, put_between};
use e2e::harness::operator::{Operator, PROGRAM};
use k8s_openapi::api::core::v1::Event;
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::Value;

use alerts::Alerts;
use calm::{Calm, median};
use storm::{Scale, Storm};

/// What the figures depend on.
const MEASURED: [&str; 6] =
    ["src", "crates", "tests/cluster", "tests/tenants", "tests/tenants.rs", "Cargo.lock"];

/// How long the operator may take to read everything and lead.
const STARTS: Duration = Duration::from_secs(90);

/// How much slower the other tenant's switches may be, in the median.
const SLOWER: f64 = 1.5;

/// The one alert that all of this is worth to those who run the operator.
const ALERT: &str = "BlueGreenObjectUnreadable";

/// What the team of the namespace is told of its own: an app whose Deployment can't be read, another one that is refused.
const ITS_OWN: [&str; 2] = ["BlueGreenAppStalled", "BlueGreenSwitchStalled"];

/// How long it may take until it fires, and until everything else has: ten minutes, and a scrape.
const FIRES: Duration = Duration::from_secs(630);

#[tokio::test(flavor = "multi_thread")]
async fn does_what_one_tenant_writes_stop_nobody_else() -> Result<()> {
    let full = std::env::var_os("FULL").is_some();
    // The code may be another one by the end of the run.
    let commit = full.then(|| code(&MEASURED)).transpose()?;
    let scale = if full { Scale::FULL } else { Scale::SMALL };
    let turns = if full { 15 } else { 2 };
    let (cluster, user) = setup::start().await?;
    let client = cluster.client()?;
    for name in [calm::NAMESPACE, storm::NAMESPACE] {
        setup::namespace(cluster, name).await?;
    }
    let limit = limit()?;
    let start = |name: &str| -> Result<(Operator, Result<()>)> {
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
        let program = std::env::var_os("OPERATOR").map_or_else(|| PROGRAM.into(), PathBuf::from);
        let operator = setup::program(&program, &user.kubeconfig, &log, &[])?;
        let limited = cluster.limit_memory(name, operator.pid(), limit);
        Ok((operator, limited))
    };

    let (first, limited) = start("tenants-before")?;
    let part = async {
        first.says("leading", STARTS).await?;
        let alerts = Alerts::watch(cluster, &first.address("/metrics")?).await?;
        let calm = Calm::create(&client).await?;
        let before = calm.measure(turns).await?;
        let mut storm = Storm::new(&client, scale);
        storm.poison().await?;
        let (words, meanwhile) = tokio::join!(storm.flood(&first), calm.measure(turns));
        anyhow::Ok((alerts, calm, before, storm, words?, meanwhile?))
    };
    let (alerts, calm, before, mut storm, words, meanwhile) = while_it_runs(&first, part).await?;
    let while_it_grew = first.peak_memory()?;
    let log = first.log(usize::MAX);
    ensure!(!log.contains("\"items\":["), "the log holds the specs of others");
    ensure!(!log.contains('\u{1b}'), "the log holds what a terminal obeys");
    let mut ends = u32::from(first.has_ended()?);
    ensure!(first.terminate().await?.success(), "the first process ended badly");

    let (second, also_limited) = start("tenants-after")?;
    let part = async {
        second.says("leading", STARTS).await?;
        alerts.follow(&second.address("/metrics")?).await?;
        storm.press(&second).await?;
        calm.switch().await.context("the first switch after the start")?;
        let backlog = calm.measure(turns).await?;
        storm.worked_off().await?;
        anyhow::Ok((backlog, calm.measure(turns).await?))
    };
    let (backlog, after) = while_it_runs(&second, part).await?;
    let peak = second.peak_memory()?;
    is_named(&client, &second).await?;
    is_harmless(&client).await?;
    ends += u32::from(second.has_ended()?);

    let worst = while_it_grew.max(peak);
    let ratio = median(&after.switches) / median(&before.switches);
    let states = [
        ("before", &before),
        ("while all of this is written", &meanwhile),
        ("while a new process of the operator works it off", &backlog),
        ("with all of it there", &after),
    ];
    let rows = states
        .map(|(state, it)| format!("| {state} | {} | {} | {:.2} |\n", it.switches, it.control, it.ratio()));
    let table = format!(
        "| what | figure |\n|---|---|\n{words}\
         | largest resident memory, the process that saw it grow | {while_it_grew} MiB |\n\
         | largest resident memory, the process that started with it | {peak} MiB |\n\
         | ends of the operator that nobody asked for | {ends} |\n\n\
         | another tenant's app | edit → Service moved | the same work without an operator | ratio of the medians |\n\
         |---|---|---|---|\n{}\n\
         With all of it there, a switch takes {ratio:.2} times as long as before.\n",
        rows.concat()
    );
    println!("{table}");
    let fired = is_alerted(&alerts, full).await?;
    println!("alerts: {fired}");
    if let Some(commit) = commit {
        let place = match limited.and(also_limited) {
            Ok(()) => format!("in a cgroup with {limit} MiB of memory"),
            Err(error) => {
                println!("without a limit of memory: {error:#}");
                "without a limit of memory".to_owned()
            }
        };
        let table =
            format!("{table}\nAlerts that have fired: {fired}.\n\nMeasured at commit `{commit}`, {place}.\n");
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tenants.md");
        put_between(Path::new(document), "measured", &table)?;
        ensure!(ratio <= SLOWER, "the other tenant's switches are {ratio:.2} times slower");
        for (state, it) in states {
            let (now, then) = (it.ratio(), before.ratio());
            ensure!(now <= SLOWER * then, "{state}: the operator's share grew from {then:.2} to {now:.2}");
        }
        ensure!(worst <= limit, "{worst} MiB are more than the limit of {limit} MiB");
    }
    ensure!(ends == 0, "the operator has ended by itself");
    ensure!(second.terminate().await?.success(), "the second process ended badly");
    Ok(())
}

/// What the manifests allow the operator, in MiB.
fn limit() -> Result<u64> {
    let manifest: Value = serde_yaml_ng::from_str(include_str!("../config/manager/manager.yaml"))?;
    let limit = &manifest["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"];
    let mebibytes = limit.as_str().and_then(|limit| limit.strip_suffix("Mi")).context("no limit in Mi")?;
    Ok(mebibytes.parse()?)
}

/// What this part of the test gives. Where the operator ends meanwhile, as one that takes more memory than it may, nothing else can go well.
async fn while_it_runs<T>(operator: &Operator, part: impl Future<Output = Result<T>>) -> Result<T> {
    let end = async {
        while !operator.has_ended()? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        given = part => given,
        end = end => {
            end?;
            bail!("the operator has ended by itself; its log ends with\n{}", operator.log(20))
        }
    }
}

/// Every object that the operator can't read has an Event, and is counted.
async fn is_named(client: &Client, operator: &Operator) -> Result<()> {
    let api: Api<Event> = Api::namespaced(client.clone(), storm::NAMESPACE);
    let attempt = async || {
        let counted = operator.metric("bluegreen_unreadable_objects").await?;
        ensure!(counted == storm::UNREADABLE, "{counted} objects are counted as unreadable");
        let events = api.list(&ListParams::default().fields("reason=Unreadable")).await?.items;
        let mut names: Vec<_> = events.into_iter().filter_map(|event| event.involved_object.name).collect();
        names.sort();
        names.dedup();
        ensure!(names.len() as u64 == storm::UNREADABLE, "Events on {names:?}");
        Ok(())
    };
    patiently(Duration::from_secs(30), attempt).await
}

/// The edit with escape sequences has an Event, and no Event has what a terminal obeys.
async fn is_harmless(client: &Client) -> Result<()> {
    let api: Api<Event> = Api::namespaced(client.clone(), storm::NAMESPACE);
    let attempt = async || {
        let events = api.list(&ListParams::default().fields("reason=EditReverted")).await?.items;
        let told = events.iter().any(|event| event.involved_object.name.as_deref() == Some(storm::ESCAPED));
        ensure!(told, "no Event tells of the edit by hand");
        Ok(())
    };
    patiently(Duration::from_secs(30), attempt).await?;
    for event in api.list(&ListParams::default()).await?.items {
        let words = event.message.unwrap_or_default();
        ensure!(!words.contains('\u{1b}'), "{words:?}");
    }
    Ok(())
}

/// One alert tells those who run the operator of all of it, and none tells another tenant anything. Returns which have fired: only
/// in the long run do they have the time to.
async fn is_alerted(alerts: &Alerts, full: bool) -> Result<String> {
    if !full {
        // A switch that has just begun makes an expression true as well.
        let active = alerts.active().await?;
        ensure!(active.iter().any(|alert| alert == ALERT), "alerts whose expression is true: {active:?}");
        return Ok("too short to say".to_owned());
    }
    let fires = async || {
        let (firing, active) = (alerts.firing().await?, alerts.active().await?);
        ensure!(firing.iter().any(|alert| alert == ALERT), "{firing:?} fire");
        // What was true for a time either fires or is over.
        let expected = |alert: &String| alert == ALERT || ITS_OWN.contains(&alert.as_str());
        ensure!(active.iter().all(|alert| expected(alert) || firing.contains(alert)), "{active:?} may fire");
        Ok(())
    };
    patiently(FIRES, fires).await?;
    let fired = alerts.fired().await?;
    let is_expected = |(alert, namespace): &(String, String)| {
        alert == ALERT || (namespace == storm::NAMESPACE && ITS_OWN.contains(&alert.as_str()))
    };
    ensure!(fired.iter().all(is_expected), "{fired:?} have fired");
    Ok(fired
        .iter()
        .map(|(alert, namespace)| format!("`{alert}` of {namespace}"))
        .collect::<Vec<_>>()
        .join(", "))
}
