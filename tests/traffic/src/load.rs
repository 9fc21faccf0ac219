//! The three kinds of clients, all at once, to every node; and the streams beside them.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Result;
use bluegreen_load::{Client, Load, Plan, Report};

use crate::results::Streams;
use crate::stream::Open;

/// How long a long request takes: it straddles a switch, and ends within the drain.
const LONG: Duration = Duration::from_secs(4);

/// Long requests per second.
const LONG_RATE: f64 = 2.0;

/// Connections that the keep-alive client holds.
const CONNECTIONS: usize = 24;

/// How many requests per second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Each on a connection of its own.
    pub fresh: f64,
    /// On kept connections.
    pub kept: f64,
}

/// A load under way.
pub struct Running {
    nodes: Vec<(Instant, SocketAddr, Load)>,
    streams: Open,
}

/// A load that has ended: its report, and the moment from which the report counts.
pub struct Ended {
    /// One for each node.
    pub reports: Vec<(Instant, Report)>,
    /// What became of the streams.
    pub streams: Streams,
}

impl Running {
    /// Starts to send to every node, its share each.
    pub fn start(addresses: &[SocketAddr], sources: &[IpAddr], rate: Rate) -> Result<Self> {
        #[allow(clippy::cast_precision_loss, reason = "there are never that many nodes")]
        let share = addresses.len().max(1) as f64;
        let nodes = addresses
            .iter()
            .map(|address| {
                let kept = Client { connections: CONNECTIONS, ..Client::keep_alive(rate.kept / share) };
                let clients =
                    vec![Client::fresh(rate.fresh / share), kept, Client::long(LONG_RATE / share, LONG)];
                let sources = sources.to_vec();
                let load = Load::start(Plan { clients, source_addresses: sources, ..Plan::new(*address) })?;
                let origin = Instant::now() - load.mark("begin");
                Ok((origin, *address, load))
            })
            .collect::<Result<_>>()?;
        Ok(Self { nodes, streams: Open::default() })
    }

    /// Opens a stream to each node.
    pub fn open_streams(&mut self) {
        for (_, address, _) in &self.nodes {
            self.streams.add(*address);
        }
    }

    /// Requests so far, and lost ones.
    pub fn counts(&self) -> (u64, u64) {
        let counts = self.nodes.iter().map(|(_, _, load)| load.counts());
        counts.fold((0, 0), |(sent, lost), counts| (sent + counts.sent, lost + counts.failed))
    }

    /// Ends it; every request that was due is waited for.
    pub async fn stop(self) -> Result<Ended> {
        let streams = self.streams.count().await;
        let mut reports = Vec::new();
        for (origin, _, load) in self.nodes {
            reports.push((origin, load.stop().await?));
        }
        Ok(Ended { reports, streams })
    }
}
