//! What the exit of a real container means for a switch: the table of docs/checks.md on a real kubelet and containerd.
//!
//! The operator is installed from the manifest, and runs its own image for the short forms. All checks run side by side, and each
//! app has those whose verdicts don't end one another.

mod apps;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus};
use bluegreen_cluster::{ends_image, patiently};
use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, EvictParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::place::Place;
use apps::{End, Story};

/// How long anything may take on a busy machine: less than the budget of the suite, so that what is missing is told.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long a program may take on a busy machine from its start until it hears signals.
const SETTLED: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image: `make install-test`, or the stage `install` of `make test`"]
async fn does_the_end_of_a_real_container_mean_what_the_table_says() -> Result<()> {
    let Some(place) = Place::new().await? else { return Ok(()) };
    let cluster = &place.cluster;
    cluster.load_image(&ends_image(cluster.dir()?)?).await?;
    // Queries of constants need nothing that is scraped.
    let prometheus = cluster.start_prometheus(&json!({})).await?;
    place.follow("With kubectl")?;
    let stories = apps::all(&prometheus);
    let all = Apps::of(cluster.client()?);
    try_join_all(stories.iter().map(|story| all.serve(story))).await?;
    let start = Instant::now();
    try_join_all(stories.iter().map(|story| all.switch(story))).await?;
    let (judged, evicted, tried) = tokio::join!(
        try_join_all(stories.iter().map(|story| all.judge(story))),
        try_join_all(["evicted", "gentle"].map(|check| all.evict(check))),
        try_join_all(stories.iter().map(|story| all.tried(story)))
    );
    let judged = judged.and(evicted).and(tried);
    for story in &stories {
        for entry in all.status(story.app).await?.checks {
            println!(
                "{:<12} {:<12} {:?}: {}",
                story.app,
                entry.name,
                entry.result,
                entry.message.unwrap_or_default()
            );
        }
    }
    judged?;
    let rows: usize = stories.iter().map(|story| story.rows.len()).sum();
    println!("{rows} checks of {} apps judged after {:.0} s", stories.len(), start.elapsed().as_secs_f64());
    place.refused()
}

struct Apps {
    apps: Api<BlueGreenApp>,
    services: Api<Service>,
    pods: Api<Pod>,
}

impl Apps {
    fn of(client: Client) -> Self {
        Self {
            apps: Api::default_namespaced(client.clone()),
            services: Api::default_namespaced(client.clone()),
            pods: Api::default_namespaced(client),
        }
    }

    async fn status(&self, app: &str) -> Result<BlueGreenAppStatus> {
        self.apps.get(app).await?.status.context("no status")
    }

    /// Declares an app, and waits until blue serves and green stands ready.
    async fn serve(&self, story: &Story) -> Result<()> {
        let app = serde_json::from_value(story.object())?;
        self.apps.create(&PostParams::default(), &app).await?;
        let attempt = async || {
            let status = self.status(story.app).await?;
            for condition in ["Ready", "StandbyReady"] {
                let is = status.condition(condition).is_some_and(|condition| condition.status == "True");
                ensure!(is, "{} is not {condition}: {:?}", story.app, status.conditions);
            }
            Ok(())
        };
        patiently(PATIENCE, attempt).await
    }

    async fn switch(&self, story: &Story) -> Result<()> {
        let patch = json!({"spec": {"active": "green", "checks": story.checks()}});
        self.apps.patch(story.app, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Every check has its verdict, and the app and its Service are as the story ends.
    async fn judge(&self, story: &Story) -> Result<()> {
        let attempt = async || {
            let status = self.status(story.app).await?;
            for row in &story.rows {
                let entry = status.checks.iter().find(|entry| entry.name == row.name());
                row.judge(entry).with_context(|| format!("{}: {:?}", story.app, status.checks))?;
            }
            let End { live, condition, reason } = story.end;
            let found =
                status.condition(condition).with_context(|| format!("{} has no {condition}", story.app))?;
            ensure!(
                (found.status.as_str(), found.reason.as_str()) == ("True", reason),
                "{}: {found:?}",
                story.app
            );
            let selector = self.services.get(story.app).await?.spec.and_then(|spec| spec.selector);
            let selected = selector.and_then(|mut selector| selector.remove("bluegreen.dev/color"));
            ensure!(selected.as_deref() == Some(live), "{} serves {selected:?}", story.app);
            Ok(())
        };
        patiently(PATIENCE, attempt).await
    }

    /// What is tried again ends each time as it is to end. Seen while it lasts: with the Job, its pods go.
    async fn tried(&self, story: &Story) -> Result<()> {
        let of_story = story.rows.iter().filter_map(|row| Some((row, row.tries?)));
        try_join_all(of_story.map(|(row, (code, reason))| self.tries(story.app, row.name(), code, reason)))
            .await
            .map(drop)
    }

    async fn tries(&self, app: &str, check: &str, code: i32, reason: &str) -> Result<()> {
        let attempt = async || {
            let checks = self.status(app).await?.checks;
            let job = checks.into_iter().find(|entry| entry.name == check).and_then(|entry| entry.job);
            let of_job = format!("batch.kubernetes.io/job-name={}", job.context("no Job")?);
            let pods = self.pods.list(&ListParams::default().labels(&of_job)).await?;
            let ends: Vec<(i32, String)> = pods.iter().filter_map(end).collect();
            let as_expected = ends.iter().all(|(was, _)| *was == code);
            let said = ends.iter().any(|(_, said)| said == reason);
            ensure!(as_expected && said, "{check} of {app}: {ends:?}");
            Ok(())
        };
        patiently(PATIENCE, attempt).await
    }

    /// Evicts the first pod of a check once it runs, as `kubectl drain` does. Not at once: a program that has not asked for the signal
    /// yet does not end by it, but is killed.
    async fn evict(&self, check: &str) -> Result<()> {
        let attempt = async || {
            let pods = self.pods.list(&ListParams::default().labels(&format!("check={check}"))).await?;
            let long_ago = Timestamp::now() - SETTLED;
            let runs = |pod: &&Pod| began(pod).is_some_and(|began| began < long_ago);
            let pod = pods.iter().find(runs).map(ResourceExt::name_any);
            pod.with_context(|| format!("no pod of {check} runs"))
        };
        let pod = patiently(PATIENCE, attempt).await?;
        self.pods.evict(&pod, &EvictParams::default()).await?;
        Ok(())
    }
}

/// When the container of a pod began to run, if it runs.
fn began(pod: &Pod) -> Option<Timestamp> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    Some(container.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0)
}

/// How the container of a pod ended, as the kubelet says: exit code and reason.
fn end(pod: &Pod) -> Option<(i32, String)> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let terminated = container.state.as_ref()?.terminated.as_ref()?;
    Some((terminated.exit_code, terminated.reason.clone().unwrap_or_default()))
}
