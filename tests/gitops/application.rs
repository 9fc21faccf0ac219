//! A record of what Argo CD says about an Application, from its first word to its last.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::patiently;
use futures::TryStreamExt;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// What was said at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `Synced`, `OutOfSync` or `Unknown`.
    pub sync: String,
    /// The commit that it is about.
    pub revision: String,
    /// `Healthy`, `Progressing` …
    pub health: String,
    /// Of the last sync: `Succeeded`, `Running` …, and its commit.
    pub operation: (String, String),
    /// What is wrong.
    pub conditions: String,
}

impl Said {
    fn of(object: &Value) -> Self {
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conditions = object.pointer("/status/conditions").map(Value::to_string).unwrap_or_default();
        Self {
            sync: text("/status/sync/status"),
            revision: text("/status/sync/revision"),
            health: text("/status/health/status"),
            operation: (
                text("/status/operationState/phase"),
                text("/status/operationState/syncResult/revision"),
            ),
            conditions,
        }
    }
}

/// The record of one Application.
pub struct Application {
    api: Api<DynamicObject>,
    name: &'static str,
    said: Arc<Mutex<Vec<(Instant, Said)>>>,
    _watch: JoinHandle<()>,
}

impl Application {
    /// Begins to listen.
    pub fn watch(client: Client, name: &'static str) -> Self {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
        let api: Api<DynamicObject> = Api::namespaced_with(client, "argocd", &ApiResource::from_gvk(&kind));
        let said: Arc<Mutex<Vec<(Instant, Said)>>> = Arc::default();
        let (kept, watched) = (said.clone(), api.clone());
        let watch = tokio::spawn(async move {
            let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
            let mut stream = Box::pin(watcher(watched, config).default_backoff().applied_objects());
            loop {
                match stream.try_next().await {
                    Ok(Some(object)) => {
                        let now = Said::of(&serde_json::to_value(&object).unwrap_or_default());
                        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        if kept.last().map(|(_, last)| last) != Some(&now) {
                            kept.push((Instant::now(), now));
                        }
                    }
                    Ok(None) => return,
                    Err(error) => eprintln!("the watch of {name}: {error}"),
                }
            }
        });
        Self { api, name, said, _watch: watch }
    }

    /// All that was said.
    pub fn said(&self) -> Vec<(Instant, Said)> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until that is said.
    pub async fn until(&self, what: &str, holds: impl Fn(&Said) -> bool) -> Result<Said> {
        let attempt = async || {
            let last = self.said().pop().map(|(_, said)| said);
            last.clone().filter(&holds).with_context(|| format!("{what}; {last:#?}"))
        };
        patiently(PATIENCE, attempt).await
    }

    /// Has Argo CD look at Git and at the cluster now, and waits until it has.
    pub async fn refresh(&self) -> Result<()> {
        let annotation = "argocd.argoproj.io/refresh";
        let ask = json!({"metadata": {"annotations": {annotation: "normal"}}});
        self.api.patch(self.name, &PatchParams::default(), &Patch::Merge(ask)).await?;
        let attempt = async || {
            let asked = self.api.get(self.name).await?.annotations().contains_key(annotation);
            ensure!(!asked, "Argo CD does not look at {}", self.name);
            Ok(())
        };
        patiently(PATIENCE, attempt).await?;
        // What it said is heard of a moment later.
        let version = self.api.get(self.name).await?;
        let now = Said::of(&serde_json::to_value(&version)?);
        let known = |said: &Said| said.sync == now.sync && said.revision == now.revision;
        self.until("the record has caught up", known).await.context("the watch lags")?;
        Ok(())
    }

    /// Every moment at which it called OutOfSync what it had called Synced before, of the same commit. What a sync leaves
    /// until the next look is none: it was never Synced.
    pub fn drifts(&self) -> Vec<(Instant, Said)> {
        let mut synced = BTreeSet::new();
        let mut drifts = Vec::new();
        for (at, said) in self.said() {
            match said.sync.as_str() {
                "Synced" => {
                    synced.insert(said.revision);
                }
                "OutOfSync" if synced.contains(&said.revision) => drifts.push((at, said)),
                _ => {}
            }
        }
        drifts
    }
}
