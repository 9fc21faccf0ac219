//! The processes of a cluster: started in the background, remembered on disk, signaled without ever
//! hitting a stranger.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// The environment variable that every process of a cluster carries.
///
/// The kernel keeps the environment that a process was started with, and children inherit it: containerd's
/// shims are found by it too. So clean-up needs no list of pids that a crash could have left incomplete.
pub const MARK: &str = "BLUEGREEN_CLUSTER_ID";

/// With the [`MARK`]: the cluster's folder, to find what runs on although the folder was deleted.
pub const HOME: &str = "BLUEGREEN_CLUSTER_HOME";

/// How long a process may take to leave on SIGTERM before it is killed. With open watches the API server
/// would take a minute.
const GRACE: Duration = Duration::from_secs(2);

/// One process, told apart from a later one that was given the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub started: u64,
}

impl ProcessId {
    /// This process.
    pub fn current() -> Result<Self> {
        Self::of(std::process::id()).context("cannot read this process's own start time")
    }

    /// The process that has this pid now; `None` where there is none, or only a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name, in parentheses, may hold spaces and parentheses itself.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { pid, started })
    }

    /// Whether this very process is still there.
    pub fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal; `false` where the process is gone. The pid is pinned before its start time is compared,
    /// so that it cannot be given to another process in between.
    pub fn signal(self, signal: Signal) -> Result<bool> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
        let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(false) };
        if !self.alive() {
            return Ok(false);
        }
        match pidfd_send_signal(pinned, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("cannot signal process {}", self.pid)),
        }
    }

    /// SIGTERM, then SIGKILL; returns once the process is gone, so that its ports are free again.
    pub fn stop(self) -> Result<()> {
        for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, Duration::from_secs(10))] {
            if !self.signal(signal)? {
                return Ok(());
            }
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                if !self.alive() {
                    return Ok(());
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        bail!("process {} does not end", self.pid)
    }
}

/// How to start one of the cluster's processes: kept on disk, so that it can be started again the same way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Name of its log and its record: `kube-apiserver`, `kubelet-node-1`.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The process whose mount and network namespaces it lives in: a node's holder.
    pub inside: Option<ProcessId>,
}

impl Service {
    /// A process of the machine's own namespaces.
    pub fn new(name: impl Into<String>, program: &Path, arguments: impl IntoIterator<Item = String>) -> Self {
        let command = std::iter::once(program.display().to_string()).chain(arguments).collect();
        Self { name: name.into(), command, inside: None }
    }

    /// The same inside a node.
    pub fn inside(mut self, holder: ProcessId) -> Self {
        self.inside = Some(holder);
        self
    }
}

/// A started [`Service`].
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Running {
    process: ProcessId,
    service: Service,
}

/// All processes of one cluster: logs in `logs/`, records in `run/`.
#[derive(Clone, Debug)]
pub struct Processes {
    dir: PathBuf,
    id: String,
}

impl Processes {
    /// Of the cluster `id` that lives in `dir`.
    pub fn new(dir: &Path, id: &str) -> Result<Self> {
        for sub in ["logs", "run"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        Ok(Self { dir: dir.to_owned(), id: id.to_owned() })
    }

    /// Starts a process in the background and remembers it. It survives the caller: who ends it is
    /// the watchdog, `stop` or `down`.
    pub fn start(&self, service: Service) -> Result<ProcessId> {
        let Service { name, command, inside } = &service;
        let (program, arguments) = command.split_first().with_context(|| format!("{name}: empty command"))?;
        let mut command = match inside {
            Some(holder) => {
                let mut enter = enter(*holder);
                enter.arg(program);
                enter
            }
            None => Command::new(program),
        };
        let log = File::options().create(true).append(true).open(self.log(name))?;
        clean_environment(&mut command);
        let mut child = command
            .args(arguments)
            .env(MARK, format!("{}.", self.id))
            .env(HOME, &self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Out of the terminal's foreground group: Ctrl-C is for the owner to act upon, in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({program})"))?;
        let process = ProcessId::of(child.id());
        // Nobody else waits for it, and a zombie would look like a process.
        thread::spawn(move || child.wait());
        let process = process.with_context(|| format!("{name} ended at once\n{}", self.tail(name)))?;
        let record = serde_json::to_vec_pretty(&Running { process, service: service.clone() })?;
        fs::write(self.record(&service.name), record)?;
        Ok(process)
    }

    /// The recorded process of this name, dead or alive.
    pub fn get(&self, name: &str) -> Result<ProcessId> {
        Ok(self.running(name)?.process)
    }

    /// Stops a process and starts it again with the same command.
    pub fn restart(&self, name: &str) -> Result<ProcessId> {
        let Running { process, service } = self.running(name)?;
        process.stop()?;
        self.start(service)
    }

    /// Names of the recorded processes that run no longer.
    pub fn dead(&self) -> Result<Vec<String>> {
        let mut dead = Vec::new();
        for entry in fs::read_dir(self.dir.join("run"))? {
            let running: Running = serde_json::from_slice(&fs::read(entry?.path())?)?;
            if !running.process.alive() {
                dead.push(running.service.name);
            }
        }
        Ok(dead)
    }

    /// The last lines of a process's log: what an error message should show.
    pub fn tail(&self, name: &str) -> String {
        let text = fs::read(self.log(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(15));
        let last: Vec<String> =
            last.map(|line| format!("  {}", line.chars().take(400).collect::<String>())).collect();
        format!("last lines of {name}.log:\n{}", last.join("\n"))
    }

    fn running(&self, name: &str) -> Result<Running> {
        let record = fs::read(self.record(name)).with_context(|| format!("this cluster has no {name}"))?;
        Ok(serde_json::from_slice(&record)?)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    fn record(&self, name: &str) -> PathBuf {
        self.dir.join("run").join(format!("{name}.json"))
    }
}

/// `nsenter` into the mount and network namespaces of a process. (`ip netns exec` would mount a new `/sys`, which
/// hides the cgroups.)
pub fn enter(holder: ProcessId) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &holder.pid.to_string(), "--mount", "--net", "--"]);
    command
}

/// Leaves a process only what it needs: a proxy meant for the internet would also catch the traffic between nodes.
fn clean_environment(command: &mut Command) {
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Runs a command to its end; its output is in the error.
pub fn run(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!("{shown}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_process_spared_that_was_given_the_pid_of_an_earlier_one() -> Result<()> {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let now = ProcessId::of(child.id()).context("it runs")?;
        let before = ProcessId { started: now.started - 1, ..now };
        assert!(!before.alive());
        before.stop()?;
        assert!(now.alive(), "the wrong process was hit");
        now.stop()?;
        assert!(!now.alive());
        child.wait()?;
        Ok(())
    }
}
