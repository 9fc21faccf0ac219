//! An app's size that changes under way, through the scale subresource, as an autoscaler changes it. A real one does so in
//! `make autoscaler-test`; here the steps come on a schedule, so that they fall into every phase of a switch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bluegreen_guard::Kind;
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
    /// One more at each step from the edit that asks for a switch, until there are three times as many. Not at the first
    /// switch, which shows how long one roll-out takes.
    Grows,
}

/// Time between two steps of a size that goes up and down: longer than a pod needs to start, so that the app also settles.
const CALM: Duration = Duration::from_secs(4);

/// Time between two steps of a growth: shorter than a pod of the row needs to start.
const STEADY: Duration = Duration::from_secs(2);

/// Somebody who changes the size. Stops when it is dropped.
pub struct Resizing {
    task: JoinHandle<Result<()>>,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Resizing {
    /// Up and down until it is dropped, where the row wants that.
    pub fn up_and_down(scene: &Scene<'_>) -> Option<Self> {
        let few = scene.row.replicas;
        let cycle = (few + 1..=2 * few).chain((few..2 * few).rev());
        (scene.row.sizes == Sizes::UpAndDown).then(|| Self::start(scene, CALM, cycle.cycle()))
    }

    /// Up, once, where the row wants that at this turn.
    pub fn growth(scene: &Scene<'_>, turn: usize) -> Option<Self> {
        let few = scene.row.replicas;
        (scene.row.sizes == Sizes::Grows && turn > 0).then(|| Self::start(scene, STEADY, few + 1..=3 * few))
    }

    fn start(scene: &Scene<'_>, pause: Duration, sizes: impl Iterator<Item = i32> + Send + 'static) -> Self {
        let api = Kind::App.api(&scene.stage.client, &scene.namespace);
        let last = Arc::new(Mutex::new(None));
        let noted = last.clone();
        let task = tokio::spawn(async move {
            let mut steps = interval(pause);
            // After a step that took long, the next ones keep their distance.
            steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for size in sizes {
                steps.tick().await;
                resize(&api, size).await?;
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            Ok(())
        });
        Self { task, last }
    }

    /// Waits for the last step, unless that was before; when it was taken.
    pub async fn ended(mut self) -> Result<Instant> {
        (&mut self.task).await??;
        self.last.lock().unwrap_or_else(PoisonError::into_inner).context("no step was taken")
    }
}

impl Drop for Resizing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a busy machine may add to a switch.
const SLACK: Duration = Duration::from_secs(2);

/// A switch under steady growth is done within the growth's last step and one roll-out, which the first switch shows.
pub fn judge(switches: &[Switch], wrong: &mut Wrong) {
    let Some(first) = switches.first() else { return };
    let roll_out = first.moved - first.asked;
    for switch in switches {
        let Some(grown) = switch.grown else { continue };
        let late = switch.moved.saturating_duration_since(grown);
        if late > roll_out + SLACK {
            wrong.push(format!("{} was selected {late:?} after the last step of the growth", switch.to));
        }
    }
}

/// Back to the size of the row.
pub async fn reset(scene: &Scene<'_>) -> Result<()> {
    resize(&Kind::App.api(&scene.stage.client, &scene.namespace), scene.row.replicas).await
}

async fn resize(api: &Api<DynamicObject>, size: i32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": size}}));
    api.patch_scale(APP, &PatchParams::default(), &patch).await.context("the size can't be changed")?;
    Ok(())
}
