//! A proxy between the operator and the real API server, for tests of what happens when the two do not hear each
//! other well.
//!
//! It knows the API's requests ([`Request`]: verb, resource, name …) and the frames of its watches ([`Frame`]), and asks
//! a [`Script`] what to do with each. The script can be changed at any time:
//!
//! ```no_run
//! use std::time::Duration;
//! use bluegreen_proxy::{Answer, Breakpoint, Effect, FrameEffect, FrameRule, Point, Proxy, Rule};
//!
//! # async fn run(upstream: kube::Config) -> anyhow::Result<()> {
//! let proxy = Proxy::start(upstream, 42).await?;
//! proxy.write_kubeconfig("target/operator.kubeconfig".as_ref())?;
//! // Every watch lags by up to two seconds, each by its own measure: resources overtake one another.
//! let late = Duration::ZERO..=Duration::from_secs(2);
//! proxy.script().add_frames(FrameRule::new(|_, _| true, FrameEffect::Delay(late)));
//! // The third change is answered with 504 although it was committed.
//! proxy.script().add(Rule::new(|r| r.is_change(), Effect::AnswerAfter(Answer::code(504))).skip(2).times(1));
//! // The whole operator stands still between the commit of a switch and the reply to it.
//! let (breakpoint, mut stops) = Breakpoint::new(Point::AfterCommit);
//! proxy.script().add(Rule::new(|r| r.is_change() && r.resource == "services", Effect::Stop(breakpoint)).times(1));
//! let stopped = stops.next().await?;
//! // Kill the operator here, then:
//! stopped.abandon();
//! # Ok(())
//! # }
//! ```
//!
//! The modules in the order in which a request meets them: `request` says what it is, `script` what to do with it,
//! `standstill` holds it at a breakpoint, `serve` carries it out, `watch` passes the frames on, `past` tells of old
//! times, `log` keeps count.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod log;
mod past;
mod random;
mod request;
mod script;
mod serve;
mod standstill;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use crate::{
    log::{FrameCounts, Log, Record, Verdict},
    past::Past,
    random::Random,
    request::{Request, Verb},
    script::{Answer, Effect, FrameEffect, FrameRule, Gate, Range, Rule, RuleFor, RuleId, Script},
    standstill::{Breakpoint, Point, Stopped, Stops},
    watch::Frame,
};

/// A running proxy; it ends when this is dropped.
///
/// It runs on the tokio runtime that started it, which should have several threads: a test that blocks its only one
/// would block the proxy.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<serve::Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface and forwards as the user of `upstream`. `seed` decides all
    /// random delays.
    pub async fn start(mut upstream: kube::Config, seed: u64) -> Result<Self> {
        // What the client asks for is sent once, or not at all.
        upstream.default_retry = false;
        let client = kube::Client::try_from(upstream).context("can't build the client for the API server")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("can't listen")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(serve::Shared::new(client, seed));
        let accepting = tokio::spawn(serve::accept(listener, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens, by plain HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A configuration for kube that goes through the proxy.
    pub fn config(&self) -> Result<kube::Config> {
        Ok(kube::Config::new(format!("http://{}", self.address).parse()?))
    }

    /// Writes a kubeconfig that goes through the proxy. There are no credentials in it: those are the proxy's.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        });
        // JSON is YAML.
        std::fs::write(path, document.to_string()).with_context(|| format!("can't write {}", path.display()))
    }

    /// What happens to requests and frames.
    pub fn script(&self) -> &Script {
        &self.shared.script
    }

    /// What went through.
    pub fn log(&self) -> &Log {
        &self.shared.log
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
