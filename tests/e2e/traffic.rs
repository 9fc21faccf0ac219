//! Load beside HTTP: datagrams, and calls over gRPC.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a datagram and its answer may take. On a busy machine that is seconds, and one that is lost never comes.
const ANSWER: Duration = Duration::from_secs(20);

/// A hundred datagrams a second, each from a port of its own, until they are told to stop.
pub struct Datagrams {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<Result<(u64, u64)>>,
}

impl Datagrams {
    pub fn start(target: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { stop: stop.clone(), sender: tokio::spawn(datagrams(target, stop)) }
    }

    /// Ends them; none may be lost. Returns how many were sent.
    pub async fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let (sent, answered) = self.sender.await??;
        println!("echo: {answered} of {sent} datagrams answered");
        ensure!(sent > 0 && answered == sent, "{} datagrams were lost", sent - answered);
        Ok(sent)
    }
}

/// How many were sent, and how many came back.
async fn datagrams(target: SocketAddr, stop: Arc<AtomicBool>) -> Result<(u64, u64)> {
    let (mut sent, mut answered) = (0_u64, 0);
    while !stop.load(Ordering::Relaxed) {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect(target).await?;
        let said = sent.to_be_bytes();
        socket.send(&said).await?;
        let mut heard = [0; 8];
        let came = timeout(ANSWER, socket.recv(&mut heard)).await;
        sent += 1;
        answered += u64::from(matches!(came, Ok(Ok(_))) && heard == said);
        sleep(Duration::from_millis(10)).await;
    }
    Ok((sent, answered))
}

/// Calls over gRPC until they are told to stop: on one channel for ever, and on a new connection each. A stream runs beside them,
/// which ends with its server; how often is told and not judged.
pub struct Calls(Child);

/// What came of calls.
pub struct Called {
    /// How many were sent in both ways together.
    pub sent: u64,
    /// How often the stream ended with its server.
    pub streams: usize,
}

impl Calls {
    pub fn start(program: &Path, target: SocketAddr) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["call", &target.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(Self(command.kill_on_drop(true).spawn()?))
    }

    /// Ends them; none may be lost, and both servers must have answered on new connections and, if it `follows`, on the one
    /// channel.
    pub async fn stop(self, servers: [&str; 2], follows: bool) -> Result<Called> {
        // Its input ends here.
        let output = self.0.wait_with_output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let counts: Value = serde_json::from_slice(&output.stdout)?;
        let streams = String::from_utf8_lossy(&output.stderr).matches("stream ended").count();
        println!("grpc: {counts}; the stream ended with its server {streams} times");
        let mut sent = 0;
        for (way, judged) in [("kept", follows), ("fresh", true)] {
            let found = &counts[way];
            ensure!(found["lost"] == json!({}), "{way}: {found}");
            let both = servers.iter().all(|server| found["colors"][server].as_u64() > Some(0));
            ensure!(both || !judged, "{way}: not both have answered: {found}");
            sent += found["sent"].as_u64().unwrap_or_default();
        }
        Ok(Called { sent, streams })
    }
}
