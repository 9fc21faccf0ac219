//! The loop that a person would run with curl: one fresh connection after the other, and who answers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bluegreen_cluster::patiently;
use tokio::time::{sleep, timeout};

use crate::say::{Paint, painted, say};

/// Time between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// Pods that must take turns.
pub const PODS: usize = 3;

/// Answers in a row that are shown at least.
const LINES: usize = 6;

/// How long it may take until all pods have answered: kube-proxy chooses at random.
const LIMIT: Duration = Duration::from_secs(30);

/// What the sample app says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    title: String,
    version: String,
    /// `blue` or `green`.
    pub color: String,
    hostname: String,
}

/// Asks once, on a connection of its own.
pub async fn get(address: SocketAddr) -> Result<Answer> {
    let ask = bluegreen_cluster::get(address, "/");
    parse(&timeout(Duration::from_secs(5), ask).await.context("no answer within 5 s")??)
}

fn parse(body: &str) -> Result<Answer> {
    let field = |name: &str| {
        let value = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map(str::to_owned).with_context(|| format!("the answer has no {name}: {body:?}"))
    };
    Ok(Answer {
        title: field("Title")?,
        version: field("Version")?,
        color: field("Color")?,
        hostname: field("Hostname")?,
    })
}

/// Asks again and again, and shows the answers, until all pods of `color` have taken turns. Each line carries the time
/// since `start`, if there is one.
pub async fn until_all_answer(address: SocketAddr, color: &str, start: Option<Instant>) -> Result<()> {
    let begun = Instant::now();
    let (mut pods, mut lines) = (BTreeSet::new(), 0);
    while pods.len() < PODS || lines < LINES {
        if begun.elapsed() > LIMIT {
            bail!("only {} pods of {color} took turns within {LIMIT:?}: {pods:?}", pods.len());
        }
        let answer = get(address).await.context("a request of the loop was lost")?;
        show(&answer, start);
        if answer.color == color {
            let version = if color == "blue" { "v1.0.0" } else { "v2.0.0" };
            ensure!(answer.version == version, "{color} is {version}, and a pod says {}", answer.version);
            pods.insert(answer.hostname);
            lines += 1;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

fn show(answer: &Answer, start: Option<Instant>) {
    let Answer { title, version, color, hostname } = answer;
    let since = start.map_or_else(String::new, |start| format!("+{:.2} s ", start.elapsed().as_secs_f64()));
    let line = format!("{since:>8} {title}  {version}  {color:<5}  {hostname}");
    say(painted(Paint::of(color), &line));
}

/// Waits until the address answers at all: kube-proxy may hear of a Service a second later than its user.
pub async fn first_answer(addresses: &[SocketAddr]) -> Result<SocketAddr> {
    let attempt = async || {
        let mut wrong = Vec::new();
        for address in addresses {
            match timeout(Duration::from_secs(2), get(*address)).await {
                Ok(Ok(_)) => return Ok(*address),
                other => wrong.push(other),
            }
        }
        bail!("nobody answers at {addresses:?}: {wrong:?}")
    };
    patiently(LIMIT, attempt).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answered() -> Result<()> {
        let body = "Title: Welcome!\nVersion: v1.0.0\nColor: blue\nHostname: hello-blue-1\n";
        let answer = parse(body)?;
        let text = |text: &str| text.to_owned();
        let (title, version) = (text("Welcome!"), text("v1.0.0"));
        assert_eq!(answer, Answer { title, version, color: text("blue"), hostname: text("hello-blue-1") });
        assert!(parse("nginx").is_err());
        Ok(())
    }
}
