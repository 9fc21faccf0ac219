//! Where clusters live: `target/cluster` and `target/cluster-NAME`, each with its state.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::net::Network;
use crate::process::ProcessId;

/// The name of the cluster that lives in `target/cluster`.
pub const DEFAULT: &str = "default";

/// What has to be known about a cluster to join it or to remove it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Unique among all clusters of the machine: six hexadecimal digits. Processes, links and cgroups carry it.
    pub id: String,
    /// The process whose end is the cluster's end; none for a cluster that was left running.
    pub owner: Option<ProcessId>,
    /// Folder of the tools it runs.
    pub tools: PathBuf,
    /// Where the API server listens.
    pub server: String,
    /// Whether requests are logged.
    pub audit: bool,
    /// The network of its real nodes.
    pub network: Option<Network>,
}

/// The folder of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDir(PathBuf);

impl ClusterDir {
    /// The folder of the cluster with this name.
    pub fn named(target: &Path, name: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !name.is_empty() && name.chars().all(plain),
            "a cluster's name is of a-z, 0-9 and -, not {name:?}"
        );
        ensure!(name != "tools", "\"tools\" is where the tools are: choose another name");
        Ok(Self(target.join(if name == DEFAULT { "cluster".into() } else { format!("cluster-{name}") })))
    }

    /// A folder that is known to be a cluster's.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// All clusters of a target folder.
    pub fn all(target: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(target)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name == "cluster" || (name.starts_with("cluster-") && name != "cluster-tools");
            if ours && entry.file_type()?.is_dir() {
                found.push(Self(entry.path()));
            }
        }
        Ok(found)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Reads the state.
    pub fn state(&self) -> Result<State> {
        let path = self.join("state.json");
        let text = fs::read(&path).with_context(|| format!("no test cluster in {}", self.0.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Replaces the state in one step: a reader never sees half of it.
    pub fn write_state(&self, state: &State) -> Result<()> {
        let temporary = self.join("state.json.new");
        fs::write(&temporary, serde_json::to_vec_pretty(state)?)?;
        Ok(fs::rename(temporary, self.join("state.json"))?)
    }
}

/// The workspace's target folder: the one this program was built into, wherever that is.
pub fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    // Cargo marks it as a cache. Tests run in target/debug/deps, programs in target/debug.
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let target = match marked {
        Some(folder) => folder.to_owned(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    };
    fs::create_dir_all(&target)?;
    Ok(target.canonicalize()?)
}

/// Held while a cluster claims its name, so that two starts and their clean-ups do not cross.
pub fn lock(target: &Path) -> Result<File> {
    let lock = File::create(target.join("cluster.lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// A new [`State::id`].
pub fn new_id() -> Result<String> {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(uuid.chars().take(6).collect())
}

/// Ports that are free now. Somebody may take one before we do: see [`port_was_taken`].
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Whether a start failed only because a port went to somebody else in between; then another try is worth it.
pub fn port_was_taken(error: &anyhow::Error) -> bool {
    format!("{error:?}").contains("address already in use")
}
