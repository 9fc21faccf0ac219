//! The operator as a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The operator under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_operator-under-test");

/// A running operator. Dropping it kills it.
pub struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Starts the program under test, with its log in `log`.
    pub fn start(arguments: &[String], environment: &[(String, String)], log: &Path) -> Result<Self> {
        Self::start_program(Path::new(PROGRAM), arguments, environment, log)
    }

    /// Starts another program, as [`Operator::start`].
    pub fn start_program(
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: &Path,
    ) -> Result<Self> {
        let output = File::create(log)?;
        let child = Command::new(program)
            .args(arguments)
            .env("RUST_BACKTRACE", "0")
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("the operator does not start")?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// SIGKILL: nothing is finished, nothing handed over.
    pub fn kill(mut self) -> Result<()> {
        self.kill_now()
    }

    /// As [`Operator::kill`]; what is left can still be asked for its log.
    pub fn kill_now(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(Duration::from_secs(10)).await
    }

    /// SIGSTOP: as a machine that is suspended.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Takes [`Operator::freeze`] back.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > limit {
                bail!("the operator still runs after {limit:?}; its log ends with\n{}", self.log(20));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until its log says so.
    pub async fn says(&self, words: &str, limit: Duration) -> Result<()> {
        let start = Instant::now();
        while !std::fs::read_to_string(&self.log)?.contains(words) {
            if start.elapsed() > limit {
                bail!("the operator never said {words:?}; its log ends with\n{}", self.log(20));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The sum of a metric over its labels, as Prometheus would read it.
    pub async fn metric(&self, name: &str) -> Result<u64> {
        let log = std::fs::read_to_string(&self.log)?;
        let address = log.split("/metrics address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let mut stream = TcpStream::connect(address.context("it serves no metrics")?).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<u64>().ok())?
        });
        Ok(values.sum())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// The last lines of its log.
    pub fn log(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }
}

/// The last lines of a file.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
