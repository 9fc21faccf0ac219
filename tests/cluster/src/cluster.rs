//! A running cluster, and how it begins and ends.

mod backup;
mod guest;

pub use backup::Backup;

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use kube::config::Kubeconfig;
use rustix::process::Signal;
use tokio::sync::OnceCell;

use crate::audit::AuditLog;
use crate::cgroup;
use crate::containerd;
use crate::control_plane::{self, Setup};
use crate::dir::{self, ClusterDir, State};
use crate::kubeconfig::{self, UserAccount};
use crate::net::Network;
use crate::node;
use crate::options::{Node, Options};
use crate::pki::Pki;
use crate::process::{self, ProcessId, Processes};
use crate::reap::{self, Watchdog};
use crate::requirements;
use crate::simulated;
use crate::tools::Tools;

/// The environment variable that names the folder of a running cluster: `cluster run` sets it for its command.
pub const DIR: &str = "BLUEGREEN_CLUSTER_DIR";

/// The environment variable that tells the command of `cluster run` where NodePorts answer, on a real node.
pub const NODE_ADDRESS: &str = "BLUEGREEN_NODE_ADDRESS";

/// A Kubernetes cluster.
///
/// Dropping the one that started it removes the cluster, as [`Cluster::stop`] does.
pub struct Cluster {
    kubeconfig: PathBuf,
    config: kube::Config,
    /// `None` for a cluster that was not started by this crate.
    harness: Option<Harness>,
}

struct Harness {
    dir: ClusterDir,
    state: State,
    processes: Processes,
    /// Only where this process is the owner.
    watchdog: Option<Watchdog>,
}

impl Cluster {
    /// Starts a cluster that ends with this process, at the latest.
    pub async fn start(options: Options) -> Result<Cluster> {
        if let Node::Real { .. } = options.node {
            requirements::check().map_err(anyhow::Error::msg)?;
        }
        let target = dir::target()?;
        let tools = {
            let (target, is_simulated) = (target.clone(), matches!(options.node, Node::Simulated { .. }));
            let build = move || {
                if is_simulated {
                    Tools::kwok(&target)?;
                }
                Tools::ensure(&target)
            };
            tokio::task::spawn_blocking(build).await??
        };
        let mut attempt = 1;
        loop {
            match Self::attempt(&target, &tools, &options).await {
                Err(error) if attempt < 3 && dir::port_was_taken(&error) => attempt += 1,
                result => return result,
            }
        }
    }

