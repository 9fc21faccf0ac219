//! The command line: flags, each with an environment variable as its fallback.
//!
//! Every duration is written with its unit: `15s`, `1m30s`, `500ms`.

use std::{net::SocketAddr, time::Duration};

pub use bluegreen_api::version::VERSION;
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;
use kube::config::KubeConfigOptions;

use crate::controller::Scope;
use crate::leader::LeaseConfig;
use crate::telemetry::LogArgs;

pub use self::notify::NotifyArgs;

mod notify;

/// The first word of the command line that starts the program of a check's Job, which has flags of its own.
pub const CHECK: &str = "check";

/// `bluegreen-operator [run] [flags]`, `bluegreen-operator notify`, `bluegreen-operator crd`, `bluegreen-operator version`.
#[derive(Debug, Parser)]
#[command(name = "bluegreen-operator", version = VERSION, about, long_about = None)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "The program of a check's Job has flags of its own: bluegreen-operator check --help")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

impl Cli {
    /// The subcommand; `run` if there is none.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Run(Box::new(self.run)))
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator (the default)
    Run(Box<RunArgs>),
    /// Tell receivers over HTTP what happens to apps: a program of its own, which only lists and watches apps
    Notify(Box<NotifyArgs>),
    /// Print the CustomResourceDefinition as YAML
    Crd,
    /// Print version and source revision
    Version,
}

/// Flags of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Watch only this namespace, or these with commas between them; without it, all of them
    #[arg(long, short = 'n', env = "BLUEGREEN_NAMESPACE", value_name = "NAMESPACES", value_delimiter = ',')]
    #[arg(value_parser = parse_optional)]
    namespace: Vec<Optional>,

    /// Apps that are reconciled at the same time
    #[arg(long, env = "BLUEGREEN_CONCURRENCY", value_name = "COUNT", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,

    /// Longest time one write request may take; at most --lease-renew-deadline minus twice --lease-retry-period
    #[arg(long, env = "BLUEGREEN_WRITE_TIMEOUT", value_name = "DURATION", default_value = "3s")]
    #[arg(value_parser = parse_duration)]
    pub write_timeout: Duration,

    /// Image whose program carries out the checks of type `http` and `prometheus`; by default the image of this pod
    #[arg(long, env = "BLUEGREEN_CHECK_IMAGE", value_name = "IMAGE")]
    pub check_image: Option<String>,

    /// Jobs of checks that run at the same time, in all namespaces together; further ones wait. The operator may exceed it by a
    /// few
    #[arg(long, env = "BLUEGREEN_MAX_RUNNING_CHECKS", value_name = "COUNT", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub max_running_checks: u16,

    /// Address for /livez and /readyz; port 0 picks a free one and logs it
    #[arg(long, env = "BLUEGREEN_HEALTH_ADDR", value_name = "IP:PORT", default_value = "0.0.0.0:8081")]
    pub health_addr: SocketAddr,

    /// Address for /metrics, which name every app: by default only for the pod itself, and for `kubectl port-forward`
    #[arg(long, env = "BLUEGREEN_METRICS_ADDR", value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub metrics_addr: SocketAddr,

    /// Flags of the leader election.
    #[command(flatten)]
    pub lease: LeaseArgs,

    /// Flags of the log.
    #[command(flatten)]
    pub log: LogArgs,

    /// Flags that choose the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Flags of the leader election.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Leader election")]
pub struct LeaseArgs {
    /// Wait for the Lease before acting. `false` is for a single operator on a laptop: its epoch is the time
    /// of its start
    #[arg(long = "leader-elect", env = "BLUEGREEN_LEADER_ELECT", value_name = "BOOL")]
    #[arg(default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    #[arg(action = clap::ArgAction::Set)]
    pub elect: bool,

    /// Namespace of the Lease; without it, the one the operator runs in
    #[arg(
        id = "lease_namespace",
        long = "lease-namespace",
        env = "BLUEGREEN_LEASE_NAMESPACE",
        value_name = "NAMESPACE"
    )]
    #[arg(value_parser = parse_optional)]
    namespace: Option<Optional>,

    /// Name of the Lease; two installs that watch the same apps must share it
    #[arg(id = "lease_name", long = "lease-name", env = "BLUEGREEN_LEASE_NAME", value_name = "NAME")]
    #[arg(default_value = "bluegreen-operator")]
    pub name: String,

    /// How long another replica waits after the last sign of the leader before it takes over
    #[arg(long = "lease-duration", env = "BLUEGREEN_LEASE_DURATION", value_name = "DURATION")]
    #[arg(default_value = "15s", value_parser = parse_duration)]
    pub duration: Duration,

    /// How long a leader acts after its last successful renewal; shorter than --lease-duration
    #[arg(long = "lease-renew-deadline", env = "BLUEGREEN_LEASE_RENEW_DEADLINE", value_name = "DURATION")]
    #[arg(default_value = "10s", value_parser = parse_duration)]
    pub renew_deadline: Duration,

    /// Time between two renewals, and the longest time that one may take
    #[arg(long = "lease-retry-period", env = "BLUEGREEN_LEASE_RETRY_PERIOD", value_name = "DURATION")]
    #[arg(default_value = "2s", value_parser = parse_duration)]
    pub retry_period: Duration,

    /// Name of this pod, part of its identity on the Lease
    #[arg(long, env = "POD_NAME", value_name = "NAME", hide = true)]
    pub pod_name: Option<String>,
}

