//! The state of some time ago, as an API server tells it that lags behind its peers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::Uri;
use serde_json::Value;
use tokio::task::JoinHandle;

/// How often the cluster is asked how far it is.
const PACE: Duration = Duration::from_millis(200);

/// Knows the resourceVersion of some time ago. Lists that are answered as of then name it, so that the watches which
/// follow begin there: with frames that are late by as much, all that a client is told is late, and consistent.
#[derive(Clone, Debug)]
pub struct Past {
    lag: Duration,
    seen: Arc<Mutex<VecDeque<(Instant, String)>>>,
    _following: Arc<Following>,
}

#[derive(Debug)]
struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Past {
    /// Follows the cluster at this distance.
    ///
    /// # Errors
    /// When the API server can't be asked.
    pub async fn follow(mut upstream: kube::Config, lag: Duration) -> Result<Self> {
        upstream.default_retry = false;
        let client = kube::Client::try_from(upstream)?;
        let seen = Arc::new(Mutex::new(VecDeque::from([(Instant::now(), version(&client).await?)])));
        let (list, keep) = (seen.clone(), lag * 2);
        let following = tokio::spawn(async move {
            loop {
                tokio::time::sleep(PACE).await;
                let at = Instant::now();
                // One that is missed makes the past a little older.
                let Ok(version) = version(&client).await else { continue };
                let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
                list.push_back((at, version));
                while list.len() > 1 && list[1].0.elapsed() > keep {
                    list.pop_front();
                }
            }
        });
        Ok(Self { lag, seen, _following: Arc::new(Following(following)) })
    }

    /// The same list, as of then. One that says by itself as of when is left alone.
    pub(crate) fn rewrite(&self, uri: &Uri) -> Option<Uri> {
        let query = uri.query().unwrap_or_default();
        if query.contains("resourceVersion=") || query.contains("continue=") {
            return None;
        }
        let and = if query.is_empty() { "" } else { "&" };
        let version = self.version()?;
        let path = uri.path();
        format!("{path}?{query}{and}resourceVersion={version}&resourceVersionMatch=Exact").parse().ok()
    }

    /// The newest that is old enough; of a past that is too short, the oldest.
    fn version(&self) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let old = seen.iter().rev().find(|(at, _)| at.elapsed() >= self.lag).or(seen.front());
        old.map(|(_, version)| version.clone())
    }
}

/// How far the cluster is: every list says so.
async fn version(client: &kube::Client) -> Result<String> {
    let request = http::Request::get("/api/v1/namespaces?limit=1").body(Vec::new())?;
    let list: Value = client.request(request).await?;
    let version = list.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    Ok(version.context("a list without resourceVersion")?.to_owned())
}
