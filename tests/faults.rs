//! Does every flow end as if nothing had happened, and is nothing unsafe on the way, whatever befalls the operator?
//!
//! Flows are in `faults/flow.rs`, troubles in `faults/{fault,blur,plan}.rs`. Each flow is rehearsed without a trouble;
//! then there is a plan for each trouble, at each of the writes that the rehearsal made. After each the end must equal
//! the rehearsal's, what was made and deleted on the way included, and the guard of `tests/e2e` must have seen no
//! promise broken at any instant.
//!
//! `FULL=1` plays all plans, `CASE=words` those whose names contain the words (`CASE='words|others'`: these or those);
//! otherwise it is a sample with each flow and each trouble. `SEED=n` draws another sample, and other random instants. `PARALLEL=n` plans are played side by
//! side. `RESUME=1` leaves out what passed in the runs before with the same seed, and adds to their figures.
//!
//! `KEEP=1` writes what each flow gave to `docs/faults.jsonl` as soon as the last of its plans has passed, and leaves out
//! the flows that were played with this very code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "faults/blur.rs"]
mod blur;
#[path = "e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
#[path = "faults/end.rs"]
mod end;
#[path = "faults/fault.rs"]
mod fault;
#[path = "faults/flow.rs"]
mod flow;
#[path = "faults/kept.rs"]
mod kept;
#[path = "faults/ledger.rs"]
mod ledger;
#[path = "faults/plan.rs"]
mod plan;
#[path = "faults/stage.rs"]
mod stage;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bluegreen_proxy::Random;
use futures::{StreamExt, TryStreamExt};

use blur::Blur;
use end::End;
use fault::{Fault, Write};
use flow::Flow;
use kept::Kept;
use ledger::Ledger;
use plan::{Moment, Plan, Ran, Trouble};
use stage::{PACE, Stage};

/// Random instants at which the leader of each flow is frozen.
const INSTANTS: usize = 4;

/// Flows in which the app is deleted and made anew.
const REBORN: [&str; 3] = ["first activation", "warm switch", "new tag and active"];

/// A flow, and what it is without a trouble.
struct Rehearsed {
    flow: Flow,
    writes: Vec<Write>,
    end: End,
    /// All that may befall it.
    troubles: Vec<Trouble>,
}

