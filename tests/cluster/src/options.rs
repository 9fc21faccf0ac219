//! What kind of cluster to start.

use std::path::PathBuf;

/// The nodes of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// None: pods stay Pending.
    None,
    /// Nodes without containers, whose pods become ready as their annotations say (see `stages.yaml`).
    Simulated {
        /// How many.
        count: usize,
    },
    /// Nodes with real containers, probes and NodePorts. Needs root, and programs that
    /// [`Cluster::real_node_possible`](crate::Cluster::real_node_possible) checks for.
    Real {
        /// How many.
        count: usize,
    },
}

/// How kube-proxy moves packets on real nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyMode {
    /// iptables: what most clusters have.
    #[default]
    Iptables,
    /// nftables: the newer one.
    Nftables,
}

impl ProxyMode {
    /// As kube-proxy's configuration calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            ProxyMode::Iptables => "iptables",
            ProxyMode::Nftables => "nftables",
        }
    }
}

/// What kind of cluster to start. `Options::default()` is three simulated nodes and an audit log.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its nodes.
    pub node: Node,
    /// Its name; a cluster without one gets a unique name, so that any number run side by side.
    pub name: Option<String>,
    /// Whether requests are logged for [`Cluster::audit`](crate::Cluster::audit).
    pub audit: bool,
    /// More arguments for the API server.
    pub apiserver_args: Vec<String>,
    /// More arguments for the controller manager.
    pub controller_manager_args: Vec<String>,
    /// kube-proxy's mode on real nodes.
    pub proxy_mode: ProxyMode,
    /// The OCI archive of the pause image for real nodes; without it, one is made from a program of this crate.
    pub pause_image: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node: Node::Simulated { count: 3 },
            name: None,
            audit: true,
            apiserver_args: Vec::new(),
            controller_manager_args: Vec::new(),
            proxy_mode: ProxyMode::default(),
            pause_image: None,
        }
    }
}
