//! `make model`: explores the large bounds, then takes out one guard after the other.

use std::process::ExitCode;
use std::time::Instant;

use bluegreen_model::explore::{Explored, explore};
use bluegreen_model::{Bounds, Guards};
use clap::Parser;

/// Explores every state of the operator against an abstract cluster.
#[derive(Parser)]
struct Arguments {
    /// Edits of the spec.
    #[arg(long, default_value_t = 2)]
    edits: u8,
    /// Deletions, foreign edits and failures of children.
    #[arg(long, default_value_t = 0)]
    mishaps: u8,
    /// Crashes, and requests of unknown result.
    #[arg(long, default_value_t = 1)]
    faults: u8,
    /// Times that the second controller takes the lead from the first, which does not know.
    #[arg(long, default_value_t = 1)]
    takeovers: u8,
    /// Keep the idle color warm; by default it is scaled to zero.
    #[arg(long)]
    warm: bool,
    /// Let a look begin at any time, not only when up-to-date caches give a reason for it.
    #[arg(long)]
    unprompted: bool,
    /// Let a deposed leader begin further passes.
    #[arg(long)]
    zealous: bool,
    /// Start from an app that has no children yet.
    #[arg(long)]
    from_nothing: bool,
    /// Stop after so many states.
    #[arg(long, default_value_t = 400_000_000)]
    most: usize,
    /// Only take out each guard and tell what happens.
    #[arg(long)]
    guards: bool,
}

fn main() -> ExitCode {
    let Arguments {
        edits,
        mishaps,
        faults,
        takeovers,
        warm,
        unprompted,
        zealous,
        from_nothing,
        most,
        guards,
    } = Arguments::parse();
    if guards {
        return remove_guards(most);
    }
    let bounds = Bounds {
        edits,
        mishaps,
        faults,
        takeovers,
        reduced: !warm,
        prompted: !unprompted,
        zealous,
        from_nothing,
    };
    let began = Instant::now();
    let mut told = Instant::now();
    let explored = explore(&bounds, &Guards::ALL, most, |states, depth, left| {
        if told.elapsed().as_secs() >= 15 {
            told = Instant::now();
            eprintln!("{states} states, depth {depth}, {left} to go, {} s", began.elapsed().as_secs());
        }
    });
    println!("{bounds:?}; {} bytes a state", size_of::<bluegreen_model::world::World>());
    tell(&explored, began);
    let holds = explored.counterexample.is_none() && explored.exhausted && explored.settles == Some(true);
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(explored: &Explored, began: Instant) {
    let Explored { states, steps, depth, exhausted, counterexample, ends, settles } = explored;
    println!(
        "{states} states, {steps} steps, depth {depth}, {} s, {} MiB",
        began.elapsed().as_secs(),
        peak_mib()
    );
    if let Some(counterexample) = counterexample {
        println!("{counterexample}");
        return;
    }
    println!(
        "0 violations; frontier {}",
        if *exhausted { "empty" } else { "NOT empty: a bound on the depth" }
    );
    match settles {
        Some(true) => println!(
            "every fault-free run ends, in one of {ends} states, each as the spec asks: 0 traps, 0 livelocks"
        ),
        Some(false) => println!("some fault-free run goes in a circle"),
        None => println!("liveness: not asked"),
    }
}

fn remove_guards(most: usize) -> ExitCode {
    let all = Guards::each_removed();
    let (total, mut caught) = (all.len(), 0);
    for (name, guards, bounds) in all {
        let began = Instant::now();
        println!("\n--- without the {name}: {bounds:?}");
        let explored = explore(&bounds, &guards, most, |_, _, _| ());
        caught += usize::from(explored.counterexample.is_some());
        tell(&explored, began);
    }
    println!("\n{caught} of {total} guards: their removal is caught");
    if caught == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The most memory that this process has had, where the system tells.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
