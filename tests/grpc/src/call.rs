//! The client.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_stream::StreamExt;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::COLOR;

/// How long a call may take. On a busy machine that is seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Time between two calls.
const PACE: Duration = Duration::from_millis(10);

/// What came of calls of one kind.
#[derive(Default)]
struct Counts {
    sent: u64,
    /// Calls that were made a second time, because no server saw the first.
    again: u64,
    lost: BTreeMap<String, u64>,
    colors: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, answer: Result<MetadataMap, Status>) {
        self.sent += 1;
        match answer {
            Ok(metadata) => {
                let color = metadata.get(COLOR).and_then(|color| color.to_str().ok()).unwrap_or_default();
                *self.colors.entry(color.to_owned()).or_default() += 1;
            }
            Err(status) => {
                *self.lost.entry(format!("{:?}: {}", status.code(), status.message())).or_default() += 1;
            }
        }
    }

    fn json(&self) -> Value {
        json!({"sent": self.sent, "again": self.again, "lost": self.lost, "colors": self.colors})
    }
}

/// Calls in three ways at the same time: on one channel for ever, on a new connection each, and a stream that is opened again when it
/// ends.
pub async fn until_the_input_ends(address: &str) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let endpoint =
        Endpoint::from_shared(format!("http://{address}"))?.connect_timeout(PATIENCE).timeout(PATIENCE);
    let kept = tokio::spawn(kept(endpoint.clone(), stop.clone()));
    let fresh = tokio::spawn(fresh(endpoint, stop.clone()));
    let streams = tokio::spawn(streams(Endpoint::from_shared(format!("http://{address}"))?));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    stop.store(true, Ordering::Relaxed);
    let (kept, fresh) = (kept.await?, fresh.await?);
    // The last stream has no end.
    streams.abort();
    println!("{}", json!({"kept": kept.json(), "fresh": fresh.json()}));
    Ok(())
}

/// Whether no server has ever seen a call: its connection was told to go while the call waited to be written, or the server told the
/// connection to go and the call came after the last one that it took. gRPC asks each client to make such a call again by itself,
/// once ("transparent retries" in gRFC A6), and tonic does not.
fn was_never_seen(status: &Status) -> bool {
    std::iter::successors(status.source(), |error| (*error).source()).any(|error| {
        error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
            || error.downcast_ref::<h2::Error>().is_some_and(is_sent_away)
    })
}

/// Calls up to the last one that the server took don't get this error: they are answered, or end with their connection.
fn is_sent_away(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
}

async fn check(channel: Channel) -> Result<MetadataMap, Status> {
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await?;
    Ok(answer.metadata().clone())
}

/// One channel. It has one connection, and opens another when the server has told it to go.
async fn kept(endpoint: Endpoint, stop: Arc<AtomicBool>) -> Counts {
    let (mut counts, channel) = (Counts::default(), endpoint.connect_lazy());
    while !stop.load(Ordering::Relaxed) {
        let mut answer = check(channel.clone()).await;
        if answer.as_ref().is_err_and(was_never_seen) {
            counts.again += 1;
            answer = check(channel.clone()).await;
        }
        counts.add(answer);
        tokio::time::sleep(PACE).await;
    }
    counts
}

async fn fresh(endpoint: Endpoint, stop: Arc<AtomicBool>) -> Counts {
    let mut counts = Counts::default();
    while !stop.load(Ordering::Relaxed) {
        let channel = endpoint.connect().await;
        counts.add(match channel {
            Ok(channel) => check(channel).await,
            Err(error) => Err(Status::new(Code::Unavailable, format!("no connection: {error:?}"))),
        });
        tokio::time::sleep(PACE).await;
    }
    counts
}

/// A stream of answers that ends only with its server; each end is told on standard error.
async fn streams(endpoint: Endpoint) {
    loop {
        let watched = async {
            let mut client = HealthClient::new(endpoint.connect().await?);
            let mut stream = client.watch(HealthCheckRequest::default()).await?.into_inner();
            while let Some(answer) = stream.next().await {
                answer?;
            }
            anyhow::Ok(())
        };
        match watched.await {
            Ok(()) => eprintln!("stream ended"),
            Err(error) => eprintln!("stream ended: {error:#}"),
        }
        tokio::time::sleep(PACE).await;
    }
}