/// Flags that choose the cluster, as in kubectl. `KUBECONFIG` works as usual.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Context of the kubeconfig; without it, the current one, or the ServiceAccount inside a cluster
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// User to impersonate
    #[arg(long = "as", value_name = "USER")]
    pub impersonate: Option<String>,
}

impl RunArgs {
    /// The namespaces to watch.
    pub fn scope(&self) -> Scope {
        scope(&self.namespace)
    }

    /// Refuses flags that contradict each other.
    ///
    /// # Errors
    /// Names the flags, and what to do.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.lease.elect {
            self.lease.config("", "unused").check()?;
            let longest = self.lease.longest_write();
            anyhow::ensure!(
                self.write_timeout <= longest,
                "--write-timeout ({:?}) must be at most {longest:?}, which is --lease-renew-deadline ({:?}) minus twice \
                 --lease-retry-period ({:?}): a write is sent only if its timeout ends before the leadership can, and a \
                 longer one would be held back for a part of each renewal. Lower --write-timeout, or raise \
                 --lease-renew-deadline",
                self.write_timeout,
                self.lease.renew_deadline,
                self.lease.retry_period
            );
        }
        Ok(())
    }
}

impl LeaseArgs {
    /// The longest timeout with which a write can be sent at any time while renewals succeed: leadership is valid for
    /// the renew deadline from the start of the last renewal that succeeded. When the next one succeeds that start may be
    /// two retry periods ago: one that is waited, and one that the request may take.
    fn longest_write(&self) -> Duration {
        self.renew_deadline.saturating_sub(self.retry_period.saturating_mul(2))
    }

    /// The configuration of the election. `fallback` is the namespace that the kube config names: the pod's own inside a cluster.
    pub fn config(&self, fallback: &str, identity: &str) -> LeaseConfig {
        LeaseConfig {
            namespace: self.namespace.as_ref().and_then(Optional::get).unwrap_or(fallback).to_owned(),
            name: self.name.clone(),
            identity: identity.to_owned(),
            duration: self.duration,
            renew_deadline: self.renew_deadline,
            retry_period: self.retry_period,
        }
    }
}

impl ClusterArgs {
    /// Finds the cluster: the context that --context names, else `KUBECONFIG` or `~/.kube/config`, else the ServiceAccount.
    ///
    /// # Errors
    /// When none of them leads to a cluster, or the context doesn't exist.
    pub async fn kube_config(&self) -> anyhow::Result<kube::Config> {
        use anyhow::Context;
        let mut config = match &self.context {
            Some(context) => {
                let options = KubeConfigOptions { context: Some(context.clone()), ..Default::default() };
                kube::Config::from_kubeconfig(&options)
                    .await
                    .with_context(|| format!("can't use context {context:?} of the kubeconfig"))?
            }
            None => kube::Config::infer()
                .await
                .context("no cluster: neither a kubeconfig nor a ServiceAccount was found")?,
        };
        if let Some(user) = &self.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        Ok(config)
    }
}

/// A value that may be empty, which means the same as absent: a chart passes an unset value as an empty one.
#[derive(Clone, Debug)]
pub(crate) struct Optional(String);

/// The namespaces that a flag names.
pub(crate) fn scope(namespaces: &[Optional]) -> Scope {
    Scope::new(namespaces.iter().filter_map(Optional::get).map(str::to_owned))
}

impl Optional {
    pub(crate) fn get(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|value| !value.is_empty())
    }
}

#[allow(clippy::unnecessary_wraps)] // The signature is clap's.
pub(crate) fn parse_optional(text: &str) -> Result<Optional, String> {
    Ok(Optional(text.trim().to_owned()))
}

/// Parses `15s`, `1m30s`, `500ms`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = "expected a duration with its unit, such as 15s, 1m30s or 500ms";
    let parsed: SignedDuration = text.parse().map_err(|_| hint.to_owned())?;
    let duration = Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())?;
    if duration.is_zero() {
        return Err("must be longer than 0s".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
