//! The newest Warning of an app's late pods. Only an Event says why a volume can't be mounted or what a probe answered.
//!
//! Events are read with the user's own rights and only while a color is late. Where they can't be read, nothing is said.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_client::careful::Careful;
use bluegreen_core::desired::names;
use bluegreen_core::explain::is_late;
use bluegreen_core::harmless::harmless;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use crate::cluster::Cluster;

/// How long a color may be late before its pods are asked, and how old an answer may be.
const PAUSE: Duration = Duration::from_secs(10);

/// How long all requests of one read may take together.
const TIME: Duration = Duration::from_secs(5);

/// How many pods are asked, the youngest first: those of one color mostly fail for the same reason.
const PODS: usize = 3;

/// How many bytes of an Event are shown.
const MOST: usize = 400;

/// What the late pods of an app were last warned of.
#[derive(Debug, Default)]
pub struct Warnings {
    due: Option<Instant>,
    newest: Option<String>,
}

impl Warnings {
    /// Reads the newest Warning of the pods of a late color; `at_once` if the wait is over.
    pub async fn read(&mut self, cluster: &Cluster, app: &BlueGreenApp, at_once: bool) -> Option<&str> {
        let colors = late(app);
        if colors.is_empty() {
            *self = Self::default();
            return None;
        }
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + PAUSE);
        if at_once || due <= now {
            let found = tokio::time::timeout(TIME, read(cluster, &app.name_any(), &colors)).await;
            self.newest = found.ok().and_then(Result::ok).flatten();
            self.due = Some(Instant::now() + PAUSE);
        }
        self.newest.as_deref()
    }
}

/// The colors that have fewer ready pods than they should.
fn late(app: &BlueGreenApp) -> Vec<Color> {
    let status = app.status.clone().unwrap_or_default();
    let is_late =
        |color: &Color| status.color(*color).is_some_and(|pods| pods.ready_replicas < pods.replicas);
    Color::ALL.into_iter().filter(is_late).collect()
}

async fn read(cluster: &Cluster, app: &str, colors: &[Color]) -> kube::Result<Option<String>> {
    let colors: Vec<&str> = colors.iter().map(|color| color.as_str()).collect();
    let ours = format!("{}={app},{} in ({})", names::APP, names::COLOR, colors.join(","));
    let pods: Api<Careful<Pod>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let pods = pods.list(&ListParams::default().labels(&ours)).await?.items;
    let mut late: Vec<Pod> = pods.into_iter().filter_map(|pod| pod.0.ok()).filter(is_late).collect();
    late.sort_by_key(|pod| (Reverse(pod.creation_timestamp()), pod.name_any()));
    let mut found = Vec::new();
    for pod in late.iter().take(PODS) {
        found.extend(warnings_of(cluster, &pod.uid().unwrap_or_default()).await?);
    }
    Ok(newest(&found).map(words))
}

async fn warnings_of(cluster: &Cluster, uid: &str) -> kube::Result<Vec<Event>> {
    let events: Api<Careful<Event>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let about = format!("type=Warning,involvedObject.uid={uid}");
    let found = events.list(&ListParams::default().fields(&about)).await?.items;
    Ok(found.into_iter().filter_map(|event| event.0.ok()).collect())
}

/// The newest Warning about the object with this uid.
///
/// # Errors
/// When the Events can't be read.
pub async fn newest_of(cluster: &Cluster, uid: &str) -> kube::Result<Option<String>> {
    Ok(newest(&warnings_of(cluster, uid).await?).map(words))
}

fn newest(events: &[Event]) -> Option<&Event> {
    events.iter().max_by_key(|event| last_seen(event))
}

/// When it was last seen: each of the Event APIs has a field of its own for that.
fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let times = [series.map(|time| time.0), event.last_timestamp.as_ref().map(|time| time.0)];
    let begun = event.event_time.as_ref().map(|time| time.0);
    times.into_iter().flatten().max().or(begun)
}

fn words(event: &Event) -> String {
    let name = event.involved_object.name.as_deref().unwrap_or_default();
    let reason = event.reason.as_deref().unwrap_or_default();
    let message = event.message.as_deref().unwrap_or_default();
    let kind = event.involved_object.kind.as_deref().unwrap_or("Pod").to_lowercase();
    harmless(&format!("Warning of {kind}/{name}: {reason}: {message}"), MOST)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_warning_is_that_which_was_seen_last_and_can_do_no_harm() {
        let event = |reason: &str, times: serde_json::Value| -> Event {
            let mut event = json!({ "metadata": {}, "reason": reason, "message": "\u{1b}[2Jno\nSecret",
                "involvedObject": { "name": "p" } });
            times.as_object().unwrap().iter().for_each(|(key, time)| event[key.as_str()] = time.clone());
            serde_json::from_value(event).unwrap()
        };
        let series = json!({ "lastObservedTime": "2026-01-01T00:00:09.000000Z" });
        let events = [
            event("FailedScheduling", json!({ "eventTime": "2026-01-01T00:00:05.000000Z" })),
            event("FailedMount", json!({ "eventTime": "2026-01-01T00:00:01.000000Z", "series": series })),
            event("Unhealthy", json!({ "lastTimestamp": "2026-01-01T00:00:07Z" })),
        ];
        let told = newest(&events).map(words);
        assert_eq!(told.as_deref(), Some("Warning of pod/p: FailedMount: \\u{1b}[2Jno Secret"));
    }
}