impl Rehearsed {
    /// Keeps what the flow gave in `docs/faults.jsonl`, once all of its plans have passed.
    fn keep_if_complete(&self, ledger: &Ledger, code: &str) -> Result<()> {
        let name = self.flow.name;
        let Some(missed) = ledger.missed_of(&format!("{name}: "), self.troubles.len()) else { return Ok(()) };
        let (writes, plans) = (self.writes.len(), self.troubles.len());
        kept::keep(Kept { flow: name.to_owned(), writes, plans, missed, code: code.to_owned() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn does_every_flow_end_as_if_nothing_had_befallen_the_operator() -> Result<()> {
    let seed = number("SEED").unwrap_or(1);
    let parallel = usize::try_from(number("PARALLEL").unwrap_or(8))?;
    let code = kept::code()?;
    let keeps = is_set("KEEP").then(|| code.clone());
    let rehearsed = rehearse_all(parallel, seed, keeps.as_deref()).await?;
    let plans = chosen(&rehearsed, seed);
    let mut ledger = Ledger::open(seed, &code, plans.iter().map(ToString::to_string).collect())?;
    let due: Vec<_> = plans.into_iter().filter(|plan| ledger.is_due(&plan.to_string())).collect();
    println!(
        "{} plans of {} flows, seed {seed}; {} to be played",
        ledger.total(),
        rehearsed.len(),
        due.len()
    );

    // The plans of a run that was cut off may have been the last of their flow.
    for of_flow in &rehearsed {
        if let Some(code) = &keeps {
            of_flow.keep_if_complete(&ledger, code)?;
        }
    }

    let start = Instant::now();
    let mut results = futures::stream::iter(due)
        .map(async |plan| {
            let start = Instant::now();
            let result = plan.run().await.with_context(|| plan.to_string());
            (plan, start.elapsed(), result)
        })
        .buffer_unordered(parallel);
    while let Some((plan, took, result)) = results.next().await {
        ledger.note(&plan.to_string(), took, result.map(|Ran { struck }| struck))?;
        if let (Some(code), Some(of_flow)) =
            (&keeps, rehearsed.iter().find(|of| of.flow.name == plan.flow.name))
        {
            of_flow.keep_if_complete(&ledger, code)?;
        }
    }
    drop(results);
    println!("{}, in {:.0} s of this run", ledger.summary(), start.elapsed().as_secs_f64());
    ensure!(ledger.failed().is_empty(), "{} plans failed (SEED={seed})", ledger.failed().len());
    Ok(())
}

/// Whether the code is that of a commit. Of edits nothing is known: they may differ.
fn is_known(code: &str) -> bool {
    !code.ends_with("-dirty")
}

fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Each flow without a trouble. `code`: but for those that were played with this code.
async fn rehearse_all(parallel: usize, seed: u64, code: Option<&str>) -> Result<Vec<Rehearsed>> {
    let code = code.filter(|code| is_known(code));
    let kept = if code.is_some() { kept::read()? } else { Vec::new() };
    let is_due = |flow: &Flow| !kept.iter().any(|kept| kept.flow == flow.name && Some(&*kept.code) == code);
    let all: Vec<_> = futures::stream::iter(flow::all().into_iter().filter(is_due))
        .map(async |flow| rehearse(&flow, seed).await.with_context(|| format!("rehearsal of {}", flow.name)))
        .buffered(parallel)
        .try_collect()
        .await?;
    for Rehearsed { flow, writes, .. } in &all {
        println!("{}: {} writes", flow.name, writes.len());
    }
    Ok(all)
}

async fn rehearse(flow: &Flow, seed: u64) -> Result<Rehearsed> {
    let stage = Stage::set(flow, PACE).await?;
    let before = stage.proxy.log().len();
    plan::drive(&stage, flow, std::future::pending()).await?;
    let records = stage.proxy.log().since(before);
    let changes = records.iter().filter(|record| record.request.is_change());
    let writes: Vec<_> = (0..)
        .zip(changes)
        .map(|(number, record)| Write { number, words: without_hash(&record.request.to_string()) })
        .collect();
    let end = End::of(&stage.sandbox, flow);
    stage.sandbox.finish().await?;
    let troubles = troubles(flow, &writes, seed);
    Ok(Rehearsed { flow: flow.clone(), writes, end, troubles })
}

/// The name of a check's Job ends in a hash of the app's uid: the same write would have another name in each run, and a run that
/// goes on would not know it again.
fn without_hash(words: &str) -> String {
    let is_hash = |end: &str| end.len() == 16 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word: &str| match word.rsplit_once('-') {
        Some((name, end)) if word.starts_with("jobs/") && is_hash(end) => name.to_owned(),
        _ => word.to_owned(),
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_job_has_the_same_name_in_every_run() {
    let said = without_hash("create jobs/hello-before-add0caef49003dc1 by bluegreen-operator");
    assert_eq!(said, "create jobs/hello-before by bluegreen-operator");
    assert_eq!(without_hash("patch services/hello-green by x"), "patch services/hello-green by x");
}

/// All plans, or those asked for, or a sample.
fn chosen(rehearsed: &[Rehearsed], seed: u64) -> Vec<Plan<'_>> {
    let words = std::env::var("CASE").ok().filter(|words| !words.is_empty());
    let all = is_set("FULL") || words.is_some();
    let mut random = Random::new(seed);
    let mut plans: Vec<Plan> = Vec::new();
    for (index, of_flow) in rehearsed.iter().enumerate() {
        let troubles = of_flow.troubles.clone();
        let troubles = if all { troubles } else { sample(troubles, index, &mut random) };
        let plan = |trouble| Plan { flow: &of_flow.flow, wanted: &of_flow.end, trouble, seed };
        plans.extend(troubles.into_iter().map(plan));
    }
    if let Some(words) = words {
        let words: Vec<&str> = words.split('|').collect();
        plans.retain(|plan| words.iter().any(|words| plan.to_string().contains(words)));
    }
    // A run that is cut off has tried some of everything, or has played some flows to their end.
    plans.sort_by_cached_key(|plan| {
        let flow = rehearsed.iter().position(|of| of.flow.name == plan.flow.name);
        (flow.filter(|_| is_set("KEEP")), random.draw())
    });
    plans
}

/// Every trouble of a flow that makes these writes.
fn troubles(flow: &Flow, writes: &[Write], seed: u64) -> Vec<Trouble> {
    let mut random = Random::new(seed);
    let at_each =
        |trouble: &dyn Fn(Write) -> Trouble| writes.iter().cloned().map(trouble).collect::<Vec<_>>();
    let mut all = Vec::new();
    for fault in Fault::ALL {
        all.extend(at_each(&|write| Trouble::Fault(fault, write)));
    }
    all.extend(Blur::all().into_iter().map(Trouble::Blur));
    for wakes_first in [true, false] {
        all.extend(at_each(&|write| Trouble::Deposed(Moment::During { write, wakes_first })));
    }
    // The operator of an unobserved flow is frozen by the flow itself at first.
    all.extend((0..INSTANTS).map(|_| Trouble::Deposed(Moment::After(random.below(1_500)))));
    if REBORN.contains(&flow.name) {
        all.extend(at_each(&Trouble::Reborn));
    }
    all
}

/// One fault for each flow, each flow another; and one of everything else, spread over the flows.
fn sample(all: Vec<Trouble>, index: usize, random: &mut Random) -> Vec<Trouble> {
    let wanted = Fault::ALL[index % Fault::ALL.len()];
    let faults = all.iter().filter(|trouble| matches!(trouble, Trouble::Fault(fault, _) if *fault == wanted));
    let others = all.iter().filter(|trouble| match index % 4 {
        0 => matches!(trouble, Trouble::Blur(_)),
        1 => matches!(trouble, Trouble::Deposed(_)),
        2 => matches!(trouble, Trouble::Reborn(_)),
        _ => false,
    });
    let mut pick = |of: Vec<&Trouble>| {
        let index = usize::try_from(random.below(of.len() as u64)).unwrap_or(0);
        of.get(index).map(|trouble| (*trouble).clone())
    };
    pick(faults.collect()).into_iter().chain(pick(others.collect())).collect()
}
