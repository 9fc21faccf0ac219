//! The switch that is under way, how far it is, and the switches before it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Report, record};
use crate::drain;
use crate::plan::{Live, Stage};
use bluegreen_api::{BlueGreenAppStatus, Cause, Color, ColorStatus, DrainStatus, HistoryEntry, SwitchStatus};

/// How many switches the history keeps.
const HISTORY: usize = 10;

/// The switch that is under way, as recorded, with its times.
pub(super) fn switch(
    report: &Report,
    old: &BlueGreenAppStatus,
    (from, to): (Option<Color>, Color),
) -> SwitchStatus {
    let kept = old.switch.as_ref().filter(|switch| (switch.from, switch.to) == (from, to));
    let known = kept.map(|switch| switch.generation);
    let generation = record::generation(known, report.plan, generation(report));
    let switch = match kept {
        Some(kept) => SwitchStatus { generation, ..kept.clone() },
        None => SwitchStatus {
            from,
            to,
            started_at: Time(report.now),
            generation,
            available_replicas: available(report, to),
            progressed_at: None,
            drain: None,
        },
    };
    let switch = SwitchStatus { drain: drain(report, to), ..switch };
    if matches!(report.plan.stage, Stage::Preparing { .. }) { progress(report, old, switch) } else { switch }
}

/// How much of the drain has passed, for whoever takes over.
fn drain(report: &Report, to: Color) -> Option<DrainStatus> {
    let Report { plan, seen, intent, material, .. } = report;
    let passed = seen.elapsed.cleared.filter(|_| plan.live == Live::Selected(to))?;
    let passed = drain::recorded(intent.drain, passed).as_secs();
    let passed_seconds = i32::try_from(passed).ok().filter(|seconds| *seconds > 0)?;
    Some(DrainStatus { passed_seconds, service_version: material.service_version.clone()? })
}

fn generation(report: &Report) -> i64 {
    report.app.metadata.generation.unwrap_or(0)
}

/// Pods of the color's newest revision that are available.
fn available(report: &Report, color: Color) -> i32 {
    report.seen.colors.get(color).deployment.ours().map_or(0, |deployment| deployment.observed_available())
}

/// Takes note of pods that became available: the time without progress starts over. Only more than there were at any time
/// since the switch began: a pod that fails and comes back again and again is no progress.
fn progress(report: &Report, old: &BlueGreenAppStatus, switch: SwitchStatus) -> SwitchStatus {
    let to = switch.to;
    let available = available(report, to);
    let revision = report.seen.colors.get(to).deployment.ours().map(|deployment| deployment.revision);
    // A new revision counts its own pods from none.
    let is_edited =
        revision.is_some_and(|revision| old.color(to).is_some_and(|was| was.revision != revision));
    if available > switch.available_replicas || (is_edited && available != switch.available_replicas) {
        return SwitchStatus {
            available_replicas: available,
            progressed_at: Some(Time(report.now)),
            ..switch
        };
    }
    switch
}

/// The last switches, with the one that has just been committed, or whose drain has just ended.
pub(super) fn history(
    report: &Report,
    old: &BlueGreenAppStatus,
    active: Option<Color>,
    live: Option<&ColorStatus>,
    switch: Option<&SwitchStatus>,
) -> Vec<HistoryEntry> {
    let mut history = old.history.clone();
    let Live::Selected(to) = report.plan.live else { return history };
    if old.active != active {
        let asked = old.switch.as_ref().filter(|switch| switch.to == to);
        let started_at = asked.map_or(Time(report.now), |switch| switch.started_at.clone());
        let entry = HistoryEntry {
            from: old.active,
            to,
            image: live.map(|color| color.image.clone()).unwrap_or_default(),
            revision: live.map_or(0, |color| color.revision),
            started_at,
            finished_at: Time(report.now),
            drained_at: None,
            generation: generation(report),
            cause: if to == report.app.spec.active { Cause::Spec } else { Cause::Check },
        };
        history.insert(0, entry);
        history.truncate(HISTORY);
    }
    let ends = switch.is_none() && old.switch.as_ref().is_some_and(|switch| switch.to == to);
    if let Some(last) = history.first_mut().filter(|last| ends && last.to == to && last.from.is_some()) {
        last.drained_at = last.drained_at.take().or(Some(Time(report.now)));
    }
    history
}
