//! Looks at an app until a goal is reached, can't be reached, or the time is up.
//!
//! It asks again and again instead of watching: a watch whose connection has died silently would be noticed after
//! minutes, and each request here has an end of its own. A cluster that can't be reached is asked until the time is up.

use std::time::{Duration, Instant};

use bluegreen_operator::api::BlueGreenApp;

use crate::args::When;
use crate::cluster::{Cluster, Doubt, within};
use crate::exit::End;
use crate::goal::{self, Goal, Verdict};
use crate::progress::{self, Clock};
use crate::screen::{Look, Screen};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What a wait came to.
#[derive(Clone, Debug)]
pub struct Waited {
    /// How it ended.
    pub end: End,
    /// Why, in words.
    pub why: String,
    /// The app as it was seen last.
    pub app: Option<BlueGreenApp>,
    /// How long it took.
    pub took: Duration,
}

/// Waits; tells on standard error how it goes.
///
/// # Errors
/// When the app is not there or may not be read, or the terminal can't be written to.
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
            Err(crate::cluster::RequestError::Passing(words)) => {
                Verdict::Waiting(format!("can't reach the cluster: {words}"))
            }
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

/// Tells how it goes: redrawn on a terminal, a line for each change elsewhere.
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
        // The end is told by who asked.
        if matches!(verdict, Verdict::Waiting(_)) && verdict.why() != self.said {
            verdict.why().clone_into(&mut self.said);
            eprintln!("{}", progress::log_line(verdict, clock.passed));
        }
        Ok(())
    }
}
