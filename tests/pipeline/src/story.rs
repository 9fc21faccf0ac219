//! What the team does, job by job, and what must be so after each.

use anyhow::{Context, Result, ensure};

use crate::jobs::{Ended, Runner};
use crate::place::{Place, Serving};
use crate::project::Project;
use crate::say;

/// The team at work.
pub struct Team<'a> {
    place: &'a Place,
    project: &'a Project,
    runner: &'a Runner,
    /// What was done so far.
    pub rows: Vec<Row>,
}

/// One invocation, for the table.
#[derive(Debug)]
pub struct Row {
    /// The job, or `pipeline` for all that are not manual.
    pub job: String,
    /// The commit's image tag.
    pub tag: String,
    /// The exit code of the script.
    pub code: i32,
    /// The color that served afterwards.
    pub color: String,
    /// Seconds.
    pub took: f64,
}

/// What is expected of a job.
pub struct Expected<'a> {
    /// Exit code of its script.
    pub code: i32,
    /// The color that serves afterwards.
    pub color: &'a str,
    /// Words that it says.
    pub words: Option<&'a str>,
}

impl<'a> Team<'a> {
    /// Nothing done yet.
    pub fn new(place: &'a Place, project: &'a Project, runner: &'a Runner) -> Self {
        Self { place, project, runner, rows: Vec::new() }
    }

    /// Runs a job of the commit that is checked out.
    pub async fn job(
        &mut self,
        job: &str,
        tag: &str,
        variables: &[&str],
        expected: Expected<'_>,
    ) -> Result<()> {
        let before = self.place.serving().await?;
        let name = (job != "pipeline").then_some(job);
        let ended = self.runner.run(self.place, self.project, name, variables).await?;
        let after = self.place.serving().await?;
        let Ended { code, text, took } = &ended;
        say(format_args!(
            "{job:<17} {tag}  exit {code}  {} serves  {:.0} s",
            after.color,
            took.as_secs_f64()
        ));
        let Expected { code: wanted, color, words } = expected;
        ensure!(*code == wanted, "{job} ended with {code}, not with {wanted}:\n{text}");
        ensure!(after.color == color, "{color} should serve after {job}, not {}:\n{text}", after.color);
        if before.color == after.color {
            untouched(job, &before, &after)?;
        }
        if let Some(words) = words {
            let line = text.lines().rfind(|line| line.contains(words));
            say(line.with_context(|| format!("{job} does not say {words:?}:\n{text}"))?.trim());
        }
        self.rows.push(Row {
            job: job.to_owned(),
            tag: tag.to_owned(),
            code: *code,
            color: after.color,
            took: took.as_secs_f64(),
        });
        Ok(())
    }

    /// The new way: whichever color is idle gets the version, is tested, and goes live when somebody says so.
    pub async fn idle(&mut self) -> Result<()> {
        let tag = self.project.commit("A second version").await?;
        self.job("pipeline", &tag, &[], reached("blue")).await?;
        self.job("switch", &tag, &[], reached("green")).await?;
        // The same pipeline again, by mistake: the way back must not be overwritten.
        self.job("deploy", &tag, &[], refused("green", "green is live and already runs")).await?;
        self.job("rollback", &tag, &[], reached("blue")).await?;
        self.job("rollback", &tag, &[], refused("blue", "to roll back")).await?;
        self.job("switch", &tag, &[], reached("green")).await
    }

    /// The old way: four jobs, each for a color that a person has chosen.
    pub async fn by_color(&mut self) -> Result<()> {
        const FLOW: &[&str] = &["RELEASE=by-color"];
        let tag = self.project.commit("A third version").await?;
        self.job("pipeline", &tag, FLOW, reached("green")).await?;
        self.job("deploy_green_app", &tag, FLOW, refused("green", "green is live")).await?;
        self.job("deploy_blue_app", &tag, FLOW, reached("green")).await?;
        self.job("deploy_blue_svc", &tag, FLOW, reached("blue")).await?;
        self.job("deploy_green_svc", &tag, FLOW, reached("green")).await?;
        self.job("deploy_blue_svc", &tag, FLOW, reached("blue")).await?;
        let next = self.project.commit("A fourth version").await?;
        self.job("pipeline", &next, FLOW, reached("blue")).await?;
        self.job("deploy_green_app", &next, FLOW, reached("blue")).await?;
        self.job("deploy_green_svc", &next, FLOW, reached("green")).await
    }

    /// With checks: a version that the job `test` refuses is not made live by hand either, and a good one is.
    pub async fn checked(&mut self) -> Result<()> {
        let other = self.project.commit_with("VERSION=another", "An image that is not what it says").await?;
        self.job("pipeline", &other, &[], refused("blue", "green does not answer as")).await?;
        self.job("switch", &other, &[], refused("blue", "Check version failed for green")).await?;
        let fixed = self.project.commit("The right one").await?;
        self.job("pipeline", &fixed, &[], reached("blue")).await?;
        self.job("switch", &fixed, &[], reached("green")).await
    }

    /// Of the images that do not work, one.
    pub async fn broken_once(&mut self) -> Result<()> {
        let crash = self.project.commit_with("PORT=http", "An image that crashes").await?;
        let crashes = timed_out("green", "keeps crashing");
        self.job("pipeline", &crash, &["WAIT=25s"], crashes).await
    }

    /// Images that do not work: their jobs fail in time, say why, and touch nothing that serves.
    pub async fn broken(&mut self) -> Result<()> {
        let crash = self.project.commit_with("PORT=http", "An image that crashes").await?;
        let crashes = timed_out("green", "keeps crashing");
        self.job("pipeline", &crash, &["WAIT=30s"], crashes).await?;
        // Somebody does it all the same. The request is taken back, or the switch would come about one day by itself.
        let by_color = &["RELEASE=by-color", "WAIT=20s"];
        self.job("deploy_blue_svc", &crash, by_color, timed_out("green", "keeps crashing")).await?;
        ensure!(self.place.spec().await?["active"] == "green", "the switch was not taken back");

        let unready =
            self.project.commit_with("FAIL_READINESS=always", "An image that is never ready").await?;
        let words = "the readiness probe does not succeed";
        self.job("pipeline", &unready, &["WAIT=30s"], timed_out("green", words)).await?;

        let fixed = self.project.commit("The fix").await?;
        self.job("pipeline", &fixed, &[], reached("green")).await?;
        // A pipeline of before whose test was green: what it had put onto blue is not there any more.
        self.project.check_out(&crash).await?;
        self.job("test", &crash, &[], refused("green", "blue does not answer as")).await?;
        self.job("switch", &crash, &[], refused("green", "something else was deployed meanwhile")).await?;
        self.project.check_out(&fixed).await?;
        self.job("switch", &fixed, &[], reached("blue")).await
    }
}

/// What served was not replaced, restarted or rolled.
fn untouched(job: &str, before: &Serving, after: &Serving) -> Result<()> {
    ensure!(before == after, "{job} touched what serves:\n{before:?}\n{after:?}");
    Ok(())
}

fn reached(color: &str) -> Expected<'_> {
    Expected { code: 0, color, words: None }
}

fn refused<'a>(color: &'a str, words: &'a str) -> Expected<'a> {
    Expected { code: 1, color, words: Some(words) }
}

fn timed_out<'a>(color: &'a str, words: &'a str) -> Expected<'a> {
    Expected { code: 3, color, words: Some(words) }
}
