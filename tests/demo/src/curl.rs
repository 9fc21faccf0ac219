//! The loop that a person would run with curl: one fresh connection after the other, and who answers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
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
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        parse(&text)
    };
    timeout(Duration::from_secs(5), ask).await.context("no answer within 5 s")?
}

fn parse(response: &str) -> Result<Answer> {
    let (head, body) = response.split_once("\r\n\r\n").context("not an HTTP response")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200 "), "the answer was {status:?}");
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
    let begun = Instant::now();
    loop {
        for address in addresses {
            match timeout(Duration::from_secs(2), get(*address)).await {
                Ok(Ok(_)) => return Ok(*address),
                Ok(Err(error)) if begun.elapsed() > LIMIT => {
                    return Err(error.context(format!("nobody answers at {addresses:?}")));
                }
                Err(_) if begun.elapsed() > LIMIT => bail!("nobody answers at {addresses:?}"),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answered() -> Result<()> {
        let body = "Title: Welcome!\nVersion: v1.0.0\nColor: blue\nHostname: hello-blue-1\n";
        let answer = parse(&format!("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{body}"))?;
        let text = |text: &str| text.to_owned();
        let (title, version) = (text("Welcome!"), text("v1.0.0"));
        assert_eq!(answer, Answer { title, version, color: text("blue"), hostname: text("hello-blue-1") });
        assert!(parse(&format!("HTTP/1.1 503 Service Unavailable\r\n\r\n{body}")).is_err());
        assert!(parse("HTTP/1.1 200 OK\r\n\r\nnginx").is_err());
        Ok(())
    }
}
