//! A dashboard that runs.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_cluster::{patiently, tail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::e2e::harness::operator::released;
use super::e2e::harness::{Sandbox, cluster};

/// The program under test, as it is built for tests.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-bluegreen-under-test");

/// A running dashboard, whose token was exchanged unless it was started by [`Dashboard::unopened`]. Dropping it kills it.
pub struct Dashboard {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The token of the printed address.
    pub token: String,
    /// The cookie of the session, as a browser sends it.
    pub cookie: String,
    _child: Child,
}

impl Dashboard {
    /// Starts it for a test's namespace and exchanges the token; as a cluster admin, or with this kubeconfig.
    pub async fn start(sandbox: &Sandbox, arguments: &[&str], kubeconfig: Option<&Path>) -> Result<Self> {
        let mut started = Self::unopened(sandbox, arguments, kubeconfig).await?;
        let host = format!("127.0.0.1:{}", started.port);
        let mut stream = TcpStream::connect(&host).await?;
        let token = &started.token;
        let head = format!("GET /?token={token} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).context(answer.clone())?;
        started.cookie = cookie.to_owned();
        Ok(started)
    }

    /// Starts it and leaves its token for a browser.
    pub async fn unopened(sandbox: &Sandbox, arguments: &[&str], kubeconfig: Option<&Path>) -> Result<Self> {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-dashboard.log", sandbox.namespace));
        let out = std::fs::File::create(&log)?;
        let admin = cluster().await?.kubeconfig();
        let program = released("kubectl-bluegreen").unwrap_or_else(|| PROGRAM.into());
        let child = Command::new(program)
            .args(["dashboard", "-n", &sandbox.namespace])
            .args(arguments)
            .env("KUBECONFIG", kubeconfig.unwrap_or(admin))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true)
            .spawn()?;
        let address = async || {
            let text = std::fs::read_to_string(&log)?;
            let rest = text.split("http://127.0.0.1:").nth(1).with_context(|| tail(&log, 20))?;
            let (port, token) =
                rest.lines().next().and_then(|line| line.split_once("/?token=")).context("address")?;
            Ok((port.parse()?, token.to_owned()))
        };
        let (port, token) = patiently(Duration::from_secs(30), address).await?;
        Ok(Self { port, token, cookie: String::new(), _child: child })
    }
}