    /// One cluster for all tests of a test binary, started by whichever test comes first.
    ///
    /// With `CLUSTER=current` in the environment it is the one of the current kubeconfig; inside of `cluster run`, the
    /// one that was started there.
    pub async fn shared() -> Result<&'static Cluster> {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| async {
                if std::env::var("CLUSTER").is_ok_and(|cluster| cluster == "current") {
                    return Self::current().await;
                }
                match std::env::var_os(DIR) {
                    Some(dir) => Self::join(Path::new(&dir)).await,
                    None => Self::start(Options::default()).await,
                }
            })
            .await
    }

    /// The cluster of the current kubeconfig, whatever it is.
    pub async fn current() -> Result<Cluster> {
        let named = std::env::var_os("KUBECONFIG");
        let home = std::env::var_os("HOME").unwrap_or_default();
        // The file itself and no copy: it holds somebody's credentials.
        let kubeconfig = named.map_or_else(|| Path::new(&home).join(".kube/config"), PathBuf::from);
        let current =
            Kubeconfig::read_from(&kubeconfig).context("CLUSTER=current needs one kubeconfig file")?;
        let config = kubeconfig::from(current).await?;
        Ok(Self { kubeconfig, config, harness: None })
    }

    /// A cluster that another process started, by its folder. It goes on when this process ends.
    pub async fn join(path: &Path) -> Result<Cluster> {
        let dir = ClusterDir::at(path.to_owned());
        let state = dir.state()?;
        let processes = Processes::new(path, &state.id)?;
        let kubeconfig = dir.join("kubeconfig");
        let config = kubeconfig::load(&kubeconfig).await?;
        Ok(Self { kubeconfig, config, harness: Some(Harness { dir, state, processes, watchdog: None }) })
    }

    /// The running cluster of this name; see [`Cluster::join`].
    pub async fn named(name: &str) -> Result<Cluster> {
        Self::join(ClusterDir::named(&dir::target()?, name)?.path()).await
    }

    async fn attempt(target: &Path, tools: &Tools, options: &Options) -> Result<Cluster> {
        let harness = Harness::claim(target, tools, options)?;
        let kubeconfig = harness.dir.join("kubeconfig");
        match harness.bring_up(tools, options, &kubeconfig).await {
            Ok(config) => Ok(Self { kubeconfig, config, harness: Some(harness) }),
            Err(error) => {
                harness.remove()?;
                Err(error.context("the test cluster does not start"))
            }
        }
    }

    /// The kubeconfig file of a cluster admin.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A cluster admin's configuration for kube.
    pub fn admin_config(&self) -> kube::Config {
        self.config.clone()
    }

    /// A cluster admin's client. It belongs to the tokio runtime in which it is created: each test needs one.
    pub fn client(&self) -> Result<kube::Client> {
        Ok(kube::Client::try_from(self.config.clone())?)
    }

    /// The cluster's folder: logs, audit log, kubeconfigs. Only of a cluster of this crate.
    pub fn dir(&self) -> Result<&Path> {
        Ok(self.harness()?.dir.path())
    }

    /// Creates a user with a client certificate and a kubeconfig. There are no rights with it.
    ///
    /// In somebody else's cluster, it is the current user acting as this one.
    pub async fn user(&self, name: &str, groups: &[&str]) -> Result<UserAccount> {
        let file: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let (kubeconfig, config) = match &self.harness {
            Some(harness) => {
                let path = harness.dir.join("config").join(format!("user-{file}.kubeconfig"));
                let pki = Pki::open(&harness.dir.join("pki"))?;
                kubeconfig::write(&pki, &harness.state.server, name, &pki.client(name, groups)?, &path)?;
                let config = kubeconfig::load(&path).await?;
                (path, config)
            }
            None => {
                let mut acting = Kubeconfig::read_from(&self.kubeconfig)?;
                for user in acting.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
                    user.impersonate = Some(name.to_owned());
                    user.impersonate_groups = Some(groups.iter().map(ToString::to_string).collect());
                }
                let path = dir::target()?.join(format!("current-{file}.kubeconfig"));
                kubeconfig::write_yaml(&acting, &path)?;
                (path, kubeconfig::from(acting).await?)
            }
        };
        Ok(UserAccount { name: name.to_owned(), kubeconfig, config })
    }

    /// What was asked of the API server.
    pub fn audit(&self) -> Result<AuditLog> {
        let harness = self.harness()?;
        ensure!(harness.state.audit, "this cluster was started without an audit log");
        Ok(AuditLog::new(harness.dir.join("audit.log")))
    }

    /// A program of the cluster's version, such as `kubectl`; in somebody else's cluster, the one on the PATH.
    pub fn tool(&self, name: &str) -> PathBuf {
        match &self.harness {
            Some(harness) => harness.state.tools.join(name),
            None => PathBuf::from(name),
        }
    }

    /// What a command needs to use the cluster: `KUBECONFIG`, the tools on the `PATH`, and how tests join it.
    pub fn environment(&self) -> Result<Vec<(&'static str, OsString)>> {
        let mut environment = vec![("KUBECONFIG", self.kubeconfig.clone().into_os_string())];
        if let Some(Harness { dir, state, .. }) = &self.harness {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let path = std::iter::once(state.tools.clone()).chain(std::env::split_paths(&path));
            environment.push(("PATH", std::env::join_paths(path)?));
            environment.push((DIR, dir.path().into()));
            if let Some(address) = self.node_address() {
                environment.push((NODE_ADDRESS, address.to_string().into()));
                // A proxy cannot reach what is on this machine only.
                let direct = ["NO_PROXY", "no_proxy"].map(|name| std::env::var(name).unwrap_or_default());
                let direct = direct.join(",");
                environment.push(("NO_PROXY", format!("{direct},10.200.0.0/16,127.0.0.1").into()));
            }
        }
        Ok(environment)
    }

    /// Freezes the API server: requests hang, as with a machine that went away. Until [`Cluster::resume_apiserver`].
    pub async fn pause_apiserver(&self) -> Result<()> {
        self.signal("kube-apiserver", Signal::STOP)
    }

    /// Lets a paused API server go on.
    pub async fn resume_apiserver(&self) -> Result<()> {
        self.signal("kube-apiserver", Signal::CONT)
    }

    /// Stops the API server, starts it again and waits until it is ready.
    pub async fn restart_apiserver(&self) -> Result<()> {
        let processes = self.harness()?.processes.clone();
        tokio::task::spawn_blocking(move || processes.restart("kube-apiserver")).await??;
        control_plane::ready(&self.client()?, &self.harness()?.processes).await
    }

    /// Stops kube-proxy of the first node and starts it again.
    pub async fn restart_kube_proxy(&self) -> Result<()> {
        let processes = self.harness()?.processes.clone();
        let name = format!("kube-proxy-{}", node::name(1));
        tokio::task::spawn_blocking(move || processes.restart(&name)).await??;
        Ok(())
    }

    /// Whether a real node can run on this machine; if not, why.
    pub fn real_node_possible() -> Result<(), String> {
        requirements::check()
    }

    /// Whether a test that needs a real node is to run. Where none can, the test is left out, with the reason on standard
    /// error; with `REQUIRE_REAL_NODE=1` in the environment, as in CI, that is an error.
    pub fn real_node_wanted() -> Result<bool> {
        let Err(reason) = Self::real_node_possible() else { return Ok(true) };
        let required = std::env::var("REQUIRE_REAL_NODE").is_ok_and(|required| required == "1");
        ensure!(!required, reason);
        // Past the test harness, which would swallow it.
        writeln!(std::io::stderr(), "left out: {reason}")?;
        Ok(false)
    }

    /// Imports the images of an OCI archive into all real nodes. Pods need `imagePullPolicy: IfNotPresent`.
    pub async fn load_image(&self, oci_archive: &Path) -> Result<()> {
        let holders = self.holders()?;
        let archive = oci_archive.to_owned();
        tokio::task::spawn_blocking(move || {
            holders.into_iter().try_for_each(|holder| containerd::import(holder, &archive))
        })
        .await?
    }

    /// Where NodePorts answer: the first real node's address.
    pub fn node_address(&self) -> Option<IpAddr> {
        Some(self.harness.as_ref()?.state.network?.node(1).into())
    }

    /// Where NodePorts answer, node by node.
    pub fn node_addresses(&self) -> Result<Vec<IpAddr>> {
        let network = self.harness()?.state.network.context("this cluster has no real node")?;
        Ok((1..=self.holders()?.len()).map(|index| network.node(index).into()).collect())
    }

    /// More addresses of this machine to send from, at most 100: each brings its own ephemeral ports. Only in a cluster
    /// with real nodes, and gone with it.
    pub fn source_addresses(&self, count: u8) -> Result<Vec<IpAddr>> {
        let Harness { state, .. } = self.harness()?;
        let network = state.network.context("this cluster has no real node")?;
        Ok(network.more_addresses(&state.id, count)?.into_iter().map(IpAddr::from).collect())
    }

    /// Gives a process of this machine so many MiB of memory, in a cgroup of that name: with more it is killed, as a container would
    /// be. Only root can do so.
    pub fn limit_memory(&self, name: &str, pid: u32, mebibytes: u64) -> Result<()> {
        cgroup::limit(&self.harness()?.state.id, name, pid, mebibytes)
    }

    /// A command that runs inside the first real node: its network, its containerd, its mounts.
    pub fn node_command(&self, program: &str) -> Result<std::process::Command> {
        let holder = self.harness()?.processes.get(&node::name(1))?;
        let mut command = process::enter(holder);
        command.arg(program);
        Ok(command)
    }

    fn holders(&self) -> Result<Vec<ProcessId>> {
        let Harness { processes, state, .. } = self.harness()?;
        ensure!(state.network.is_some(), "this cluster has no real node");
        Ok((1..).map_while(|index| processes.get(&node::name(index)).ok()).collect())
    }

    /// Leaves the cluster running when this process ends: `cluster up`.
    pub fn keep(mut self) -> Result<()> {
        let Some(harness) = &mut self.harness else { return Ok(()) };
        if let Some(watchdog) = harness.watchdog.take() {
            watchdog.dismiss()?;
        }
        harness.state.owner = None;
        harness.dir.write_state(&harness.state)
    }

    /// Removes the cluster with every trace, where this process started it.
    pub async fn stop(mut self) -> Result<()> {
        match self.harness.take() {
            Some(harness) if harness.watchdog.is_some() => {
                tokio::task::spawn_blocking(move || harness.remove()).await?
            }
            _ => Ok(()),
        }
    }

    fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        ensure!(self.harness()?.processes.get(name)?.signal(signal)?, "{name} is not running");
        Ok(())
    }

    fn harness(&self) -> Result<&Harness> {
        self.harness
            .as_ref()
            .context("only a cluster of this repository can do this, not the current kubeconfig's")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(harness) = self.harness.take().filter(|harness| harness.watchdog.is_some()) {
            // Where this fails, the watchdog and the next start try again.
            let _ = harness.remove();
        }
    }
}

