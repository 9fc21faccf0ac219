//! Does `kubectl patch … && kubectl wait --for=condition=Ready` ever return before the color that was asked for serves, and before all
//! of its checks have passed? Every second app has one before the switch and one after it.
//!
//! The operator hears of everything up to two seconds late, each kind of object by a measure of its own, and its status
//! writes land, or are acknowledged, up to two seconds late. kubectl and the check speak to the API server directly.
//!
//! `SEED=n` repeats the delays of another run, as far as timing allows; `WAITS=n` is the number of waits, 50 by default.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "waits/check.rs"]
mod check;
#[path = "e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
#[path = "waits/kubectl.rs"]
mod kubectl;
#[path = "waits/setup.rs"]
mod setup;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color;
use bluegreen_cluster::Cluster;
use bluegreen_proxy::{Effect, FrameEffect, FrameRule, Proxy, Random, Rule};
use serde_json::{Value, json};

use check::Expected;
use e2e::harness::{app, check};
use kubectl::Kubectl;

const APPS: usize = 10;
const NAMESPACES: usize = 5;
const REPLICAS: i32 = 2;
const LATE: Duration = Duration::from_secs(2);

/// What is patched before the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// Only `active`.
    Switch,
    /// The idle color's tag and `active`, in one patch.
    SwitchToNewTag,
    /// There, back, and there again.
    Flip,
    /// As `Flip`, with a new tag in the first patch.
    FlipToNewTag,
}

impl Edit {
    const ALL: [Self; 4] = [Self::Switch, Self::SwitchToNewTag, Self::Flip, Self::FlipToNewTag];

    fn has_new_tag(self) -> bool {
        matches!(self, Self::SwitchToNewTag | Self::FlipToNewTag)
    }

    /// The patches, in their order.
    fn patches(self, to: Color, tag: &str) -> Vec<Value> {
        let mut first = json!({"active": to});
        if self.has_new_tag() {
            first[to.as_str()] = json!({"tag": tag});
        }
        match self {
            Self::Switch | Self::SwitchToNewTag => vec![first],
            Self::Flip | Self::FlipToNewTag => {
                vec![first, json!({"active": to.other()}), json!({"active": to})]
            }
        }
    }
}

