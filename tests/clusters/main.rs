//! What apps do in clusters that most are not: one that is restored from a snapshot under a running operator, one with two
//! address families. Each test starts a cluster of its own, with simulated nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}

mod dual_stack;
mod restored;

pub use e2e::harness;

use anyhow::Result;
use bluegreen_cluster::{Cluster, Node, Options};

use crate::harness::setup;

/// A cluster with the CRD and the operator's rights. It ends with this process, since a sandbox asks for one that stays.
async fn cluster(options: Options) -> Result<&'static Cluster> {
    let cluster = Cluster::start(Options { node: Node::Simulated { count: 1 }, ..options }).await?;
    setup::install(&cluster).await?;
    Ok(Box::leak(Box::new(cluster)))
}