impl Harness {
    /// Takes a folder and a name, after removing what crashed runs left.
    fn claim(target: &Path, tools: &Tools, options: &Options) -> Result<Self> {
        let _lock = dir::lock(target)?;
        reap::reap(target)?;
        let id = dir::new_id()?;
        let dir = ClusterDir::named(target, options.name.as_deref().unwrap_or(&id))?;
        ensure!(!dir.path().exists(), "a cluster of this name runs already: remove it with `cluster down`");
        fs::create_dir_all(dir.path())?;
        let [port] = dir::free_ports()?;
        let state = State {
            owner: Some(ProcessId::current()?),
            tools: tools.folder().to_owned(),
            server: format!("https://{}:{port}", control_plane::address(None)),
            audit: options.audit,
            network: None,
            id,
        };
        dir.write_state(&state)?;
        let watchdog = Some(Watchdog::start(dir.path(), &state.id)?);
        let processes = Processes::new(dir.path(), &state.id)?;
        let mut harness = Self { dir, state, processes, watchdog };
        if let Node::Real { .. } = options.node {
            let network = Network::create(&harness.state.id)?;
            harness.state.network = Some(network);
            harness.state.server = format!("https://{}:{port}", control_plane::address(Some(network)));
            harness.dir.write_state(&harness.state)?;
        }
        Ok(harness)
    }