/// One wait that returned.
struct Waited {
    words: String,
    took: Duration,
    problems: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn does_a_wait_for_ready_ever_return_before_the_color_asked_for_serves() -> Result<()> {
    let seed = number("SEED").unwrap_or(1);
    let waits = usize::try_from(number("WAITS").unwrap_or(50))?;
    println!("seed {seed}, {waits} waits");
    let (cluster, user) = setup::start().await?;
    let proxy = Proxy::start(user.config, seed).await?;
    let kubeconfig = cluster.dir()?.join("waits.kubeconfig");
    proxy.write_kubeconfig(&kubeconfig)?;
    let _operator = setup::operator(&kubeconfig, "waits", &[])?;
    let apps = (0..APPS).map(|index| create(cluster, index));
    let namespaces = futures::future::try_join_all(apps).await?;

    delay_everything(&proxy);
    let start = Instant::now();
    let rounds = (0..APPS).map(|index| {
        let rounds = (index..waits).step_by(APPS).count();
        let random = Random::new(seed.wrapping_mul(1_000).wrapping_add(u64::try_from(index).unwrap_or(0)));
        switch_again_and_again(cluster, &namespaces[index], index, rounds, random)
    });
    let all: Vec<Waited> = futures::future::try_join_all(rounds).await?.into_iter().flatten().collect();
    let took = start.elapsed();

    report(&all, took, &proxy);
    let wrong: Vec<_> = all.iter().filter(|wait| !wait.problems.is_empty()).collect();
    for wait in &wrong {
        println!("WRONG: {}: {}", wait.words, wait.problems.join("; "));
    }
    ensure!(all.len() == waits, "{} of {waits} waits were made", all.len());
    ensure!(wrong.is_empty(), "{} of {waits} waits returned too early (SEED={seed})", wrong.len());
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Watches, and status writes either before or after their commit.
fn delay_everything(proxy: &Proxy) {
    let late = Duration::ZERO..=LATE;
    let is_status =
        |request: &bluegreen_proxy::Request| request.is_write() && request.subresource == "status";
    // Each frame by its own measure; those of one watch keep their order, as on a real connection.
    proxy.script().add_frames(FrameRule::new(|_, _| true, FrameEffect::Delay(late)));
    let half = Duration::ZERO..=LATE / 2;
    proxy.script().add(Rule::new(is_status, Effect::Delay(half.clone())));
    proxy.script().add(Rule::new(is_status, Effect::DelayReply(half)));
}

/// Creates an app and waits until it serves blue; returns its namespace.
async fn create(cluster: &Cluster, index: usize) -> Result<String> {
    let namespace = format!("waits-{}", index % NAMESPACES);
    setup::namespace(cluster, &namespace).await?;
    let kubectl = Kubectl { cluster, namespace: &namespace };
    let checks = if index.is_multiple_of(2) {
        json!([])
    } else {
        let passes = json!({"exit": "0"});
        json!([check("smoke", "Before", &passes), check("errors", "After", &passes)])
    };
    let app = app(&name(index)).replicas(REPLICAS).with(json!({ "checks": checks }));
    kubectl.apply(&app.object()).await?;
    kubectl.wait_ready(&name(index)).await?;
    Ok(namespace)
}

fn name(index: usize) -> String {
    format!("app-{index}")
}

async fn switch_again_and_again(
    cluster: &Cluster,
    namespace: &str,
    index: usize,
    rounds: usize,
    mut random: Random,
) -> Result<Vec<Waited>> {
    let (client, kubectl, app) = (cluster.client()?, Kubectl { cluster, namespace }, name(index));
    let mut tags = [("blue", "v1".to_owned()), ("green", "v2".to_owned())];
    let mut waited = Vec::new();
    for round in 0..rounds {
        let to = if round % 2 == 0 { Color::Green } else { Color::Blue };
        // Every app begins with another kind of edit, so that they meet.
        let edit = Edit::ALL[(index + round) % Edit::ALL.len()];
        let current = tags.iter_mut().find(|(color, _)| *color == to.as_str()).context("a color")?;
        if edit.has_new_tag() {
            current.1 = format!("v{round}-{index}");
        }
        let expected = Expected { color: to, image: format!("team/hello:{}", current.1), replicas: REPLICAS };
        let start = Instant::now();
        for (number, patch) in edit.patches(to, &current.1).into_iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(Duration::from_millis(random.below(1_500))).await;
            }
            kubectl.patch(&app, &json!({"spec": patch})).await?;
        }
        kubectl.wait_ready(&app).await.with_context(|| format!("{app}, round {round}, {edit:?} to {to}"))?;
        let took = start.elapsed();
        let live = check::look(&client, namespace, &app).await?;
        let words = format!("{namespace}/{app}, round {round}, {edit:?} to {}", expected.image);
        waited.push(Waited { words, took, problems: check::problems(&expected, &live) });
    }
    Ok(waited)
}

fn report(all: &[Waited], took: Duration, proxy: &Proxy) {
    let mut times: Vec<_> = all.iter().map(|wait| wait.took.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied().unwrap_or_default();
    let right = all.iter().filter(|wait| wait.problems.is_empty()).count();
    println!("{right} of {} waits were right, in {:.1} s", all.len(), took.as_secs_f64());
    println!("patch to return: median {:.1} s, 90 % {:.1} s, longest {:.1} s", at(50), at(90), at(100));
    let statuses = proxy.log().count(|record| record.request.subresource == "status");
    let conflicts =
        proxy.log().count(|record| record.request.is_change() && record.verdict.actual() == Some(409));
    let (delayed, frames) = proxy
        .log()
        .frames()
        .values()
        .fold((0, 0), |sum, count| (sum.0 + count.delayed, sum.1 + count.received));
    println!("{statuses} status writes, {delayed} of {frames} events delayed, {conflicts} conflicts");
}
