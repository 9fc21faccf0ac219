//! Watches one field of one object, and remembers when it was first seen with its value.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use kube::api::{Api, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a value may be waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// A field under observation. Dropping it ends the watch.
#[derive(Debug)]
pub struct Field {
    what: String,
    value: watch::Receiver<Option<(String, Instant)>>,
    task: JoinHandle<()>,
}

impl Field {
    /// Watches the field at `pointer` (RFC 6901) of the object `name`.
    pub fn watch(api: Api<DynamicObject>, name: &str, pointer: &'static str) -> Self {
        let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let (sender, value) = watch::channel(None);
        let task = tokio::spawn(async move {
            let mut objects = Box::pin(watcher(api, only).default_backoff().touched_objects());
            while let Some(object) = objects.next().await {
                // An error is tried again by the stream itself.
                let Ok(object) = object else { continue };
                let Some(now) = object.data.pointer(pointer).and_then(|value| value.as_str()) else {
                    continue;
                };
                sender.send_if_modified(|last| {
                    let new = last.as_ref().is_none_or(|(value, _)| value != now);
                    if new {
                        *last = Some((now.to_owned(), Instant::now()));
                    }
                    new
                });
            }
        });
        Self { what: format!("{name}{pointer}"), value, task }
    }

    /// Waits for a value; returns when it was first seen.
    pub async fn becomes(&mut self, wanted: &str) -> Result<Instant> {
        let is = |seen: &Option<(String, Instant)>| seen.as_ref().is_some_and(|(value, _)| value == wanted);
        let seen = timeout(LIMIT, self.value.wait_for(is)).await;
        let seen =
            seen.with_context(|| format!("{} did not become {wanted} within {LIMIT:?}", self.what))??;
        seen.as_ref().map(|(_, at)| *at).context("waited for")
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.task.abort();
    }
}