    async fn bring_up(&self, tools: &Tools, options: &Options, kubeconfig: &Path) -> Result<kube::Config> {
        fs::create_dir_all(self.dir.join("config"))?;
        let pki = Pki::create(&self.dir.join("pki"))?;
        let setup = Setup {
            dir: &self.dir,
            tools,
            pki: &pki,
            processes: &self.processes,
            options,
            network: self.state.network,
            server: &self.state.server,
        };
        let admin = pki.client("admin", &["system:masters"])?;
        kubeconfig::write(&pki, setup.server, "admin", &admin, kubeconfig)?;
        let config = kubeconfig::load(kubeconfig).await?;
        let client = kube::Client::try_from(config.clone())?;
        control_plane::start(&setup, &client).await?;
        match options.node {
            Node::None => {}
            Node::Simulated { count } => simulated::start(&setup, &client, count).await?,
            Node::Real { count } => node::start(&setup, &self.state.id, &client, count).await?,
        }
        Ok(config)
    }

    fn remove(&self) -> Result<()> {
        reap::teardown(&self.dir)
    }
}

/// Removes the cluster of this name with every trace; `false` where there is none.
pub fn down(name: &str) -> Result<bool> {
    let target = dir::target()?;
    let _lock = dir::lock(&target)?;
    reap::reap(&target)?;
    let dir = ClusterDir::named(&target, name)?;
    let there = dir.path().exists();
    reap::teardown(&dir)?;
    Ok(there)
}

/// Removes all clusters of this target folder, also those in use; returns how many.
pub fn down_all() -> Result<usize> {
    let target = dir::target()?;
    let _lock = dir::lock(&target)?;
    let all = ClusterDir::all(&target)?;
    all.iter().try_for_each(reap::teardown)?;
    reap::reap(&target)?;
    Ok(all.len())
}
