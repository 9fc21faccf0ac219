//! `bench`: the operator, Argo Rollouts and Flagger do the same work on the same kind of cluster, one after the other in one run.
//!
//! `side` says how each of them is started and told what to do, `watched` sees from outside what comes of it, `latency`
//! and `mass` are the two kinds of work, `floor` is what the cluster itself needs for them, and `table` is the answer.

mod argo;
mod flagger;
mod floor;
mod latency;
mod mass;
mod ours;
mod program;
mod side;
mod table;
mod watched;
mod work;

use std::path::PathBuf;

use anyhow::{Context, Result};
use bluegreen_bench::peer::{ARGO_ROLLOUTS, FLAGGER, Peer};
use bluegreen_cluster::{Cluster, Options, code};
use clap::Parser;

use crate::argo::Argo;
use crate::flagger::Flagger;
use crate::ours::Ours;
use crate::side::Side;
use crate::table::{Column, Table};

/// What decides the figures, as pathspecs of git.
const MEASURED: [&str; 6] = ["src", "crates", "tests/cluster", "tests/bench", "Cargo.lock", "Cargo.toml"];

/// Measure the operator, Argo Rollouts and Flagger on the same work, on simulated pods that are ready at once.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The operator's program; a release build.
    #[arg(long, value_name = "FILE")]
    operator: PathBuf,
    /// Apps that are created, and then switched, at once.
    #[arg(long, default_value_t = 500)]
    apps: usize,
    /// Switches of a single app whose latency is taken.
    #[arg(long, default_value_t = 20)]
    switches: usize,
    /// Seconds without anything to do.
    #[arg(long, default_value_t = 30)]
    idle: u64,
    /// Leave the others out.
    #[arg(long)]
    alone: bool,
    /// Write the table into this Markdown file, between its marks.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = &Arguments::parse();
    // The code may be another one by the end of the run.
    let (commit, day) = (code(&MEASURED)?, jiff::Zoned::now().date().to_string());
    let operator = arguments.operator.canonicalize().context("--operator")?;
    let ours = Ours { program: operator };
    let mut columns = vec![measure(&ours, arguments).await?];
    if !arguments.alone {
        let build = |peer: &'static Peer| tokio::task::spawn_blocking(|| peer.build());
        columns.push(measure(&Argo { built: build(&ARGO_ROLLOUTS).await?? }, arguments).await?);
        columns.push(measure(&Flagger { built: build(&FLAGGER).await?? }, arguments).await?);
    }
    say("the cluster itself");
    let cluster = Cluster::start(Options::default()).await?;
    let floor = floor::measure(&cluster, &ours, arguments.apps, arguments.switches).await?;
    cluster.stop().await?;
    let table = Table { apps: arguments.apps, idle: arguments.idle, columns, floor, day, commit };
    println!("{table}");
    if let Some(path) = &arguments.write {
        table.write(path)?;
    }
    Ok(())
}

/// One side on a cluster of its own: neither pays for what the other left behind.
async fn measure(side: &dyn Side, arguments: &Arguments) -> Result<Column> {
    say(side.name());
    let load = std::fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned();
    let cluster = Cluster::start(Options::default()).await?;
    side.install(&cluster).await?;
    let mut running = program::Running::start(side, &cluster).await?;
    let empty = running.memory()?;
    let latency = latency::measure(side, &cluster, arguments.switches).await?;
    let mass = mass::measure(side, &cluster, &mut running, arguments.apps, arguments.idle).await?;
    running.stop().await?;
    cluster.stop().await?;
    Ok(Column { name: side.name(), load, empty, latency, mass })
}

fn say(line: &str) {
    eprintln!("{line}");
}
