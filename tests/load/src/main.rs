//! The command line of the load generator.

use std::{
    io::{IsTerminal as _, Write as _},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use bluegreen_load::{Client, Load, Plan, Report};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Send requests on a fixed schedule and count which are lost, and who answered the others.
///
/// Stops after --duration or on Ctrl-C and prints a report. Exits with 1 when a request was lost, with 2 when it could
/// not run.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to send: IP:PORT of this machine, or a private address in a network of this machine.
    #[arg(long, value_name = "IP:PORT")]
    target: SocketAddr,
    /// Requests per second, shared evenly by the kinds that have no rate of their own.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Comma-separated: fresh (a connection for each request), keepalive (a pool of connections), long (requests that
    /// take seconds). Each may have its own rate, as in fresh,keepalive,long=2.
    #[arg(long, default_value = "fresh,keepalive", value_name = "KIND[=RATE],…")]
    kinds: String,
    /// How long to send, such as 30s, 2m or 500ms. Until Ctrl-C unless given.
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// Path for fresh and kept connections.
    #[arg(long, default_value = "/")]
    path: String,
    /// How long a long request takes.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "DURATION")]
    long: Duration,
    /// Connections that the keepalive client keeps.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// How long a request may take.
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "DURATION")]
    timeout: Duration,
    /// Local address to connect from; repeat to use several in turn.
    #[arg(long = "source", value_name = "IP")]
    sources: Vec<IpAddr>,
    /// Value of the Host header.
    #[arg(long)]
    host: Option<String>,
    /// Also write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Put every single request into the JSON.
    #[arg(long, requires = "json")]
    requests: bool,
    /// Allow a target outside of this machine and its own networks.
    #[arg(long)]
    allow_remote: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(report) if report.total.failed() == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bluegreen-load: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<Report> {
    let (json, requests, limit) = (arguments.json.clone(), arguments.requests, arguments.duration);
    let load = Load::start(plan(arguments)?)?;
    wait(&load, limit).await?;
    let report = load.stop().await?;
    print!("{report}");
    if let Some(path) = json {
        let text = serde_json::to_string(&report.to_json(requests))? + "\n";
        std::fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(report)
}

fn plan(arguments: Arguments) -> anyhow::Result<Plan> {
    let mut clients = Client::list(&arguments.kinds, arguments.rate, arguments.long)?;
    for client in &mut clients {
        // A long request's path is what makes it long.
        if client.asked_wait.is_zero() {
            client.path.clone_from(&arguments.path);
        }
        client.connections = arguments.connections;
    }
    Ok(Plan {
        clients,
        request_timeout: arguments.timeout,
        source_addresses: arguments.sources,
        host: arguments.host,
        allow_remote: arguments.allow_remote,
        ..Plan::new(arguments.target)
    })
}

/// Waits for the end and shows on a terminal how it goes.
async fn wait(load: &Load, limit: Option<Duration>) -> anyhow::Result<()> {
    let mut over = std::pin::pin!(async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    });
    let mut interrupt = signal(SignalKind::interrupt()).context("could not handle SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("could not handle SIGTERM")?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let terminal = std::io::stderr().is_terminal();
    loop {
        tokio::select! {
            () = &mut over => break,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = second.tick() => if terminal {
                let counts = load.counts();
                let colors: Vec<_> = counts.by_color.iter().map(|(color, n)| format!("{color} {n}")).collect();
                let mut out = std::io::stderr();
                // \x1b[K erases what a longer line left behind. A closed terminal is no reason to stop.
                let _ = write!(out, "\r{} sent, {} lost, {}\x1b[K", counts.sent, counts.failed, colors.join(", "));
            }
        }
    }
    if terminal {
        eprintln!();
    }
    Ok(())
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("must be a number with ms, s, m or h".to_owned()),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * factor).ok())
        .ok_or_else(|| "must be a number with ms, s, m or h".to_owned())
}
