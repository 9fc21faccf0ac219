//! `traffic`: switches a real app under real traffic, in every situation that it can meet, and publishes what was lost.
//!
//! The files in the order in which things happen: `rows` says what to measure, `stage` is the cluster, `operators` act
//! in it, `scene` is one app, `load` and `stream` send, `switch` does what a row says and `sizes` changes the size meanwhile,
//! `judge` counts, `results` keeps the figures, `report` and `plot` publish them; `run` goes through all
//! of it. `peer` takes another controller's app through the same, and `browser` looks at the page.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod browser;
mod histogram;
mod judge;
mod load;
mod operators;
mod peer;
mod plot;
mod release;
mod report;
mod results;
mod rows;
mod run;
mod scene;
mod sizes;
mod stage;
mod stream;
mod switch;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bluegreen_cluster::target;
use clap::{Args, Parser, Subcommand};

use crate::load::Rate;
use crate::peer::Driver;
use crate::results::Results;
use crate::rows::{ROWS, Row};
use crate::run::Order;

#[derive(Debug, Parser)]
#[command(about = "Switches a real app under real traffic and counts what is lost; `make traffic` runs it")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what is not in the results yet; fails where anything was lost.
    Run(Measure),
    /// Write the report about the commit that is checked out.
    Report {
        /// The file of results.
        #[arg(long)]
        results: Option<PathBuf>,
        /// The folder of the report.
        #[arg(long, default_value = "docs")]
        out: PathBuf,
    },
    /// Release a version that fails 5 % of its requests, here and with Argo Rollouts, until a check takes it back each time.
    Release(Release),
    /// Open the sample page in a browser before and after a switch, and keep two pictures.
    Screenshots {
        /// Their folder.
        #[arg(long, default_value = "docs/traffic")]
        out: PathBuf,
    },
    /// List the rows.
    Rows,
}

#[derive(Debug, Args)]
struct Measure {
    /// Only these rows, with commas between them.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Only the rows of the short run.
    #[arg(long, conflicts_with = "rows")]
    short: bool,
    /// Switches of each row, with those that were made before.
    #[arg(long, default_value_t = 6)]
    switches: u64,
    /// Fresh connections per second.
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Requests per second on kept connections.
    #[arg(long, default_value_t = 200.0)]
    kept_rate: f64,
    /// Drive another controller's app through its rows instead, by the commands in this file.
    #[arg(long, conflicts_with_all = ["rows", "short"])]
    peer: Option<PathBuf>,
    /// The file of results.
    #[arg(long)]
    results: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Release {
    /// Releases of each side, with those that were made before.
    #[arg(long, default_value_t = 20)]
    releases: usize,
    /// Fresh connections per second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Requests per second on kept connections.
    #[arg(long, default_value_t = 50.0)]
    kept_rate: f64,
    /// Leave Argo Rollouts out.
    #[arg(long)]
    alone: bool,
    /// Write the table into this Markdown file, between its marks.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Only the table of what was measured of this commit before.
    #[arg(long)]
    commit: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let good = act(Arguments::parse().command).await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn act(command: Command) -> Result<bool> {
    match command {
        Command::Run(measure) => match &measure.peer {
            Some(driver) => {
                peer::run(&Driver::read(driver)?, &order(&measure)?).await?;
                Ok(true)
            }
            None => run::run(&order(&measure)?).await,
        },
        Command::Report { results, out } => {
            let commit = results::commit()?;
            let entries = Results::at(&results_file(results.as_ref())?).of(&commit)?;
            report::write(&out, &commit, &entries)?;
            Ok(true)
        }
        Command::Release(release) => {
            let Release { releases, rate: fresh, kept_rate: kept, alone, write, commit } = release;
            let turns = if commit.is_some() { 0 } else { releases };
            let commit = commit.map_or_else(results::commit, Ok)?;
            let results = target()?.join("traffic/release.jsonl");
            let rate = Rate { fresh, kept };
            release::run(&release::Order { turns, rate, alone, commit, results, write }).await
        }
        Command::Screenshots { out } => {
            browser::screenshots(&out).await?;
            Ok(true)
        }
        Command::Rows => {
            for row in ROWS {
                println!("{:<24} {:<36} {}", row.name, row.shape.words(), row.words);
            }
            Ok(true)
        }
    }
}

fn order(measure: &Measure) -> Result<Order> {
    let named = |name: &String| Row::named(name).with_context(|| format!("there is no row {name}"));
    let rows = match &measure.rows[..] {
        [] => ROWS.iter().filter(|row| row.short || !measure.short).collect(),
        names => names.iter().map(named).collect::<Result<_>>()?,
    };
    Ok(Order {
        rows,
        switches: measure.switches,
        rate: Rate { fresh: measure.rate, kept: measure.kept_rate },
        commit: results::commit()?,
        results: Results::at(&results_file(measure.results.as_ref())?),
    })
}

fn results_file(given: Option<&PathBuf>) -> Result<PathBuf> {
    given.map_or_else(|| Ok(target()?.join("traffic/results.jsonl")), |path| Ok(path.clone()))
}
