//! One sequence: an app, edits one upon the other, and at last a good one, from which it must recover by itself.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bluegreen_operator::api::Color;
use bluegreen_proxy::Random;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::e2e::harness::record::Record;
use crate::e2e::harness::{Kind, World, guard};
use crate::edits::{self, Edit};

/// How long an app may take to serve, or to recover, on a machine where dozens do.
const PATIENCE: Duration = Duration::from_secs(90);

/// The longest that a write of the operator may be under way, with the look before it.
const GRACE: Duration = Duration::from_secs(6);

/// What came of one sequence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    pub edits: usize,
    /// Refused at admission.
    pub refused: usize,
    pub recovered_in: Duration,
}

/// A sequence, known by its seed.
pub struct Sequence<'a> {
    pub seed: u64,
    pub client: &'a Client,
    pub namespace: &'a str,
    /// What was done, for people.
    story: Vec<String>,
}

impl fmt::Display for Sequence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SEED={} in {}:\n  {}", self.seed, self.namespace, self.story.join("\n  "))
    }
}

/// The app of a sequence.
pub fn name(seed: u64) -> String {
    format!("s{seed}-s")
}

impl<'a> Sequence<'a> {
    pub fn new(seed: u64, client: &'a Client, namespace: &'a str) -> Self {
        Self { seed, client, namespace, story: Vec::new() }
    }

    /// Plays it. The namespace is as it was before, in the end.
    pub async fn play(&mut self) -> Result<Ended> {
        let mut random = Random::new(self.seed);
        let (name, base) = (name(self.seed), edits::base(&mut random));
        let (api, record) = (self.api(), Record::start(self.client, self.namespace).await?);
        let object = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": name}, "spec": base,
        });
        self.story.push(format!("create {base}"));
        api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        wait(&record, "it serves", &name, |world| world.serves(&name, Color::Blue)).await?;

        let mut ended = Ended { edits: 4 + usize::try_from(random.below(6))?, ..Ended::default() };
        for _ in 0..ended.edits {
            ended.refused += usize::from(self.edit(&api, &name, &base, &mut random).await?);
            self.think(&record, &name, &mut random).await?;
        }
        self.explained(&record, &name).await?;
        ended.recovered_in = self.recover(&api, &record, &name, &base, &mut random).await?;
        undisturbed(&record)?;
        api.delete(&name, &DeleteParams::background()).await?;
        let gone = |world: &World| world.children(&name).is_empty() && world.all(Kind::Pod).next().is_none();
        wait(&record, "it is gone", &name, gone).await?;
        Ok(ended)
    }

    fn api(&self) -> Api<DynamicObject> {
        Kind::App.api(self.client, self.namespace)
    }

    /// One edit; `true` if it was refused at admission, which must tell why.
    async fn edit(
        &mut self,
        api: &Api<DynamicObject>,
        name: &str,
        base: &Value,
        random: &mut Random,
    ) -> Result<bool> {
        let edit = edits::edit(random);
        let params = PatchParams::default();
        let (words, result) = match &edit {
            Edit::Merge(spec) => {
                let patch = json!({ "spec": spec });
                (spec.to_string(), api.patch(name, &params, &Patch::Merge(&patch)).await)
            }
            Edit::Back => ("back".to_owned(), api.patch(name, &params, &replace(base)?).await),
        };
        let words: String = words.chars().take(400).collect();
        match result {
            Ok(object) => {
                self.story.push(format!("{words} -> generation {}", object.metadata.generation.unwrap_or(0)));
                Ok(false)
            }
            Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => {
                ensure!(!status.message.is_empty(), "{words} was refused without a word");
                self.story.push(format!("{words} -> refused"));
                Ok(true)
            }
            Err(error) => Err(error).with_context(|| words),
        }
    }

    /// Sometimes the next edit comes at once, sometimes the app has time.
    async fn think(&mut self, record: &Record, name: &str, random: &mut Random) -> Result<()> {
        match random.below(4) {
            0 => {}
            1 => {
                record.until(Duration::from_secs(2), |world| world.settled(name)).await?;
            }
            _ => tokio::time::sleep(Duration::from_millis(random.below(400))).await,
        }
        Ok(())
    }

    /// An app that is not ready says why, as soon as its operator has seen the edit.
    async fn explained(&self, record: &Record, name: &str) -> Result<()> {
        let explained = |world: &World| {
            // What can't be read at all is told in the operator's log.
            let Some(status) = world.status(name) else { return world.app(name).is_none() };
            let conditions = || status.conditions.iter();
            conditions().any(|condition| condition.type_ == "Ready")
                && conditions().all(|condition| !condition.reason.is_empty() && !condition.message.is_empty())
        };
        wait(record, "it says how it is", name, explained).await
    }

    /// A good edit, and nothing else.
    async fn recover(
        &mut self,
        api: &Api<DynamicObject>,
        record: &Record,
        name: &str,
        base: &Value,
        random: &mut Random,
    ) -> Result<Duration> {
        let color = if random.below(2) == 0 { Color::Blue } else { Color::Green };
        let mut spec = base.clone();
        spec["active"] = json!(color);
        self.story.push(format!("recover to {color}"));
        let edited =
            api.patch(name, &PatchParams::default(), &replace(&spec)?).await.context("the good edit")?;
        let (start, generation) = (Instant::now(), edited.metadata.generation);
        let recovered = |world: &World| {
            world.app(name).is_some_and(|app| app.metadata.generation >= generation)
                && world.serves(name, color)
                && Color::ALL.into_iter().all(|color| runs(world, name, color, &spec))
        };
        wait(record, &format!("{color} serves"), name, recovered).await?;
        Ok(start.elapsed())
    }
}

/// As the spec asks for, both of them.
fn runs(world: &World, name: &str, color: Color, spec: &Value) -> bool {
    let image = format!("team/hello:{}", spec[color.as_str()]["tag"].as_str().unwrap_or_default());
    let full = spec["replicas"].as_i64().unwrap_or(1);
    let size = world.size(name, color).map_or(-1, i64::from);
    let sized = match spec.pointer("/standby/replicas").and_then(Value::as_i64) {
        // One that never served was put there to be looked at: it keeps a pod.
        Some(standby) if spec["active"] != json!(color) => size == standby || size == standby.max(1),
        _ => size == full,
    };
    let rests = if size == 0 { world.pods(name, color).is_empty() } else { world.rolled_out(name, color) };
    world.image(name, color) == Some(image) && sized && rests
}

/// The whole spec at once, whatever is there.
fn replace(spec: &Value) -> Result<Patch<()>> {
    Ok(Patch::Json(serde_json::from_value(json!([{"op": "replace", "path": "/spec", "value": spec}]))?))
}

async fn wait(record: &Record, what: &str, name: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
    if record.until(PATIENCE, holds).await?.is_some() {
        return Ok(());
    }
    let world = record.world();
    let app = world.raw(Kind::App, name).cloned().unwrap_or_default();
    let timeline = guard::replay(&record.events(), &record.foreign()).timeline.join("\n");
    bail!("not within {PATIENCE:?}: {what}; status {:#}\n{timeline}", app["status"])
}

/// Every promise was kept at every instant.
fn undisturbed(record: &Record) -> Result<()> {
    let seen = guard::replay_with_grace(&record.events(), &record.foreign(), GRACE);
    let broken: Vec<_> =
        seen.broken.into_iter().map(|broken| format!("{:?}: {}", broken.rule, broken.words)).collect();
    ensure!(broken.is_empty(), "DISTURBED: {}\n{}", broken.join("\n"), seen.timeline.join("\n"));
    Ok(())
}
