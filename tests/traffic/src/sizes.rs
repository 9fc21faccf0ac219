//! An app's size that changes under way, through the scale subresource, as an autoscaler changes it. A real one does so in
//! `make autoscaler-test`; here the steps come on a schedule, so that they fall into every phase of a switch.

use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color;
use bluegreen_guard::{Kind, World};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::rows::APP;
use crate::scene::Scene;
use crate::switch::{Switch, Wrong};

/// What becomes of the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// It stays.
    Fixed,
    /// One more at each step, until there are twice as many; then one less at each step, and so on.
    UpAndDown,
    /// One more at each step from the edit that asks for a switch, until there are twice as many. The first switch is
    /// made with so many from the beginning, which shows how long one rollout takes.
    Grows,
}

/// Time between two steps of a size that goes up and down: longer than a pod needs to start, so that the app also settles.
const CALM: Duration = Duration::from_secs(4);

/// Time between two steps of a growth: shorter than a pod of the row needs to start.
const STEADY: Duration = Duration::from_secs(3);

/// Somebody who changes the size. Stops when it is dropped.
pub struct Resizing(JoinHandle<Result<()>>);

impl Resizing {
    /// Up and down until it is dropped, where the row wants that.
    pub fn up_and_down(scene: &Scene<'_>) -> Option<Self> {
        let few = scene.row.replicas;
        let cycle = (few + 1..=2 * few).chain((few..2 * few).rev());
        (scene.row.sizes == Sizes::UpAndDown).then(|| Self::start(scene, CALM, cycle.cycle()))
    }

    /// Up, once, where the row wants that at this turn.
    pub fn growth(scene: &Scene<'_>, turn: usize) -> Option<Self> {
        let grows = scene.row.sizes == Sizes::Grows && turn > 0;
        grows.then(|| Self::start(scene, STEADY, scene.row.replicas + 1..=most(scene)))
    }

    fn start(scene: &Scene<'_>, pause: Duration, sizes: impl Iterator<Item = i32> + Send + 'static) -> Self {
        let api = Kind::App.api(&scene.stage.client, &scene.namespace);
        Self(tokio::spawn(async move {
            let mut steps = interval(pause);
            // After a step that took long, the next ones keep their distance.
            steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for size in sizes {
                steps.tick().await;
                resize(&api, size).await?;
            }
            Ok(())
        }))
    }

    /// Waits for the last step, unless that was before.
    pub async fn ended(mut self) -> Result<()> {
        (&mut self.0).await?
    }
}

impl Drop for Resizing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where a growth ends.
pub fn most(scene: &Scene<'_>) -> i32 {
    2 * scene.row.replicas
}

/// Before a switch: the size of the first one.
pub async fn prepare(scene: &Scene<'_>, turn: usize, live: Color) -> Result<()> {
    if scene.row.sizes != Sizes::Grows || turn > 0 {
        return Ok(());
    }
    resize(&Kind::App.api(&scene.stage.client, &scene.namespace), most(scene)).await?;
    let grown = |world: &World| world.serves(APP, live) && world.size(APP, live) == Some(most(scene));
    scene.until("the app has grown", grown).await
}

/// What a busy machine may add to a switch.
const SLACK: Duration = Duration::from_secs(2);

/// A switch under steady growth is done within one rollout from when the growth's last pods are ready; the first switch shows
/// how long a rollout takes.
pub fn judge(switches: &[Switch], wrong: &mut Wrong) {
    let Some(first) = switches.first() else { return };
    let roll_out = first.moved - first.asked;
    for switch in switches {
        let Some(grown) = switch.grown else { continue };
        let late = switch.moved.saturating_duration_since(grown);
        if late > roll_out + SLACK {
            let to = &switch.to;
            wrong.push(format!(
                "{to} was selected {late:?} after the growth, and a rollout takes {roll_out:?}"
            ));
        }
    }
}

/// After a switch: back to the size of the row.
pub async fn reset(scene: &Scene<'_>) -> Result<()> {
    match scene.row.sizes {
        Sizes::Fixed | Sizes::UpAndDown => Ok(()),
        Sizes::Grows => {
            resize(&Kind::App.api(&scene.stage.client, &scene.namespace), scene.row.replicas).await
        }
    }
}

async fn resize(api: &Api<DynamicObject>, size: i32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": size}}));
    api.patch_scale(APP, &PatchParams::default(), &patch).await.context("the size can't be changed")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn is_a_switch_noticed_that_takes_longer_than_the_growth_and_one_roll_out() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let switch = |asked, moved, grown: Option<u64>| Switch {
            from: "blue".into(),
            to: "green".into(),
            asked: at(asked),
            moved: at(moved),
            reference: at(moved),
            grown: grown.map(at),
        };
        let judged = |switches: &[Switch]| {
            let mut wrong = Wrong::new();
            judge(switches, &mut wrong);
            wrong.len()
        };
        // A rollout takes eight seconds.
        let first = switch(0, 8, None);
        assert_eq!(judged(&[]), 0);
        assert_eq!(judged(&[first.clone(), switch(20, 30, Some(40))]), 0, "before the growth has ended");
        assert_eq!(judged(&[first.clone(), switch(20, 40, Some(31))]), 0);
        assert_eq!(judged(&[first, switch(20, 45, Some(31))]), 1);
    }
}
