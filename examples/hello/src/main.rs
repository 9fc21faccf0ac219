//! Runs the sample app until SIGTERM.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use hello::{
    config::Config,
    routes::{self, App},
    serve,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hello: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let config = Config::from_env(|name| std::env::var(name).ok())?;
    // Two workers are plenty for a page, and a pod with a small CPU quota on a large node should not start one
    // thread for every core that it can see.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("could not start the runtime")?
        .block_on(run_until_terminated(config))
}

async fn run_until_terminated(config: Config) -> anyhow::Result<()> {
    // Installed before anything else: the kernel drops a signal to PID 1 that has no handler, so a container that is
    // told to stop while it starts would otherwise sit out its whole grace period.
    let mut signals = Signals::install()?;

    if !config.start_delay.is_zero() {
        eprintln!("hello: starting in {:?} (START_DELAY_SECONDS)", config.start_delay);
        tokio::select! {
            () = tokio::time::sleep(config.start_delay) => {}
            name = signals.next() => {
                eprintln!("hello: {name} before the start, leaving");
                return Ok(());
            }
        }
    }

    let listener = serve::bind(config.port).await?;
    let address = listener.local_addr().context("the listening socket has no address")?;
    eprintln!(
        "hello: listening on {address}, version {}, color {}, pod {}",
        config.version, config.color, config.hostname
    );

    let (phases, phase) = watch::channel(serve::Phase::Serving);
    let limits = serve::Limits { delay: config.shutdown_delay, drain: config.drain_limit };
    let router = routes::router(Arc::new(App::new(config, phase)));
    let mut server = std::pin::pin!(serve::run(listener, router, phases.clone(), limits));

    let name = tokio::select! {
        ended = &mut server => return report(ended),
        name = signals.next() => name,
    };
    eprintln!("hello: {name}, serving {:?} longer while clients are told to leave", limits.delay);
    phases.send_replace(serve::Phase::Leaving);
    tokio::select! {
        ended = &mut server => report(ended),
        // A person who presses Ctrl-C twice means it.
        name = signals.next() => anyhow::bail!("second {name}, leaving at once"),
    }
}

fn report(ended: serve::Ended) -> anyhow::Result<()> {
    match ended {
        serve::Ended::Drained => eprintln!("hello: every connection finished, bye"),
        // Not a failure: the platform is about to send SIGKILL, and an orderly exit says more than that.
        serve::Ended::CutOff(left) => eprintln!("hello: {left} connections did not finish in time, bye"),
    }
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("could not handle SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("could not handle SIGINT")?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
