//! Does any edit of an app, however mad, disturb the color that serves, the operator, or the app's recovery?
//!
//! Sequences of random edits, some meaningful and some from the CRD's own schema (see `hostile/`), each on an app of
//! its own, dozens side by side, under one real operator on a real API server with simulated nodes. After the last edit,
//! a good one, the app must recover with no help; only if it holds that edit, and names the one that lets it pass, is it
//! given that too. A guard replays every change; the audit log says how much was written.
//!
//! `SEQUENCES=n`, from `SEED=n` on; the one that failed is played alone by `SEQUENCES=1 SEED=its`. `PARALLEL=n` of them
//! are played side by side.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
#[path = "hostile/edits.rs"]
mod edits;
#[path = "hostile/schema.rs"]
mod schema;
#[path = "hostile/sequence.rs"]
mod sequence;
#[path = "waits/setup.rs"]
mod setup;
#[path = "hostile/writes.rs"]
mod writes;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{ResourceQuota, Service};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;

use e2e::harness::operator::Operator;
use sequence::{Ended, Sequence};
use writes::Writes;

/// Sequences of the sample that every run of the tests plays.
const SAMPLE: u64 = 24;

/// Pods that a namespace may have: what asks for millions gets these.
const QUOTA: &str = "16";

/// Write requests for one sequence: what a first activation, nine switches to new tags, their drains, and some
/// refusals with their back-off take. A loop without a pause would make thousands.
const MOST_WRITES: u64 = 600;

/// Starts the operator again when it ends because it lost its Lease, which a busy machine may make it do, as a kubelet
/// would. Any other end is a failure.
struct Keeper<'a> {
    kubeconfig: &'a Path,
    operator: Operator,
    starts: usize,
}

impl<'a> Keeper<'a> {
    fn start(kubeconfig: &'a Path) -> Result<Self> {
        Ok(Self { kubeconfig, operator: Self::operator(kubeconfig, 0)?, starts: 1 })
    }

    fn operator(kubeconfig: &Path, number: usize) -> Result<Operator> {
        let patience = ["--lease-duration=45s", "--lease-renew-deadline=35s", "--lease-retry-period=5s"];
        let arguments: Vec<_> = ["--concurrency=32"].into_iter().chain(patience).collect();
        setup::operator(kubeconfig, &format!("hostile-{number}"), &arguments)
    }

    /// Returns only with an error.
    async fn keep(&mut self) -> Result<()> {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if self.operator.ended(Duration::ZERO).await.is_err() {
                continue;
            }
            let log = self.operator.log(5);
            ensure!(log.contains("leadership lost"), "the operator ended:\n{}", self.operator.log(40));
            self.check()?;
            self.operator = Self::operator(self.kubeconfig, self.starts)?;
            self.starts += 1;
        }
    }

    /// A panic of one pass does not end the process: the log tells.
    fn check(&self) -> Result<()> {
        let log = self.operator.log(usize::MAX);
        let panic = log.lines().find(|line| line.contains("panicked at"));
        ensure!(panic.is_none(), "the operator panicked: {panic:?}");
        Ok(())
    }
}

