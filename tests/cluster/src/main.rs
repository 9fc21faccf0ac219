//! `cluster`: a real Kubernetes on this machine, from the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bluegreen_cluster::{
    Cluster, DEFAULT, DIR, Node, Options, ProxyMode, Tools, argocd, autoscalers, down, down_all,
    install_node_dependencies, prometheus, target,
};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "A real Kubernetes on this machine, without a container engine or an image registry")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a cluster and leave it running; prints the path of its kubeconfig.
    Up {
        #[command(flatten)]
        kind: Kind,
        /// The cluster's name.
        #[arg(long, default_value = DEFAULT)]
        name: String,
    },
    /// Remove a cluster with every trace, also after a crash.
    Down {
        /// The cluster's name.
        #[arg(long, default_value = DEFAULT)]
        name: String,
        /// All clusters of this checkout, also those that tests are using now.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Run a command with a cluster of its own (KUBECONFIG, and the tools on PATH), then remove the cluster.
    Run {
        #[command(flatten)]
        kind: Kind,
        /// The cluster's name; a unique one without it.
        #[arg(long)]
        name: Option<String>,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Import an OCI archive into the real nodes of a running cluster.
    LoadImage {
        /// The archive.
        archive: PathBuf,
        /// The cluster's name; without it, the one of `cluster run` or the default one.
        #[arg(long)]
        name: Option<String>,
    },
    /// Run a command inside the first real node of a running cluster.
    NodeExec {
        /// The cluster's name; without it, the one of `cluster run` or the default one.
        #[arg(long)]
        name: Option<String>,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Tell whether a real node can run here, and why not.
    NodeDeps {
        /// Install what is missing (root on Debian or Ubuntu).
        #[arg(long)]
        install: bool,
    },
    /// Build the programs of Kubernetes, and nothing else; prints their folder.
    Build {
        /// Only Helm; prints the folder that it is in.
        #[arg(long, conflicts_with_all = ["simulated", "more", "argocd", "autoscalers"])]
        helm: bool,
        /// Also what plays the part of simulated nodes.
        #[arg(long)]
        simulated: bool,
        /// Also what the suites need beside it: kwok for simulated nodes, and Helm and Prometheus for the chart and the alerts.
        #[arg(long)]
        more: bool,
        /// Also a real Argo CD and its Redis.
        #[arg(long)]
        argocd: bool,
        /// Also a real KEDA, metrics-server and VerticalPodAutoscaler, and Prometheus.
        #[arg(long)]
        autoscalers: bool,
    },
}

#[derive(Args)]
struct Kind {
    /// A node with real containers, instead of simulated ones.
    #[arg(long)]
    real_node: bool,
    /// How many nodes; 3 simulated ones or 1 real one without it.
    #[arg(long)]
    nodes: Option<usize>,
    /// kube-proxy uses nftables instead of iptables.
    #[arg(long)]
    nftables: bool,
    /// OCI archive of a pause image for real nodes.
    #[arg(long)]
    pause_image: Option<PathBuf>,
}

impl Kind {
    fn options(self, name: Option<String>) -> Options {
        let Kind { real_node, nodes, nftables, pause_image } = self;
        let node = if real_node {
            Node::Real { count: nodes.unwrap_or(1) }
        } else {
            Node::Simulated { count: nodes.unwrap_or(3) }
        };
        let proxy_mode = if nftables { ProxyMode::Nftables } else { ProxyMode::Iptables };
        Options { node, name, proxy_mode, pause_image, ..Options::default() }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match act(Arguments::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn act(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up { kind, name } => {
            let cluster = Cluster::start(kind.options(Some(name))).await?;
            // The path alone, for scripts.
            println!("{}", shown(cluster.kubeconfig()));
            let (kubeconfig, kubectl) = (cluster.kubeconfig().display(), cluster.tool("kubectl"));
            let tools = kubectl.parent().unwrap_or(&kubectl).display();
            eprintln!("to use it from this shell: export KUBECONFIG={kubeconfig} PATH={tools}:$PATH");
            if let Some(address) = cluster.node_address() {
                eprintln!("NodePorts answer on {address}");
            }
            cluster.keep()?;
        }
        Command::Down { all: true, .. } => eprintln!("{} clusters removed", down_all()?),
        Command::Down { name, all: false } => {
            eprintln!("{}", if down(&name)? { "removed" } else { "there is no such cluster" });
        }
        Command::Run { kind, name, command } => return run(kind.options(name), command).await,
        Command::LoadImage { archive, name } => running(name).await?.load_image(&archive).await?,
        Command::NodeExec { name, command } => {
            let (program, arguments) = command.split_first().context("no command")?;
            let status = running(name).await?.node_command(program)?.args(arguments).status()?;
            return Ok(ExitCode::from(exit_code(status)));
        }
        Command::NodeDeps { install } => {
            if install {
                install_node_dependencies()?;
            }
            Cluster::real_node_possible().map_err(anyhow::Error::msg)?;
            println!("a real node can run here");
        }
        Command::Build { helm: true, .. } => {
            let helm = Tools::helm(&target()?)?;
            println!("{}", helm.parent().unwrap_or(&helm).display());
        }
        Command::Build { helm: false, simulated, more, argocd, autoscalers: scaling } => {
            let target = target()?;
            println!("{}", shown(Tools::ensure(&target)?.folder()));
            if simulated || more {
                println!("{}", shown(&Tools::kwok(&target)?));
            }
            if more {
                println!("{}", shown(&Tools::helm(&target)?));
                println!("{}", shown(&prometheus::ensure(&target)?));
            }
            if argocd {
                println!("{}", shown(&argocd::program(&target)?));
                println!("{}", shown(&argocd::redis(&target)?.0));
            }
            if scaling {
                println!("{}", shown(&autoscalers::image(&target)?));
                println!("{}", shown(&prometheus::ensure(&target)?));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The cluster that a command is about.
async fn running(name: Option<String>) -> Result<Cluster> {
    match (name, std::env::var_os(DIR)) {
        (None, Some(dir)) => Cluster::join(&PathBuf::from(dir)).await,
        (name, _) => Cluster::named(name.as_deref().unwrap_or(DEFAULT)).await,
    }
}

/// Relative to where the user is, if it is below.
fn shown(path: &std::path::Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

async fn run(options: Options, command: Vec<String>) -> Result<ExitCode> {
    use tokio::signal::unix::{SignalKind, signal};
    // From here on Ctrl-C is for the command, which the terminal tells too: we wait for it, then clean up.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let cluster = tokio::select! {
        cluster = Cluster::start(options) => cluster?,
        // The watchdog removes what there is.
        _ = interrupt.recv() => return Ok(ExitCode::from(130)),
        _ = terminate.recv() => return Ok(ExitCode::from(143)),
    };
    let (program, arguments) = command.split_first().context("no command")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .envs(cluster.environment()?)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let code = loop {
        tokio::select! {
            status = child.wait() => break exit_code(status?),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                child.kill().await?;
                break 143;
            }
        }
    };
    cluster.stop().await?;
    Ok(ExitCode::from(code))
}

/// As a shell reports it: a command that died of a signal counts as 128 and the signal.
fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
