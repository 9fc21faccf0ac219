//! Commands as a person runs them, and waiting for what they bring about.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Cluster, target};

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Tries again until it works; the last error, if it does not in time.
pub async fn patiently<T>(limit: Duration, mut attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt().await {
            Err(error) if start.elapsed() > limit => {
                return Err(error.context(format!("not within {limit:?}")));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
            done @ Ok(_) => return done,
        }
    }
}

/// Waits for a signal that asks this process to end; its exit code then. A closed terminal, too, must not leave a cluster
/// behind.
pub async fn asked_to_stop() -> Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(130),
        _ = terminate.recv() => Ok(143),
        _ = hangup.recv() => Ok(129),
    }
}

/// The body of the answer to a GET over plain HTTP, on a connection of its own.
pub async fn get(address: impl ToSocketAddrs, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let host = stream.peer_addr()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(body(&answer)?.to_owned())
}

fn body(answer: &str) -> Result<&str> {
    let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP response")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200 "), "the answer was {status:?}: {body}");
    Ok(body)
}

/// The last lines of a file.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// Runs a command to its end; what it prints. If it fails, all that it said is in the error.
pub async fn output(command: Command) -> Result<String> {
    fed(command, "").await
}

/// As [`output`], with this on its standard input.
pub async fn fed(mut command: Command, input: &str) -> Result<String> {
    let shown = format!("{:?}", command.as_std());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot run {shown}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // Who does not read it to its end says why in another way.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{shown}\n{out}{}", err.trim_end());
    Ok(out.into_owned())
}

/// A command line, for bash to run in a folder.
pub fn bash(line: &str, folder: &Path) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", line]).current_dir(folder);
    command
}

impl Cluster {
    /// Imports images that `make images image` has left in `target/images`, by the names of their archives.
    pub async fn load_images(&self, names: &[&str]) -> Result<()> {
        for name in names {
            let archive = target()?.join("images").join(name).with_added_extension("tar");
            self.load_image(&archive).await.context("run `make images image` first")?;
        }
        Ok(())
    }

    /// kubectl with these arguments, as a cluster admin.
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.tool("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command
    }
}

/// The commands of a document, or of one of its sections: the lines behind a prompt. A backslash joins a line to the next.
pub fn commands(text: &str, section: Option<&str>) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let title = |line: &str| {
        Some(line.trim_start_matches('#').strip_prefix(' ')?.to_owned()).filter(|_| line.starts_with('#'))
    };
    let mut within = section.is_none();
    let mut found = Vec::new();
    for line in joined.lines() {
        if let (Some(section), Some(title)) = (section, title(line)) {
            within = title == section;
        }
        found.extend(line.trim_start().strip_prefix("$ ").filter(|_| within).map(str::to_owned));
    }
    found
}

/// The blocks of YAML in a section of a document, without the indentation that a list gives them.
pub fn manifests(text: &str, section: &str) -> Vec<String> {
    let mut within = false;
    let mut block: Option<(usize, String)> = None;
    let mut found = Vec::new();
    for line in text.lines() {
        let inner = line.trim_start();
        match &mut block {
            Some((indent, yaml)) => {
                if inner.starts_with("```") {
                    found.extend(block.take().map(|(_, yaml)| yaml));
                } else {
                    yaml.push_str(line.get(*indent..).unwrap_or_default());
                    yaml.push('\n');
                }
            }
            None if inner == "```yaml" && within => block = Some((line.len() - inner.len(), String::new())),
            None if line.starts_with('#') => within = line.trim_start_matches('#').trim() == section,
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{body, commands, manifests};

    #[test]
    fn what_is_an_answer() {
        assert_eq!(body("HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello").ok(), Some("hello"));
        assert!(body("HTTP/1.1 503 Service Unavailable\r\n\r\nhello").is_err());
        assert!(body("HTTP/1.1 200 OK\r\n").is_err());
    }

    #[test]
    fn what_is_a_command() {
        let text = "# A\n$ one\nnot this\n## B\n1. so\n   $ kubectl get bga \\\n    hello\n## C\n$ two\n";
        assert_eq!(commands(text, None), ["one", "kubectl get bga      hello", "two"]);
        assert_eq!(commands(text, Some("B")), ["kubectl get bga      hello"]);
        assert!(commands(text, Some("D")).is_empty());
    }

    #[test]
    fn what_is_a_manifest() {
        let text = "# A\n```yaml\nno: 1\n```\n## B\n- so:\n\n  ```yaml\n  # a comment\n  a:\n    b: 1\n  ```\n```text\nno\n```\n## C\n";
        assert_eq!(manifests(text, "B"), ["# a comment\na:\n  b: 1\n"]);
        assert!(manifests(text, "C").is_empty());
    }
}
