//! The entry point: reads the arguments and connects the HTTP server, the leader election and the controller.
//!
//! `check` is another program in the same file: it shares nothing with the operator, neither flags nor runtime. So is `notify`,
//! which shares the log and the probes.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use bluegreen_client::connection;
use bluegreen_core::fence::Token;
use bluegreen_operator::config::{self, Cli, Command, RunArgs};
use bluegreen_operator::controller::Watches;
use bluegreen_operator::events::Publisher;
use bluegreen_operator::health::{Health, HealthLimits};
use bluegreen_operator::http::{self, Limits, Pages};
use bluegreen_operator::leader::{self, Leadership, Term};
use bluegreen_operator::metrics::Metrics;
use bluegreen_operator::reconcile::{Checks, Context};
use bluegreen_operator::send::Writer;
use bluegreen_operator::{notify, own_image, process, shutdown, telemetry};
use clap::Parser;
use kube::Client;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Source revision of this build, where it was told. Read here and not in a library, so that another commit compiles only this file
/// again.
const REVISION: &str = match option_env!("BLUEGREEN_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // Before the operator's own flags are read: what is wrong there ends with 2, which a check's Job takes for a failure of the app.
    if arguments.next().is_some_and(|word| word == config::CHECK) {
        return bluegreen_checker::main(arguments);
    }
    match operate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // As Rust prints an error of `main`.
            let _ = writeln!(std::io::stderr(), "Error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn operate() -> anyhow::Result<()> {
    match Cli::parse().into_command() {
        Command::Run(args) => run(&args).await,
        Command::Notify(args) => notify::run(&args).await,
        Command::Crd => {
            let yaml = bluegreen_api::crd_yaml().context("can't generate the CRD")?;
            std::io::stdout().write_all(yaml.as_bytes()).context("can't write")
        }
        Command::Version => {
            writeln!(std::io::stdout(), "{} {}", config::VERSION, REVISION).context("can't write")
        }
    }
}

async fn run(args: &RunArgs) -> anyhow::Result<()> {
    args.check()?;
    telemetry::init(&args.log)?;
    let shutdown = CancellationToken::new();
    tokio::spawn(shutdown::end_on_signals(shutdown.clone()));
    let kube = args.cluster.kube_config().await?;
    let (health, metrics) = (Health::new(HealthLimits::default()), Metrics::new(REVISION)?);
    let pages = [
        (args.health_addr, Pages::Health(health.clone())),
        (args.metrics_addr, Pages::Metrics(metrics.clone())),
    ];
    let mut servers = JoinSet::new();
    for (address, pages) in pages {
        let (_, server) = http::serve(address, Limits::default(), pages, shutdown.clone()).await?;
        servers.spawn(server);
    }

    let (watches, tasks) = Watches::start(&Client::try_from(kube.clone())?, &args.scope(), health);
    let apps = watches.clone();
    metrics.export_apps(move || apps.apps())?;
    let watching = watches.clone();
    metrics.export_watches(move || watching.watching())?;
    let acting = act(args, &kube, &shutdown, &watches, &metrics);
    process::act_while_watching(tasks, acting, &shutdown, servers).await
}

/// Waits for the leadership, then reconciles until `shutdown`.
async fn act(
    args: &RunArgs,
    kube: &kube::Config,
    shutdown: &CancellationToken,
    watches: &Arc<Watches>,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    let image = match &args.check_image {
        Some(image) => image.clone(),
        None => own_image::find(kube, args.lease.pod_name.as_deref()).await,
    };
    let checks = Checks { image, most: args.max_running_checks.into() };
    let Some(leadership) = lead(args, kube, shutdown).await? else { return Ok(()) };
    metrics.set_leader(true);
    tracing::info!(epoch = leadership.term.epoch, lease = leadership.term.lease_name, "leading");
    let stop = shutdown.child_token();
    let context = context(args, kube, &leadership, watches, metrics.clone(), checks)?;

    let working = async {
        // For ever, if the CustomResourceDefinition is not installed or rights are missing.
        if stop.run_until_cancelled(watches.synced()).await.is_some() {
            watches.lead(context, args.concurrency, stop.clone()).await;
        }
    };
    let lost = tokio::select! {
        () = working => None,
        reason = leadership.lost() => Some(reason),
    };
    metrics.set_leader(false);
    if let Some(reason) = lost {
        // A leader in doubt must not act; a new process starts with nothing in flight.
        anyhow::bail!("leadership lost: {reason}");
    }
    leadership.release().await;
    Ok(())
}

async fn lead(
    args: &RunArgs,
    kube: &kube::Config,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Leadership>> {
    let identity = leader::unique_identity(args.lease.pod_name.as_deref());
    let lease = args.lease.config(&kube.default_namespace, &identity);
    if args.lease.elect {
        leader::acquire(kube.clone(), lease, shutdown.clone()).await
    } else {
        Ok(Some(Leadership::unelected(&lease.namespace, &lease.name)))
    }
}

fn context(
    args: &RunArgs,
    kube: &kube::Config,
    leadership: &Leadership,
    watches: &Watches,
    metrics: Metrics,
    checks: Checks,
) -> anyhow::Result<Context> {
    let client = connection::low_latency_client(connection::for_decisions(kube.clone(), args.write_timeout))?;
    let writer = Writer {
        client: client.clone(),
        tenure: leadership.tenure(),
        deadline: args.write_timeout,
        metrics: metrics.clone(),
    };
    let instance = leader::unique_identity(args.lease.pod_name.as_deref());
    let events = Publisher::new(client.clone(), instance);
    let token = token(&leadership.term);
    Ok(Context::new(client, writer, watches.cache.clone(), metrics, events, token, checks))
}

fn token(term: &Term) -> Token {
    let Term { lease_namespace, lease_name, lease_uid, epoch } = term;
    let lease = lease_uid.chars().take(8).collect::<String>();
    Token {
        operator: format!("{lease_namespace}/{lease_name}"),
        // Without a Lease the term is the time of the start.
        lease: if lease.is_empty() { "none".to_owned() } else { lease },
        epoch: *epoch,
        attempt: 0,
    }
}
