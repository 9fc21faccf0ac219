//! What to send, where to, and how often.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::ensure;

/// A load to put on one address.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to send.
    pub target: SocketAddr,
    /// Who sends; each client keeps its own rate.
    pub clients: Vec<Client>,
    /// How long a request may take from its actual start, connecting included, to the last byte of the answer. Long
    /// requests get this on top of the time that they ask for.
    pub request_timeout: Duration,
    /// A request that starts this much after its time counts as late.
    pub late_after: Duration,
    /// Local addresses to connect from, in turn; empty leaves the choice to the kernel. Each brings its own 28,000
    /// ephemeral ports, of which a fresh connection may hold one for a minute.
    pub source_addresses: Vec<IpAddr>,
    /// The `Host` header; the target's address unless given.
    pub host: Option<String>,
    /// More requests than this at the same time are not started but counted as [`Failure::Local`](crate::Failure):
    /// a target that answers nothing must not exhaust this machine.
    pub max_in_flight: usize,
    /// Allows a target outside of this machine and its own networks.
    pub allow_remote: bool,
}

impl Plan {
    /// A plan without clients yet.
    #[must_use]
    pub fn new(target: SocketAddr) -> Self {
        Self {
            target,
            clients: Vec::new(),
            request_timeout: Duration::from_secs(10),
            late_after: Duration::from_millis(20),
            source_addresses: Vec::new(),
            host: None,
            max_in_flight: 10_000,
            allow_remote: false,
        }
    }

    /// 200 requests a second, half of them on new connections.
    #[must_use]
    pub fn mixed(target: SocketAddr) -> Self {
        Self { clients: vec![Client::fresh(100.0), Client::keep_alive(100.0)], ..Self::new(target) }
    }

    /// Refuses what can't be carried out.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.clients.is_empty(), "a load needs at least one client");
        ensure!(self.clients.len() <= 255, "{} clients are too many, 255 is the most", self.clients.len());
        for client in &self.clients {
            let rate = client.rate_per_second;
            ensure!(
                rate > 0.0 && rate <= 100_000.0,
                "the rate of {} must be above 0 and at most 100,000 per second, not {rate}",
                client.kind
            );
            let visible = |byte: &u8| byte.is_ascii_graphic();
            ensure!(
                client.path.starts_with('/') && client.path.as_bytes().iter().all(visible),
                "{:?} can't be a path",
                client.path
            );
        }
        for source in &self.source_addresses {
            ensure!(
                source.is_ipv4() == self.target.is_ipv4(),
                "{source} and the target {} are of different IP families",
                self.target
            );
        }
        Ok(())
    }
}

/// How a client treats connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A new TCP connection for each request.
    Fresh,
    /// A pool of connections used in turn and kept as long as the server keeps them.
    KeepAlive,
    /// A new TCP connection for a request that takes seconds.
    Long,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fresh => "fresh",
            Self::KeepAlive => "keepalive",
            Self::Long => "long",
        })
    }
}

/// One source of requests.
#[derive(Clone, Debug)]
pub struct Client {
    /// How it treats connections.
    pub kind: Kind,
    /// Requests per second.
    pub rate_per_second: f64,
    /// Path and query to ask for.
    pub path: String,
    /// For [`Kind::KeepAlive`]: connections to keep. More are opened while all are busy, and not kept.
    pub connections: usize,
    /// Time that the request itself asks the server to take; added to the timeout.
    pub asked_wait: Duration,
}

impl Client {
    /// Opens a connection for each request.
    #[must_use]
    pub fn fresh(rate_per_second: f64) -> Self {
        Self {
            kind: Kind::Fresh,
            rate_per_second,
            path: "/".into(),
            connections: 0,
            asked_wait: Duration::ZERO,
        }
    }

    /// Keeps eight connections and uses them in turn.
    #[must_use]
    pub fn keep_alive(rate_per_second: f64) -> Self {
        Self { kind: Kind::KeepAlive, connections: 8, ..Self::fresh(rate_per_second) }
    }

    /// Asks the sample app for answers that take as long as `wait`.
    #[must_use]
    pub fn long(rate_per_second: f64, wait: Duration) -> Self {
        let path = format!("/slow?ms={}", wait.as_millis());
        Self { kind: Kind::Long, path, asked_wait: wait, ..Self::fresh(rate_per_second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_plans_are_refused() {
        let plan = |clients| Plan { clients, ..Plan::new("127.0.0.1:1".parse().unwrap()) };
        assert!(plan(vec![]).check().is_err());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(plan(vec![Client::fresh(rate)]).check().is_err(), "{rate}");
        }
        for path in ["", "x", "/a b", "/\r\n"] {
            assert!(
                plan(vec![Client { path: path.into(), ..Client::fresh(1.0) }]).check().is_err(),
                "{path:?}"
            );
        }
        let mixed = Plan { source_addresses: vec!["::1".parse().unwrap()], ..plan(vec![Client::fresh(1.0)]) };
        assert!(mixed.check().is_err());
        assert!(plan(vec![Client::long(0.5, Duration::from_secs(5))]).check().is_ok());
    }
}
