//! `make model`: explores the large bounds, then takes out one guard after the other.

use std::process::ExitCode;
use std::time::Instant;

use bluegreen_model::explore::{Explored, explore};
use bluegreen_model::{Bounds, Deposed, Gates, Guards, Idle, Scope};
use clap::Parser;

/// Explores every state of the operator against an abstract cluster. Without bounds: the standard ones, one after the
/// other.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    bounds: Option<Bounds>,
    /// Stop after so many states.
    #[arg(long, default_value_t = 400_000_000)]
    most: usize,
    /// Only take out each guard and tell what happens.
    #[arg(long)]
    guards: bool,
    /// Only the bounds that are too large to be explored to the end in minutes, as deep as 12 million states go.
    #[arg(long, conflicts_with = "guards")]
    larger: bool,
    /// Take out this guard, in the bounds given.
    #[arg(long, value_name = "GUARD", value_parser = guard)]
    without: Option<Guards>,
}

fn guard(name: &str) -> Result<Guards, String> {
    let all = Guards::each_removed();
    let found = all.iter().find(|(known, ..)| *known == name).map(|(_, guards, _)| *guards);
    found.ok_or_else(|| format!("none of {:?}", all.iter().map(|(known, ..)| *known).collect::<Vec<_>>()))
}

fn main() -> ExitCode {
    let Arguments { bounds, most, guards, larger: deep, without } = Arguments::parse();
    if guards {
        return remove_guards(most);
    }
    if deep {
        let bounds = larger();
        let intact = bounds.iter().filter(|bounds| run(bounds, &Guards::ALL, LARGER, false)).count();
        println!("{intact} of {} larger bounds: nothing broken as deep as they were explored", bounds.len());
        return if intact == bounds.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let runs = bounds.map_or_else(standard, |bounds| vec![bounds]);
    let guards = without.unwrap_or(Guards::ALL);
    // Each is told as it ends.
    let holds = runs.iter().filter(|bounds| run(bounds, &guards, most, true)).count();
    println!("{holds} of {} bounds: explored to the end, nothing broken, every run converges", runs.len());
    if holds == runs.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// States of a larger bound that are explored, from the first on.
const LARGER: usize = 12_000_000;

/// Too large to be explored to the end in minutes: as deep as [`LARGER`] goes.
fn larger() -> Vec<Bounds> {
    let three = Bounds { edits: 3, scope: Scope::All, idle: Idle::Reduced, ..Bounds::default() };
    vec![
        Bounds { takeovers: 1, faults: 1, ..three },
        Bounds { takeovers: 1, faults: 2, idle: Idle::Timed, ..three },
        Bounds { takeovers: 1, edits: 2, deposed: Deposed::Finishes, ..three },
        Bounds { mishaps: 1, takeovers: 1, faults: 1, edits: 2, ..three },
        Bounds { narrow: true, mishaps: 1, edits: 1, ..three },
    ]
}

/// What `make model` explores to the end.
fn standard() -> Vec<Bounds> {
    let two = Bounds { edits: 2, idle: Idle::Reduced, ..Bounds::default() };
    let one = Bounds { edits: 1, scope: Scope::All, ..two };
    let checked = Bounds { scope: Scope::Checked, checks: Gates::Both, ..two };
    vec![
        // Two controllers, two edits, one crash or one delayed request.
        Bounds { takeovers: 1, faults: 1, ..two },
        // Every edit that there is, `activeUpdatePolicy` and the removal of blocks among them.
        Bounds { scope: Scope::All, ..two },
        Bounds { scope: Scope::All, idle: Idle::Warm, ..two },
        Bounds { faults: 1, scope: Scope::All, ..two },
        Bounds { takeovers: 1, faults: 1, ..one },
        Bounds { takeovers: 1, faults: 1, idle: Idle::Warm, ..one },
        Bounds { takeovers: 1, faults: 1, idle: Idle::Timed, ..one },
        Bounds { takeovers: 1, faults: 1, deposed: Deposed::Finishes, ..one },
        Bounds { takeovers: 1, deposed: Deposed::GoesOn, ..one },
        // Sizes of one, two and three pods, at every moment of two switches.
        Bounds { edits: 3, scope: Scope::Sizes, ..two },
        Bounds { scope: Scope::Sizes, faults: 1, idle: Idle::Warm, ..two },
        // Three edits.
        Bounds { edits: 3, scope: Scope::All, ..two },
        // What happens to the children.
        Bounds { mishaps: 1, ..one },
        Bounds { mishaps: 1, faults: 1, ..one },
        // Switches that are confirmed by name, while the caches lag as long as they may.
        Bounds { narrow: true, ..two },
        Bounds { narrow: true, takeovers: 1, faults: 1, ..one },
        Bounds { narrow: true, takeovers: 1, faults: 1, idle: Idle::Warm, ..one },
        Bounds { narrow: true, edits: 5, scope: Scope::Flips, ..two },
        // Checks that end as they like: before a switch, after it, and both.
        Bounds { edits: 3, checks: Gates::After, ..checked },
        Bounds { edits: 3, idle: Idle::Warm, ..checked },
        Bounds { edits: 3, ..checked },
        Bounds { faults: 1, ..checked },
        Bounds { edits: 1, takeovers: 1, faults: 1, ..checked },
        Bounds { edits: 1, takeovers: 1, faults: 1, narrow: true, ..checked },
        Bounds { edits: 1, mishaps: 1, ..checked },
        Bounds { edits: 1, faults: 1, from_nothing: true, checks: Gates::Before, ..checked },
        Bounds { from_nothing: true, checks: Gates::After, ..checked },
        // The first activation.
        Bounds { faults: 1, from_nothing: true, ..one },
        // Its first objects are created on caches that may be older than the term.
        Bounds { takeovers: 1, from_nothing: true, ..one },
    ]
}

fn run(bounds: &Bounds, guards: &Guards, most: usize, to_the_end: bool) -> bool {
    let began = Instant::now();
    let mut told = Instant::now();
    println!("{bounds:?}");
    let explored = explore(bounds, guards, most, |states, depth, left| {
        if told.elapsed().as_secs() >= 15 {
            told = Instant::now();
            eprintln!("{states} states, depth {depth}, {left} to go, {} s", began.elapsed().as_secs());
        }
    });
    tell(&explored, began);
    let ended = explored.exhausted && explored.settles == Some(true);
    explored.counterexample.is_none() && (ended || !to_the_end)
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
