//! Reads an app until a goal is reached, can't be reached, or the time is up.
//!
//! It polls instead of watching: a watch whose connection has died silently would be noticed after minutes, and each
//! request here has a time limit. A cluster that can't be reached is retried until the time is up.

use std::time::{Duration, Instant};

use bluegreen_api::BlueGreenApp;
use serde_json::json;

use crate::args::{Format, Global, When};
use crate::cluster::{Cluster, Doubt, RequestError, within};
use crate::exit::{self, End};
use crate::goal::{self, Goal, NOT_OBSERVED, Verdict};
use crate::line::Line;
use crate::output::print;
use crate::progress::{self, Clock};
use crate::screen::{Look, Screen};

/// Pause between two reads.
const PAUSE: Duration = Duration::from_millis(500);

/// The result of a wait.
#[derive(Clone, Debug)]
pub struct Waited {
    /// How it ended.
    pub end: End,
    /// Why.
    pub why: String,
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
    let start = Instant::now();
    let mut teller = Teller::new(goal, when);
    let mut app: Option<BlueGreenApp> = None;
    let mut doubt = Doubt::default();
    loop {
        let verdict = match doubt.judge(within(cluster.apps().get(name)).await) {
            Ok(seen) => {
                let verdict = goal::verdict(goal, &seen);
                app = Some(seen);
                verdict
            }
            Err(RequestError::Passing(why)) => Verdict::Waiting(format!("can't reach the cluster: {why}")),
            Err(error) => return Err(error.in_words(name, &cluster.namespace)),
        };
        let passed = start.elapsed();
        teller.tell(app.as_ref(), &verdict, Clock { passed, limit })?;
        let end = match verdict {
            Verdict::Reached(_) => Some(End::Reached),
            Verdict::Failed(_) => Some(End::Failed),
            Verdict::Waiting(_) if passed >= limit => Some(End::TimedOut),
            Verdict::Waiting(_) => None,
        };
        if let Some(end) = end {
            return Ok(Waited { end, why: verdict.why().to_owned(), app, took: passed });
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
    let data = json!({
        "name": name, "goal": goal.to_string(), "reached": waited.end == End::Reached,
        "timedOut": waited.end == End::TimedOut, "why": waited.why, "seconds": waited.took.as_secs_f64(),
    });
    match (waited.end, format) {
        (End::Failed | End::TimedOut, Format::Text) => eprintln!("error: {text}"),
        _ => print(global, format, |_| vec![Line::plain(text)], &data)?,
    }
    Ok(waited.end)
}

/// Shows the progress: redrawn on a terminal, elsewhere one line for each change.
struct Teller {
    goal: Goal,
    when: When,
    screen: Screen<std::io::Stderr>,
    said: String,
}

impl Teller {
    fn new(goal: Goal, when: When) -> Self {
        Self { goal, when, screen: Screen::new(std::io::stderr()), said: String::new() }
    }

    fn tell(&mut self, app: Option<&BlueGreenApp>, verdict: &Verdict, clock: Clock) -> std::io::Result<()> {
        let look = Look::stderr(self.when);
        if look.height.is_some() {
            return self.screen.draw(&progress::lines(self.goal, app, verdict, clock, look.width), look);
        }
        // The caller prints how it ended.
        if matches!(verdict, Verdict::Waiting(_)) && verdict.why() != self.said {
            verdict.why().clone_into(&mut self.said);
            eprintln!("{}", progress::log_line(verdict, clock.passed));
        }
        Ok(())
    }
}
