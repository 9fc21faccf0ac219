//! The table state × consumer → verdict, on a real API server with the real operator.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::lua;
use crate::rows::{Row, rows};
use crate::stage::Stage;
use crate::verdict::Verdict;
use crate::{full, states};

/// How long somebody waits in a state that does not end by itself.
const SECONDS: u32 = 15;

/// What has not changed for that long is there to stay.
const REST: Duration = Duration::from_secs(4);

/// Apps at the same time: each brings an operator, a Helm and a kubectl.
const AT_ONCE: usize = 4;

/// What the consumers said.
struct Seen {
    row: Row,
    helm: Verdict,
    kubectl: Verdict,
    health: String,
    object: Value,
    /// Of Helm's verdict.
    took: f64,
}

impl Seen {
    /// The verdicts that are as designed.
    fn right(&self) -> usize {
        [
            self.helm == self.row.waits,
            self.kubectl == self.row.kubectl(),
            self.health == self.row.waits.health(),
        ]
        .into_iter()
        .filter(|right| *right)
        .count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn is_every_consumer_told_what_is_so_in_every_state() -> Result<()> {
    let only = std::env::var("STATES").ok();
    let wanted = |row: &Row| match &only {
        Some(names) => names.split(',').any(|name| name == row.name),
        None => full() || row.short,
    };
    let all: Vec<Seen> = stream::iter(rows().into_iter().filter(wanted))
        .map(|row| async move {
            let name = row.name;
            look(row).await.with_context(|| format!("state {name}"))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    println!("| state | Helm 4 `upgrade --wait` | after | `kubectl wait` | Argo CD |\n|---|---|---|---|---|");
    for seen in &all {
        let Seen { row, helm, kubectl, health, took, .. } = seen;
        println!("| {} | {helm} | {took:.1} s | {kubectl} | {health} |", row.means);
    }
    let right: usize = all.iter().map(Seen::right).sum();
    println!("{right} of {} verdicts as designed", all.len() * 3);
    let wrong: Vec<_> = all.iter().filter(|seen| seen.right() < 3).map(|seen| seen.row.name).collect();
    ensure!(wrong.is_empty(), "not as designed: {}", wrong.join(", "));
    let objects: BTreeMap<_, _> =
        all.into_iter().map(|seen| (seen.row.name.to_owned(), seen.object)).collect();
    states::keep(&objects)
}

async fn look(row: Row) -> Result<Seen> {
    let mut stage = Stage::new(row.name).await?;
    (row.reach)(&mut stage).await?;
    let before = at_rest(&stage, row.name).await?;
    let (helm, kubectl) = tokio::join!(stage.helm_waits(SECONDS), stage.kubectl_waits(SECONDS));
    let (helm, kubectl) = (helm?, kubectl?);
    let object = stage.object()?;
    let after = states::essence(row.name, &object, &stage.sandbox.namespace);
    // Or the verdicts would be about something else.
    ensure!(same(&before, &after), "the state did not last: {before:#}\n{after:#}");
    let (health, _) = lua::health(&object)?;
    stage.sandbox.kubectl(&["delete", "namespace", &stage.sandbox.namespace, "--wait=false"]).await?;
    Ok(Seen { helm: helm.verdict()?, kubectl, health, object: after, took: helm.took.as_secs_f64(), row })
}

/// The state as soon as nothing about it changes any more: the idle color may take longer to get where it is to be.
async fn at_rest(stage: &Stage, name: &str) -> Result<Value> {
    let mut last = states::essence(name, &stage.object()?, &stage.sandbox.namespace);
    for _ in 0..20 {
        tokio::time::sleep(REST).await;
        let now = states::essence(name, &stage.object()?, &stage.sandbox.namespace);
        if same(&last, &now) {
            return Ok(now);
        }
        last = now;
    }
    bail!("it does not come to rest: {last:#}")
}

/// But for the words, which may tell of progress.
fn same(before: &Value, after: &Value) -> bool {
    let conditions = |object: &Value| -> Vec<_> {
        let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        all.iter().map(|c| (c["type"].clone(), c["status"].clone(), c["reason"].clone())).collect()
    };
    before["metadata"] == after["metadata"] && conditions(before) == conditions(after)
}
