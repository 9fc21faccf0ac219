//! Cleaning up: on request, by the watchdog, and after runs that crashed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

use crate::dir::{ClusterDir, State};
use crate::process::{HOME, MARK, ProcessId, run};

const TEARDOWN: &str = include_str!("teardown.sh");

/// Removes every trace of the cluster that lives in `dir`. Nothing there, nothing done.
pub fn teardown(dir: &ClusterDir) -> Result<()> {
    if !dir.path().exists() {
        return Ok(());
    }
    match dir.state() {
        Ok(state) => teardown_of(dir.path(), &state.id),
        // The state is the first file written and the last removed: without it, nothing runs.
        Err(_) => match fs::remove_dir_all(dir.path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        },
    }
}

fn teardown_of(path: &Path, id: &str) -> Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", TEARDOWN, "teardown"]).arg(path).arg(id);
    run(&mut command).with_context(|| format!("could not remove the test cluster in {}", path.display()))?;
    Ok(())
}

/// Removes the clusters of this target folder whose owner died without doing so. Clusters that were left running on
/// purpose have no owner; those stay, as do all whose owner lives.
pub fn reap(target: &Path) -> Result<()> {
    for dir in ClusterDir::all(target)? {
        let abandoned = match dir.state() {
            Ok(State { owner: Some(owner), .. }) => !owner.alive(),
            Ok(State { owner: None, .. }) => false,
            Err(_) => true,
        };
        if abandoned {
            teardown(&dir)?;
        }
    }
    for (path, id) in homeless(target)? {
        teardown_of(&path, &id)?;
    }
    Ok(())
}

/// Clusters of this target folder that run although their folder is gone: somebody ran `cargo clean`.
fn homeless(target: &Path) -> Result<BTreeSet<(PathBuf, String)>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        // Processes come and go, and those of other users cannot be read.
        let Ok(environment) = fs::read(entry?.path().join("environ")) else { continue };
        let environment = String::from_utf8_lossy(&environment);
        let value =
            |name: &str| environment.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let (Some(home), Some(id)) = (value(HOME), value(MARK)) else { continue };
        let (home, id) = (Path::new(home), id.trim_end_matches('.'));
        if home.parent() == Some(target) && !home.exists() {
            found.insert((home.to_owned(), id.to_owned()));
        }
    }
    Ok(found)
}

/// A process that waits for its owner to end, in whatever way, and then removes the cluster.
///
/// It reads a pipe of which the owner has the only write end: the kernel closes that even on SIGKILL. Test binaries
/// need this, since they end without dropping their statics.
#[derive(Debug)]
pub struct Watchdog {
    process: Option<ProcessId>,
    _owner_lives: PipeWriter,
}

impl Watchdog {
    /// Starts to watch this process.
    pub fn start(dir: &Path, id: &str) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let mut child = Command::new("sh")
            .args(["-c", &format!("cat >/dev/null\n{TEARDOWN}"), "bluegreen-cluster-watchdog"])
            .arg(dir)
            .arg(id)
            .env(MARK, format!("{id}."))
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start the watchdog")?;
        let process = ProcessId::of(child.id());
        thread::spawn(move || child.wait());
        Ok(Self { process, _owner_lives: writer })
    }

    /// Lets the cluster live on without an owner.
    pub fn dismiss(self) -> Result<()> {
        self.process.map_or(Ok(()), ProcessId::stop)
    }
}
