//! How many pods are enough to select a color: as many as carried the traffic before.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;

/// A switch rests on what was read shortly before it.
const RECENT: Duration = Duration::from_secs(1);

/// How many ready pods the live color has had, and since when.
#[derive(Default)]
pub(crate) struct Carried(Vec<(Instant, i32)>);

impl Carried {
    /// It has this many from now on.
    pub(crate) fn note(&mut self, at: Instant, ready: i32) {
        if self.0.last().is_none_or(|(_, last)| *last != ready) {
            self.0.push((at, ready));
        }
    }

    /// The fewest of the last moments.
    pub(crate) fn least(&self, at: Instant) -> i32 {
        let began = self.0.iter().rposition(|(since, _)| at.saturating_duration_since(*since) >= RECENT);
        self.0.iter().skip(began.unwrap_or(0)).map(|(_, ready)| *ready).min().unwrap_or(0)
    }
}

/// Has the Deployment at its current generation no pod of another revision, and at least so many that are ready?
pub(crate) fn enough(deployment: &Deployment, wanted: i32) -> Result<(), String> {
    let generation = deployment.metadata.generation.unwrap_or(0);
    let status = deployment.status.clone().unwrap_or_default();
    if status.observed_generation.unwrap_or(-1) < generation {
        return Err(format!("its generation {generation} was not observed"));
    }
    let counts = [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas];
    let counts @ [total, updated, ready, available] = counts.map(|count| count.unwrap_or(0));
    if total != updated || ready.min(available) < wanted {
        return Err(format!("total, updated, ready, available are {counts:?}, wanted {wanted}"));
    }
    Ok(())
}
