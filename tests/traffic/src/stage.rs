//! A cluster of one shape, with the sample app's images on its nodes and the operator in charge.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, patiently, tail};
use bluegreen_demo::kubectl::Kubectl;
use bluegreen_demo::{operator, place};
use bluegreen_guard::Kind;
use kube::Client;
use kube::api::ListParams;

use crate::operators::Operators;
use crate::rows::{Nodes, Shape};

/// Addresses to send from: at two thousand connections a second each is used again after two minutes.
const SOURCES: u8 = 8;

/// The operator of the installation.
pub const FIRST: &str = "operator-a";

/// Its standby.
pub const SECOND: &str = "operator-b";

/// The operator of another installation, and the namespace of its Lease.
pub const RIVAL: &str = "rival";

/// How long a start may take.
const MINUTE: Duration = Duration::from_secs(60);

/// A cluster of one shape.
pub struct Stage {
    /// Its shape.
    pub shape: Shape,
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// A cluster admin.
    pub client: Client,
    /// The operators.
    pub operators: Operators,
    /// Addresses to send from.
    pub sources: Vec<IpAddr>,
    /// Addresses to send to.
    pub nodes: Vec<IpAddr>,
    kubectl: Kubectl,
    kubeconfig: PathBuf,
    next_port: u16,
}

impl Stage {
    /// Starts a cluster, without an operator yet.
    pub async fn set(shape: Shape) -> Result<Self> {
        let cluster = Arc::new(Cluster::start(shape.options()).await?);
        let kubectl = Kubectl::new(&cluster, None)?;
        let (mut sources, mut nodes) = (Vec::new(), Vec::new());
        match shape.nodes {
            Nodes::Real(_) => {
                sources = cluster.source_addresses(SOURCES)?;
                nodes = cluster.node_addresses()?;
                cluster.load_images(&["hello-v1.0.0", "hello-v2.0.0"]).await?;
            }
            Nodes::Simulated => {}
        }
        let client = cluster.client()?;
        let operators = Operators::new(cluster.clone());
        let kubeconfig = cluster.dir()?.join("config/operator.kubeconfig");
        Ok(Self { shape, cluster, client, operators, sources, nodes, kubectl, kubeconfig, next_port: 30_100 })
    }

    /// Installs the operator with the rights that it is shipped with, and waits until it leads.
    pub async fn install(&self) -> Result<()> {
        self.kubectl.quiet(&["apply", "-f", place::CRD]).await?;
        // `kubectl wait` gives up at once where the CRD has no condition yet.
        let apps = Kind::App.api(&self.client, "default");
        let attempt = async || Ok(apps.list(&ListParams::default()).await?);
        patiently(MINUTE, attempt).await.context("the CRD is not served")?;
        self.kubectl.quiet(&["apply", "-k", place::OPERATOR]).await?;
        operator::write_kubeconfig(&self.kubectl, &self.kubeconfig).await?;
        self.operators.start(FIRST, &self.kubeconfig).await?;
        self.operators.leader(&self.client).await?;
        Ok(())
    }

    /// Adds a standby.
    pub async fn add_standby(&self) -> Result<()> {
        self.operators.start(SECOND, &self.kubeconfig).await
    }

    /// Adds another installation, which watches the same apps.
    pub async fn add_rival(&self) -> Result<()> {
        if self.kubectl.quiet(&["get", "namespace", RIVAL, "--ignore-not-found"]).await?.is_empty() {
            self.kubectl.quiet(&["create", "namespace", RIVAL]).await?;
        }
        self.operators.start_rival(RIVAL, self.cluster.kubeconfig(), RIVAL).await?;
        let log = self.cluster.process_log(RIVAL)?;
        let attempt = async || {
            let leads = std::fs::read_to_string(&log)?.contains("leading");
            ensure!(leads, "the second installation does not lead its own Lease");
            Ok(())
        };
        patiently(MINUTE, attempt).await
    }

    /// A NodePort that no row has used: the one before may not be gone yet.
    pub fn take_port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    /// The end of every operator's log.
    pub fn logs(&self) -> Result<String> {
        let mut text = String::new();
        for log in self.operators.logs()? {
            let name = log.file_name().unwrap_or_default().to_string_lossy();
            text += &format!("--- {name}\n{}\n", tail(&log, 200));
        }
        Ok(text)
    }

    /// Removes everything.
    pub async fn leave(self) -> Result<()> {
        self.operators.release().await;
        // The last owner removes the cluster; whoever else held it has ended just now.
        match Arc::into_inner(self.cluster) {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}
