//! `pipeline`: the jobs of `examples/gitlab/.gitlab-ci.yml`, really run on a real cluster, with traffic on.
//!
//! `place` is the cluster, `project` the repository with its commits, `jobs` the runner, `story` what the team does with all
//! three, and `document` the commands of `docs/pipelines.md`. It proves the scripts and their order; `image:`,
//! `resource_group`, `timeout:` and the agent's tunnel are GitLab's own and are not run. `--short` leaves most of it out.

mod document;
mod jobs;
mod place;
mod project;
mod story;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bluegreen_cluster::Cluster;

use document::Document;
use jobs::Runner;
use place::Place;
use project::{PIPELINE, Project};
use story::{Row, Team};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let start = Instant::now();
    let code = run().await;
    say(format_args!("{:.0} s", start.elapsed().as_secs_f64()));
    code
}

/// Prints a line; a reader who has left must not keep the run from cleaning up.
fn say(line: impl fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn run() -> Result<ExitCode> {
    let short = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--short") => true,
        Some(other) => bail!("the only argument is --short, not {other}"),
    };
    if !Cluster::real_node_wanted()? {
        return Ok(ExitCode::SUCCESS);
    }
    let asked_to_stop = bluegreen_cluster::asked_to_stop();
    tokio::pin!(asked_to_stop);
    let place = tokio::select! {
        place = Place::new() => place?,
        code = &mut asked_to_stop => return code.map(ExitCode::from),
    };
    let ended = tokio::select! {
        ended = show(&place, short) => ended.map(|()| ExitCode::SUCCESS),
        code = &mut asked_to_stop => code.map(ExitCode::from),
    };
    place.cluster.stop().await?;
    ended
}

async fn show(place: &Place, short: bool) -> Result<()> {
    let mut document = Document::read(&place.root)?;
    let project = Project::create(place).await?;
    say("\n== The pipeline by GitLab's schema");
    document.follow("Check the pipeline", place, &project.folder).await?;
    refuses_nonsense(place, &project).await?;

    say("\n== The operator, from its image");
    place.install().await?;
    let runner = Runner::new(place, &project).await?;

    say("\n== The first version, and the app, by a person");
    let tag = project.commit("The first version").await?;
    let built = runner.run(place, &project, Some("build"), &[]).await?;
    ensure!(built.code == 0, "{}", built.text);
    project.fill_in(&tag).await?;
    document.follow("Set up the cluster", place, &project.folder).await?;

    say("\n== 200 requests a second from here on, and the team's releases");
    let load = place.traffic().await?;
    let mut team = Team::new(place, &project, &runner);
    team.idle().await?;
    document.follow("Look", place, &project.folder).await?;
    if short {
        document.follow("The test as a check", place, &project.folder).await?;
        team.broken_once().await?;
    } else {
        team.by_color().await?;
        team.broken().await?;
        document.follow("The test as a check", place, &project.folder).await?;
        team.checked().await?;
    }
    let rows = team.rows;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let report = load.stop().await?;
    document.finish()?;

    say("");
    table(&rows);
    say(format_args!("\n{report}"));
    ensure!(report.total.failed() == 0, "{} requests were lost", report.total.failed());
    ensure!(report.total.sent > 1000, "there was hardly any traffic");
    say(format_args!("{} jobs ended as they should, {} requests, 0 lost", rows.len(), report.total.sent));
    Ok(())
}

/// The check can fail.
async fn refuses_nonsense(place: &Place, project: &Project) -> Result<()> {
    let line = format!(
        "sed 's/^  stage: build$/  stage: {{}}/' {PIPELINE} > wrong.yml && ! check-jsonschema --builtin-schema \
         vendor.gitlab-ci --data-transform gitlab-ci wrong.yml && rm wrong.yml"
    );
    place.run(&line, &project.folder).await?;
    Ok(())
}

fn table(rows: &[Row]) {
    say(format_args!("{:<18}{:<10}{:>5}  {:<7}{:>6}", "job", "tag", "exit", "serves", "s"));
    for Row { job, tag, code, color, took } in rows {
        say(format_args!("{job:<18}{tag:<10}{code:>5}  {color:<7}{took:>6.1}"));
    }
}
