//! The flags of `bluegreen-operator notify`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ClusterArgs, Optional, parse_duration, parse_optional, scope};
use crate::controller::Scope;
use crate::telemetry::LogArgs;

/// Flags of `notify`.
#[derive(Clone, Debug, Args)]
pub struct NotifyArgs {
    /// File with the receivers, in YAML: a key of a Secret that is mounted into the pod
    #[arg(long, env = "BLUEGREEN_NOTIFY_CONFIG", value_name = "PATH")]
    pub config: PathBuf,

    /// Watch only this namespace, or these with commas between them; without it, all of them
    #[arg(long, short = 'n', env = "BLUEGREEN_NAMESPACE", value_name = "NAMESPACES", value_delimiter = ',')]
    #[arg(value_parser = parse_optional)]
    namespace: Vec<Optional>,

    /// Messages that wait for one receiver; a further one drops the oldest
    #[arg(long, env = "BLUEGREEN_NOTIFY_QUEUE", value_name = "COUNT", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub queue: u16,

    /// The longest time that a message waits for a receiver that can't be reached
    #[arg(long, env = "BLUEGREEN_NOTIFY_KEEP", value_name = "DURATION", default_value = "1h")]
    #[arg(value_parser = parse_duration)]
    pub keep: Duration,

    /// The longest time for a connection to a receiver, and again for its answer
    #[arg(long, env = "BLUEGREEN_NOTIFY_TIMEOUT", value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = parse_duration)]
    pub timeout: Duration,

    /// Address for /livez and /readyz; port 0 picks a free one and logs it
    #[arg(long, env = "BLUEGREEN_HEALTH_ADDR", value_name = "IP:PORT", default_value = "0.0.0.0:8081")]
    pub health_addr: SocketAddr,

    /// Address for /metrics, which name every receiver: by default only for the pod itself, and for `kubectl port-forward`
    #[arg(long, env = "BLUEGREEN_METRICS_ADDR", value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub metrics_addr: SocketAddr,

    /// Flags of the log.
    #[command(flatten)]
    pub log: LogArgs,

    /// Flags that choose the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

impl NotifyArgs {
    /// The namespaces whose apps are watched.
    pub fn scope(&self) -> Scope {
        scope(&self.namespace)
    }
}
