//! Reads an app until a goal is reached, can't be reached, or the time is up.
//!
//! It polls instead of watching: a watch whose connection has died silently would be noticed after minutes, and each
//! request here has a time limit. A cluster that can't be reached is retried until the time is up.

use std::time::{Duration, Instant};

use bluegreen_api::BlueGreenApp;
use bluegreen_core::harmless::harmless;

use crate::args::{Format, Global, When};
use crate::cluster::{Cluster, Doubt, RequestError};
use crate::exit::{self, End};
use crate::goal::{self, Goal, NOT_OBSERVED, Verdict};
use crate::line::Line;
use crate::output::{print, say};
use crate::progress::{self, Clock};
use crate::screen::{Screen, Terminal};
use crate::shape::{WaitResult, shaped};
use crate::warning::Warnings;

/// Pause between two reads.
const PAUSE: Duration = Duration::from_millis(500);

/// The result of a wait.
#[derive(Clone, Debug)]
pub struct Waited {
    /// How it ended.
    pub end: End,
    /// Why.
    pub why: String,
    /// What the pods of a late color were last warned of.
    pub warning: Option<String>,
    /// The app as it was read last.
    pub app: Option<BlueGreenApp>,
    /// How long it took.
    pub took: Duration,
}

/// Waits, and shows the progress on standard error.
///
/// # Errors
/// When the app does not exist or may not be read, or the terminal can't be written to.
pub async fn wait(
    cluster: &Cluster,
    name: &str,
    goal: Goal,
    limit: Duration,
    when: When,
) -> anyhow::Result<Waited> {
    let mut teller = Teller::new(goal, when);
    wait_telling(cluster, name, goal, limit, |app, verdict, warning, clock| {
        teller.tell(app, verdict, warning, clock)
    })
    .await
}

/// Waits, and tells the progress.
///
/// # Errors
/// When the app does not exist or may not be read, or the progress can't be told.
pub async fn wait_telling(
    cluster: &Cluster,
    name: &str,
    goal: Goal,
    limit: Duration,
    mut tell: impl FnMut(Option<&BlueGreenApp>, &Verdict, Option<&str>, Clock) -> std::io::Result<()>,
) -> anyhow::Result<Waited> {
    let start = Instant::now();
    let mut app: Option<BlueGreenApp> = None;
    let mut doubt = Doubt::default();
    let mut warnings = Warnings::default();
    loop {
        let verdict = match doubt.judge(cluster.read(name).await) {
            Ok(seen) => {
                let verdict = goal::verdict(goal, &seen);
                app = Some(seen);
                verdict
            }
            Err(RequestError::Passing(why)) => Verdict::Waiting(format!("can't reach the cluster: {why}")),
            Err(error) => return Err(error.in_words(name, &cluster.namespace)),
        };
        let passed = start.elapsed();
        let end = match verdict {
            Verdict::Reached(_) => Some(End::Reached),
            Verdict::Failed(_) => Some(End::Failed),
            Verdict::Waiting(_) if passed >= limit => Some(End::TimedOut),
            Verdict::Waiting(_) => None,
        };
        let warning = match &app {
            Some(app) if end != Some(End::Reached) => warnings.read(cluster, app, end.is_some()).await,
            Some(_) | None => None,
        };
        tell(app.as_ref(), &verdict, warning, Clock { passed, limit })?;
        if let Some(end) = end {
            let (why, warning) = (verdict.why().to_owned(), warning.map(ToOwned::to_owned));
            return Ok(Waited { end, why, warning, app, took: passed });
        }
        tokio::time::sleep(PAUSE.min(limit.saturating_sub(passed))).await;
    }
}

/// Waits, and prints how it ended.
///
/// # Errors
/// When the app does not exist or may not be read.
pub async fn await_goal(
    cluster: &Cluster,
    global: &Global,
    name: &str,
    goal: Goal,
    limit: Duration,
    format: Format,
) -> exit::Result {
    let waited = wait(cluster, name, goal, limit, global.color).await?;
    let took = progress::time(waited.took);
    let text = match waited.end {
        End::Reached => format!("{name} reached {goal} after {took}: {}", waited.why),
        End::Failed => format!("{name} can't reach {goal} without another edit: {}", waited.why),
        End::TimedOut => {
            let unobserved = waited.why.starts_with(NOT_OBSERVED);
            let hint =
                if unobserved { "; is the operator running, and does it watch this namespace?" } else { "" };
            format!("{name} did not reach {goal} within {took}: {}{hint}", waited.why)
        }
    };
    let result = WaitResult {
        name: name.to_owned(),
        namespace: cluster.namespace.clone(),
        goal: goal.to_string(),
        reached: waited.end == End::Reached,
        timed_out: waited.end == End::TimedOut,
        why: waited.why,
        warning: waited.warning,
        seconds: waited.took.as_secs_f64(),
    };
    match (waited.end, format) {
        (End::Failed | End::TimedOut, Format::Text) => {
            say(format!("error: {}", harmless(&text, usize::MAX)));
            result.warning.iter().for_each(say);
        }
        (End::Reached, Format::Text)
        | (End::Reached | End::Failed | End::TimedOut, Format::Json | Format::Yaml) => {
            print(global, format, |_| vec![Line::plain(text)], &shaped(&result))?;
        }
    }
    Ok(waited.end)
}

/// Shows the progress: redrawn on a terminal, elsewhere one line for each change.
struct Teller {
    goal: Goal,
    when: When,
    screen: Screen<std::io::Stderr>,
    said: String,
    warned: String,
}

impl Teller {
    fn new(goal: Goal, when: When) -> Self {
        Self {
            goal,
            when,
            screen: Screen::new(std::io::stderr()),
            said: String::new(),
            warned: String::new(),
        }
    }

    fn tell(
        &mut self,
        app: Option<&BlueGreenApp>,
        verdict: &Verdict,
        warning: Option<&str>,
        clock: Clock,
    ) -> std::io::Result<()> {
        let terminal = Terminal::stderr(self.when);
        if terminal.height.is_some() {
            let mut lines = progress::lines(self.goal, app, verdict, clock, terminal.width);
            lines.extend(progress::warning(warning, terminal.width));
            return self.screen.draw(&lines, terminal);
        }
        // The caller prints how it ended.
        if matches!(verdict, Verdict::Waiting(_)) {
            for (said, words) in [(&mut self.said, Some(verdict.why())), (&mut self.warned, warning)] {
                if let Some(words) = words.filter(|words| words != said) {
                    words.clone_into(said);
                    say(progress::log_line(words, clock.passed));
                }
            }
        }
        Ok(())
    }
}