/// A sequence that was played.
struct Played {
    seed: u64,
    result: Result<Ended>,
    story: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn does_no_edit_disturb_what_serves_and_does_every_app_recover() -> Result<()> {
    let (first, count) = (number("SEED").unwrap_or(1), number("SEQUENCES").unwrap_or(SAMPLE));
    let parallel = number("PARALLEL").unwrap_or(16).min(count.max(1));
    let (cluster, user) = setup::start().await?;
    let client = cluster.client()?;
    take_the_node_port(&client).await?;
    let mut keeper = Keeper::start(&user.kubeconfig)?;
    keeper.operator.says("leading", Duration::from_secs(60)).await?;
    let writes = Writes::count(cluster.audit()?, setup::USER)?;

    let (next, start) = (AtomicU64::new(first), Instant::now());
    let next = &next;
    let workers = (0..parallel).map(|worker| {
        let client = client.clone();
        async move {
            let namespace = format!("hostile-{worker}");
            setup::namespace(cluster, &namespace).await?;
            quota(&client, &namespace).await?;
            let mut played = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= first + count {
                    return anyhow::Ok(played);
                }
                let mut sequence = Sequence::new(seed, &client, &namespace);
                let result = sequence.play().await;
                if let Err(error) = &result {
                    println!("\nFAILED {sequence}\n{error:#}\n");
                }
                played.push(Played { seed, result, story: sequence.to_string() });
                let done = seed - first + 1;
                if done.is_multiple_of(50) {
                    println!("{done} of {count} begun, {:.0} s", start.elapsed().as_secs_f64());
                }
            }
        }
    });
    let workers = futures::future::try_join_all(workers);
    let played: Vec<Played> = tokio::select! {
        played = workers => played?.into_iter().flatten().collect(),
        error = keeper.keep() => return error,
    };
    keeper.check()?;
    println!("the operator was started {} times", keeper.starts);
    report(&played, writes, start.elapsed()).await
}

async fn report(played: &[Played], writes: Writes, took: Duration) -> Result<()> {
    let writes = writes.by_seed().await?;
    let of = |seed: u64| writes.get(&seed).copied().unwrap_or(0);
    let ended: Vec<&Ended> = played.iter().filter_map(|played| played.result.as_ref().ok()).collect();
    let disturbed = played
        .iter()
        .filter(|played| played.result.as_ref().is_err_and(|error| error.to_string().contains("DISTURBED")));
    let edits: usize = ended.iter().map(|ended| ended.edits).sum();
    let refused: usize = ended.iter().map(|ended| ended.refused).sum();
    let named = ended.iter().filter(|ended| ended.by_named_edit).count();
    let longest = ended.iter().map(|ended| ended.recovered_in).max().unwrap_or_default();
    let most = played.iter().map(|played| (of(played.seed), played.seed)).max().unwrap_or_default();
    println!("{edits} edits, {refused} of them refused at admission; longest recovery {longest:.1?}");
    let (checked, jobs) = ended
        .iter()
        .fold((0, 0), |(checked, jobs), ended| (checked + usize::from(ended.jobs > 0), jobs + ended.jobs));
    println!("{checked} sequences ran checks, {jobs} Jobs in all");
    println!(
        "write requests: {} for a sequence on average, {} at most (SEED={})",
        writes.values().sum::<u64>() / (played.len() as u64).max(1),
        most.0,
        most.1
    );
    println!(
        "{} sequences, {} recovered, of which {} by the edit that the app named, {} disturbances, in {:.0} s",
        played.len(),
        ended.len(),
        named,
        disturbed.count(),
        took.as_secs_f64()
    );
    let loops: Vec<_> = played.iter().filter(|played| of(played.seed) > MOST_WRITES).collect();
    for Played { seed, story, .. } in &loops {
        println!("{} write requests: {story}", of(*seed));
    }
    let failed: Vec<u64> = played.iter().filter(|played| played.result.is_err()).map(|p| p.seed).collect();
    ensure!(failed.is_empty(), "these seeds failed: {failed:?}");
    ensure!(loops.is_empty(), "{} sequences made more than {MOST_WRITES} write requests", loops.len());
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Somebody else's Service has the node port that apps ask for.
async fn take_the_node_port(client: &Client) -> Result<()> {
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": "first"},
        "spec": {
            "type": "NodePort", "selector": {"app": "first"},
            "ports": [{"port": 80, "nodePort": edits::TAKEN_NODE_PORT}],
        },
    }))?;
    Api::namespaced(client.clone(), "default").create(&PostParams::default(), &service).await?;
    Ok(())
}

async fn quota(client: &Client, namespace: &str) -> Result<()> {
    let quota: ResourceQuota = serde_json::from_value(json!({
        "metadata": {"name": "pods"}, "spec": {"hard": {"pods": QUOTA}},
    }))?;
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &quota).await?;
    Ok(())
}
