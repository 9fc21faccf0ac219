//! The operator as a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, get, patiently, tail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The operator under test, as it is built for tests.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_operator-under-test");

/// The program under test of this name as users get it, for a run that takes times: from the folder that `RELEASED` names, if one is
/// named.
pub fn released(name: &str) -> Option<PathBuf> {
    std::env::var_os("RELEASED").map(|folder| Path::new(&folder).join(name))
}

/// The environment of a program that talks to a cluster.
pub fn environment(cluster: &Cluster, kubeconfig: &Path) -> Result<Vec<(String, String)>> {
    let mut environment = vec![("KUBECONFIG".to_owned(), kubeconfig.display().to_string())];
    if let Ok(dir) = cluster.dir() {
        // The mark by which the cluster's clean-up finds it, should this process be killed.
        let state: Value = serde_json::from_slice(&std::fs::read(dir.join("state.json"))?)?;
        let id = state["id"].as_str().context("id")?;
        environment.push(("BLUEGREEN_CLUSTER_ID".to_owned(), format!("{id}.")));
    }
    Ok(environment)
}

/// A running operator. Dropping it kills it.
pub struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Starts the program under test, with its log in `log`.
    pub fn start(arguments: &[String], environment: &[(String, String)], log: &Path) -> Result<Self> {
        let program = released("bluegreen-operator").unwrap_or_else(|| PROGRAM.into());
        Self::start_program(&program, arguments, environment, log)
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
        let Self { child, log } = self;
        let attempt = async || {
            let ended = child.try_wait()?;
            ended.with_context(|| format!("the operator still runs; its log ends with\n{}", tail(log, 20)))
        };
        patiently(limit, attempt).await
    }

    /// Waits until its log says so.
    pub async fn says(&self, words: &str, limit: Duration) -> Result<()> {
        let attempt = async || {
            let said = std::fs::read_to_string(&self.log)?.contains(words);
            ensure!(said, "the operator never said {words:?}; its log ends with\n{}", self.log(20));
            Ok(())
        };
        patiently(limit, attempt).await
    }

    /// Where it serves this path: the last one of a server in its log.
    pub fn address(&self, path: &str) -> Result<String> {
        let log = std::fs::read_to_string(&self.log)?;
        let words = format!("{path} address=");
        let address = log.split(&words).nth(1).and_then(|rest| rest.split_whitespace().next());
        Ok(address.with_context(|| format!("it does not serve {path}"))?.to_owned())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself; nobody has waited for it yet, so the kernel still knows.
    pub fn has_ended(&self) -> Result<bool> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        Ok(stat.rsplit_once(") ").context("stat")?.1.starts_with('Z'))
    }

    /// The most resident memory that it has ever had, in MiB.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        Ok(line.split_whitespace().next().context("VmHWM")?.parse::<u64>()? / 1024)
    }

    /// CPU time since its start.
    pub fn cpu(&self) -> Result<Duration> {
        // Clock ticks in a second, on every Linux since 2.6.
        const TICKS: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name, which may hold anything, in parentheses: state is field 3, utime 14, stime 15.
        let fields: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index - 3).context("stat")?.parse()?) };
        Ok(Duration::from_secs_f64((ticks(14)? + ticks(15)?) / TICKS))
    }

    /// The sum of a metric over its labels, as Prometheus would read it.
    pub async fn metric(&self, name: &str) -> Result<u64> {
        let text = get(&self.address("/metrics")?, "/metrics").await?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<u64>().ok())?
        });
        Ok(values.sum())
    }

    /// One series of a gauge, as `/metrics` has it: its name with its labels.
    pub async fn gauge(&self, series: &str) -> Result<f64> {
        let text = get(&self.address("/metrics")?, "/metrics").await?;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no {series}"))?.parse()?)
    }

    /// What `/readyz` says.
    pub async fn is_ready(&self) -> Result<()> {
        get(&self.address("/readyz")?, "/readyz").await.map(drop)
    }

    /// Waits until a line of its log has all these words.
    pub async fn says_in_a_line(&self, words: &[&str], limit: Duration) -> Result<()> {
        let attempt = async || {
            let log = std::fs::read_to_string(&self.log)?;
            let said = log.lines().any(|line| words.iter().all(|word| line.contains(word)));
            ensure!(said, "the operator never said {words:?}; its log ends with\n{}", self.log(20));
            Ok(())
        };
        patiently(limit, attempt).await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// The last lines of its log.
    pub fn log(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
