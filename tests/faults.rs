//! Is a switch as safe, and does it end as well, when the operator dies at the worst moment or is told lies about its
//! writes?
//!
//! One switch, to a color whose tag changes in the same edit, is rehearsed to learn its writes. Then it is repeated once
//! for every write and every fault that can befall it. Each time the end must be that of the rehearsal, and a guard that
//! watches the API server itself must find that no instant broke a promise.
//!
//! A sample of the cases runs by default, another one for each `SEED`; `FULL=1` runs all of them. `CASE=words` runs
//! those whose name contains the words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
#[path = "faults/end.rs"]
mod end;
#[path = "faults/fault.rs"]
mod fault;
#[path = "faults/stage.rs"]
mod stage;

use std::time::Instant;

use anyhow::{Result, ensure};
use bluegreen_proxy::Random;
use futures::StreamExt;

use end::End;
use fault::{Case, Fault};
use stage::Stage;

/// Cases that run at the same time: they mostly wait.
const PARALLEL: usize = 4;

/// Cases of the sample.
const SAMPLE: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn does_every_fault_at_every_write_of_a_switch_end_as_if_it_had_not_been() -> Result<()> {
    let seed = variable("SEED").and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let (writes, wanted) = rehearse().await?;
    println!("the switch makes {} writes:", writes.len());
    writes.iter().for_each(|write| println!("  {write}"));
    let cases = chosen(&writes, seed);
    println!("{} cases, seed {seed}", cases.len());

    let start = Instant::now();
    let results: Vec<(Case, Result<Ran>)> = futures::stream::iter(cases)
        .map(async |case| {
            let result = run(&case, &wanted).await;
            (case, result)
        })
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    let missed = results.iter().filter(|(_, result)| matches!(result, Ok(Ran { struck: false })));
    println!("{} cases in {:.0} s", results.len(), start.elapsed().as_secs_f64());
    // How often a status that only counts pods is written depends on time: its last writes may be missing.
    println!("{} of them made fewer writes, so that the fault did not strike", missed.count());
    let failed: Vec<_> =
        results.iter().filter_map(|(case, result)| Some((case, result.as_ref().err()?))).collect();
    for (case, error) in &failed {
        println!("\nFAILED: {case}: {error:#}");
    }
    ensure!(failed.is_empty(), "{} of {} cases failed", failed.len(), results.len());
    Ok(())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// All cases, or a sample that holds every kind of fault.
fn chosen(writes: &[String], seed: u64) -> Vec<Case> {
    let mut cases = Case::all(writes);
    if let Some(words) = variable("CASE") {
        cases.retain(|case| case.to_string().contains(&words));
    } else if variable("FULL").is_none() {
        let mut random = Random::new(seed);
        // Each fault in turn, each at a write of its own.
        let mut sample: Vec<Case> = Vec::new();
        for fault in Fault::ALL.into_iter().cycle().take(SAMPLE) {
            let mut of_fault: Vec<_> =
                cases.iter().filter(|case| case.fault == fault && !sample.contains(case)).cloned().collect();
            let pick = usize::try_from(random.below(of_fault.len() as u64)).unwrap_or(0);
            if pick < of_fault.len() {
                sample.push(of_fault.swap_remove(pick));
            }
        }
        cases = sample;
    }
    cases
}

/// The switch without a fault: its writes, and how it ends.
async fn rehearse() -> Result<(Vec<String>, End)> {
    let mut stage = Stage::set("rehearsal").await?;
    let before = stage.proxy.log().len();
    stage.edit().await?;
    stage.settled().await?;
    let records = stage.proxy.log().since(before);
    let writes =
        records.iter().filter(|record| record.request.is_change()).map(|record| record.request.to_string());
    let (writes, end) = (writes.collect(), End::of(&stage.sandbox.world()));
    stage.sandbox.finish().await?;
    Ok((writes, end))
}

/// What came of a case that ended well.
struct Ran {
    struck: bool,
}

async fn run(case: &Case, wanted: &End) -> Result<Ran> {
    let mut stage = Stage::set("fault").await?;
    let strike = case.prepare(&stage.proxy);
    stage.edit().await?;
    let struck = strike.carry_out(&mut stage).await?;
    stage.settled().await?;
    let end = End::of(&stage.sandbox.world());
    ensure!(end == *wanted, "it ended differently:\n{}", end.differences(wanted));
    stage.sandbox.finish().await?;
    Ok(Ran { struck })
}
