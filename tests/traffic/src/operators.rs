//! Operators as processes, kept running as a kubelet would, and killed as nobody should.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, patiently};
use bluegreen_demo::operator::LEASE;
use bluegreen_demo::place::NAMESPACE;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::task::JoinHandle;

/// How soon a process that ended is started again.
const RESTART: Duration = Duration::from_millis(500);

/// How long an operator may take to lead: a dead leader's Lease has to run out.
const LEADS: Duration = Duration::from_secs(60);

/// A Lease short enough that a takeover takes seconds. The default's 15 s would only make each such row longer.
const PACE: [&str; 4] =
    ["--lease-duration=8s", "--lease-renew-deadline=6s", "--lease-retry-period=1500ms", "--write-timeout=2s"];

/// What runs the checks of an operator that is in no pod, as `make image` leaves it.
const CHECKER: &str =
    concat!("--check-image=docker.io/library/bluegreen-operator:", env!("CARGO_PKG_VERSION"));

/// The processes of one cluster. They end with it.
pub struct Operators {
    cluster: Arc<Cluster>,
    /// Who should run.
    wanted: Arc<Mutex<BTreeSet<String>>>,
    /// Who was ever started here.
    known: Mutex<BTreeSet<String>>,
    keeper: JoinHandle<()>,
}

impl Operators {
    /// None yet.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let wanted = Arc::new(Mutex::new(BTreeSet::new()));
        let keeper = tokio::spawn(keep(cluster.clone(), wanted.clone()));
        Self { cluster, wanted, known: Mutex::default(), keeper }
    }

    /// Starts one of the installation, with the operator's own rights.
    pub async fn start(&self, name: &str, kubeconfig: &Path) -> Result<()> {
        self.launch(name, kubeconfig, NAMESPACE).await
    }

    /// Starts one of another installation, which has its Lease in this namespace.
    pub async fn start_rival(&self, name: &str, kubeconfig: &Path, namespace: &str) -> Result<()> {
        self.launch(name, kubeconfig, namespace).await
    }

    async fn launch(&self, name: &str, kubeconfig: &Path, lease_namespace: &str) -> Result<()> {
        if lock(&self.known).insert(name.to_owned()) {
            let program = std::env::current_exe()?.with_file_name("bluegreen-operator");
            ensure!(program.is_file(), "there is no {}: build it first", program.display());
            let arguments = [
                "run",
                "--health-addr=127.0.0.1:0",
                "--metrics-addr=127.0.0.1:0",
                "--log-format=text",
                CHECKER,
                "--lease-namespace",
                lease_namespace,
            ];
            let arguments: Vec<&str> = arguments.into_iter().chain(PACE).collect();
            let environment = [("KUBECONFIG", kubeconfig), ("POD_NAME", Path::new(name))];
            self.cluster.start_process(name, &program, &arguments, &environment)?;
        } else {
            self.cluster.restart_process(name).await?;
        }
        lock(&self.wanted).insert(name.to_owned());
        Ok(())
    }

    /// SIGKILL. It stays down until it is started again.
    pub async fn kill(&self, name: &str) -> Result<()> {
        lock(&self.wanted).remove(name);
        self.cluster.kill_process(name).await
    }

    /// Starts one again that was killed.
    pub async fn restart(&self, name: &str) -> Result<()> {
        self.cluster.restart_process(name).await?;
        lock(&self.wanted).insert(name.to_owned());
        Ok(())
    }

    /// The name of the leader.
    pub async fn leader(&self, client: &Client) -> Result<String> {
        let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
        let attempt = async || {
            let lease = leases.get_opt(LEASE).await?;
            let holder = lease.and_then(|lease| lease.spec?.holder_identity).unwrap_or_default();
            let name = holder.rsplit_once('_').map_or(holder.as_str(), |(name, _)| name);
            // A dead one's Lease still names it.
            ensure!(lock(&self.wanted).contains(name), "no operator leads; the Lease is held by {holder:?}");
            Ok(name.to_owned())
        };
        patiently(LEADS, attempt).await
    }

    /// The logs, of all that were ever started.
    pub fn logs(&self) -> Result<Vec<PathBuf>> {
        lock(&self.known).iter().map(|name| self.cluster.process_log(name)).collect()
    }

    /// Looks after them no more.
    pub async fn release(self) {
        self.keeper.abort();
        let _ = self.keeper.await;
    }
}

/// Starts those again that ended by themselves, as one does that lost its Lease.
async fn keep(cluster: Arc<Cluster>, wanted: Arc<Mutex<BTreeSet<String>>>) {
    loop {
        tokio::time::sleep(RESTART).await;
        let names: Vec<String> = lock(&wanted).iter().cloned().collect();
        for name in names {
            if cluster.process_runs(&name).is_ok_and(|runs| !runs)
                && lock(&wanted).contains(&name)
                && let Err(error) =
                    cluster.restart_process(&name).await.context("the operator does not start again")
            {
                eprintln!("{error:#}");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
