//! Does one tenant stop the operator for the others?
//!
//! In one namespace, somebody writes everything that is known to harm an operator that watches all namespaces: objects that it
//! can't decode, and more and larger objects than it needs. In another namespace, an app switches to and fro. The operator is
//! ended and started anew in the middle, because a new process has to read all of it.
//!
//! `make tenants` does so in full, with a release build, and writes the figures into `docs/tenants.md`. `make test` does it with
//! a few objects of each kind, and judges no times.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

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

use anyhow::{Context, Result, ensure};
use bluegreen_bench::stats::Sample;
use bluegreen_cluster::patiently;
use e2e::harness::operator::{Operator, PROGRAM};
use k8s_openapi::api::core::v1::Event;
use kube::Client;
use kube::api::{Api, ListParams};

use calm::Calm;
use storm::{Scale, Storm};

/// What the manifests allow the operator, in MiB.
const LIMIT: u64 = 512;

/// How long the operator may take to read everything and lead.
const STARTS: Duration = Duration::from_secs(90);

/// How much slower the other tenant's switches may be, in the median.
const SLOWER: f64 = 1.5;

/// The marks in the document between which the figures stand.
const MARKS: [&str; 2] = ["<!-- measured -->\n", "<!-- /measured -->"];

#[tokio::test(flavor = "multi_thread")]
async fn does_what_one_tenant_writes_stop_nobody_else() -> Result<()> {
    let full = std::env::var_os("FULL").is_some();
    let scale = if full { Scale::FULL } else { Scale::SMALL };
    let turns = if full { 15 } else { 2 };
    let (cluster, user) = setup::start().await?;
    let client = cluster.client()?;
    for name in [calm::NAMESPACE, storm::NAMESPACE] {
        setup::namespace(cluster, name).await?;
    }
    let start = |name: &str| -> Result<Operator> {
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
        let program = std::env::var_os("OPERATOR").map_or_else(|| PROGRAM.into(), PathBuf::from);
        setup::program(&program, &user.kubeconfig, &log, &[])
    };

    let first = start("tenants-before")?;
    let calm = Calm::create(&client).await?;
    let before = calm.switches(turns).await?;

    let mut storm = Storm::new(&client, scale);
    storm.poison().await?;
    let (words, meanwhile) = tokio::join!(storm.flood(&first), calm.switches(turns));
    let words = words?;
    let meanwhile = meanwhile?;
    let while_it_grew = first.peak_memory()?;
    let log = first.log(usize::MAX);
    ensure!(!log.contains("\"items\":["), "the log holds the specs of others");
    // Had it ended by itself, it would not end well now.
    ensure!(first.terminate().await?.success(), "the first process ended badly");

    let second = start("tenants-after")?;
    second.says("leading", STARTS).await?;
    storm.press(&second).await?;
    calm.switch().await.context("the first switch after the start")?;
    let backlog = calm.switches(turns).await?;
    storm.worked_off().await?;
    let after = calm.switches(turns).await?;
    let peak = second.peak_memory()?;
    is_named(&client, &second).await?;

    let worst = while_it_grew.max(peak);
    let sample = |times: Vec<Duration>| -> Sample { times.into_iter().collect() };
    let (before, meanwhile) = (sample(before), sample(meanwhile));
    let (backlog, after) = (sample(backlog), sample(after));
    let ratio = after.quantile(0.5).as_secs_f64() / before.quantile(0.5).as_secs_f64();
    let table = format!(
        "| what | figure |\n|---|---|\n{words}| edit → Service moved, another tenant, before | {before} |\n\
         | … while all of this was written | {meanwhile} |\n| … while a new process of the operator works it off | {backlog} |\n\
         | … with all of it there | {after} |\n\
         | ratio of the medians, after : before | {ratio:.2} |\n\
         | largest resident memory, the process that saw it grow | {while_it_grew} MiB |\n\
         | largest resident memory, the process that started with it | {peak} MiB |\n\
         "
    );
    println!("{table}");
    if full {
        write(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tenants.md")), &table)?;
        ensure!(ratio <= SLOWER, "the other tenant's switches are {ratio:.2} times slower");
        ensure!(worst <= LIMIT, "{worst} MiB are more than the limit of {LIMIT} MiB");
    }
    ensure!(second.terminate().await?.success(), "the second process ended badly");
    Ok(())
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

/// Puts the figures into a document, in place of the last ones.
fn write(path: &Path, table: &str) -> Result<()> {
    let text = std::fs::read_to_string(path)?;
    let (head, rest) = text.split_once(MARKS[0]).context("the document has no mark")?;
    let (_, tail) = rest.split_once(MARKS[1]).context("the document has no closing mark")?;
    Ok(std::fs::write(path, format!("{head}{}{table}{}{tail}", MARKS[0], MARKS[1]))?)
}
