//! Stands in for the programs that the shapes of apps in `examples/apps` name and that can't be had here. It obeys the arguments
//! that the manifests give to those programs, so that a manifest runs as it is: an init container ends, a worker waits, a proxy
//! passes on.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::serve;

/// How long it serves on after SIGTERM, until nobody sends new connections here.
const LEAVES: Duration = Duration::from_secs(2);

/// What it is to do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Work {
    /// Addresses on which it answers HTTP.
    http: Vec<SocketAddr>,
    /// Ports on which it sends back each datagram.
    udp: Vec<u16>,
    /// The port of a gRPC server.
    grpc: Option<u16>,
    /// Connections to the first are passed on to the second.
    proxy: Option<(SocketAddr, SocketAddr)>,
    /// It has ended at once.
    ends: bool,
}

/// What the image's environment and the manifest's arguments ask for. Arguments win: with any that say what to do, the image's
/// ports are not opened.
fn work(arguments: &[String], variable: impl Fn(&str) -> Option<String>) -> Result<Work> {
    let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    if arguments.iter().any(|argument| argument == "db:migrate") {
        return Ok(Work { ends: true, ..Work::default() });
    }
    if arguments.iter().any(|argument| argument == "sidekiq") {
        return Ok(Work::default());
    }
    if let Some(upstream) = value("--upstream=http://") {
        let listen = value("--http-address=").context("--http-address")?.parse()?;
        return Ok(Work { proxy: Some((listen, upstream.parse()?)), ..Work::default() });
    }
    let ports = |name: &str| -> Result<Vec<u16>> {
        let text = variable(name).unwrap_or_default();
        let ports = text.split(',').filter(|port| !port.is_empty());
        ports.map(|port| port.parse().with_context(|| format!("{name}={text}"))).collect()
    };
    let everywhere = |port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    let http = match value("--listen=") {
        Some(address) => vec![address.parse()?],
        None => ports("HTTP")?.into_iter().map(everywhere).collect(),
    };
    Ok(Work { http, udp: ports("UDP")?, grpc: ports("GRPC")?.first().copied(), ..Work::default() })
}

/// Works until SIGTERM.
pub async fn run(arguments: &[String]) -> Result<()> {
    // Before anything else: without a handler, the kernel keeps the signal from the first process of a container.
    let mut terminated = signal(SignalKind::terminate())?;
    let work = work(arguments, |name| std::env::var(name).ok())?;
    if work.ends {
        return Ok(());
    }
    let mut parts = JoinSet::new();
    // UDP first: who answers on the port of the probe answers on all.
    for port in work.udp {
        parts.spawn(echo(port));
    }
    if let Some((from, to)) = work.proxy {
        parts.spawn(pass_on(from, to));
    }
    // That part ends by itself at SIGTERM, once its calls are done.
    let has_calls = work.grpc.is_some();
    if let Some(port) = work.grpc {
        parts.spawn(serve::serve(port));
    }
    for address in work.http {
        parts.spawn(answer(address));
    }
    tokio::select! {
        // A worker has no part that could end.
        Some(ended) = parts.join_next() => ended?,
        _ = terminated.recv() => {
            tokio::time::sleep(LEAVES).await;
            if !has_calls {
                // No other part ends by itself.
                return Ok(());
            }
            parts.join_next().await.unwrap_or(Ok(Ok(())))?
        }
    }
}

async fn echo(port: u16) -> Result<()> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).await?;
    let mut buffer = [0; 64];
    loop {
        let (size, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..size], from).await?;
    }
}

async fn pass_on(from: SocketAddr, to: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(from).await?;
    loop {
        let (mut near, _) = listener.accept().await?;
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(to).await else { return };
            // Whoever hangs up ends nothing but the own connection.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

/// Every path is answered, with the version of the image.
async fn answer(address: SocketAddr) -> Result<()> {
    let version = std::env::var("VERSION").unwrap_or_default();
    let listener = TcpListener::bind(address).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        let version = version.clone();
        let say = service_fn(move |_: Request<Incoming>| {
            let answer = Response::builder().header("x-app-version", &version).body(version.clone());
            std::future::ready(answer)
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), say));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str], variables: &[(&str, &str)]) -> Work {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        work(&arguments, variable).unwrap()
    }

    #[test]
    fn the_arguments_of_the_manifests_are_obeyed() {
        assert!(of(&["bin/rails", "db:migrate"], &[("HTTP", "3000")]).ends);
        assert_eq!(of(&["bundle", "exec", "sidekiq", "-q", "blue"], &[("HTTP", "3000")]), Work::default());
        let proxy = of(&["--http-address=0.0.0.0:4180", "--upstream=http://127.0.0.1:8080"], &[]).proxy;
        assert_eq!(proxy, Some(("0.0.0.0:4180".parse().unwrap(), "127.0.0.1:8080".parse().unwrap())));
        let alone = of(&["--listen=127.0.0.1:8080"], &[("HTTP", "4180")]).http;
        assert_eq!(alone, ["127.0.0.1:8080".parse().unwrap()]);
        let all = of(&[], &[("HTTP", "8080,8081"), ("UDP", "5060"), ("GRPC", "9090")]);
        assert_eq!((all.http.len(), all.udp, all.grpc), (2, vec![5060], Some(9090)));
    }
}
