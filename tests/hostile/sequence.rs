//! One sequence: an app, edits one upon the other, and at last a good one, from which it must recover by itself, or by
//! the one further edit that it names.

use std::cell::OnceCell;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::Color;
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
    /// The last edit was one of the live color's block, which is held, and the edit that the app named let it pass.
    pub by_named_edit: bool,
    /// Jobs of checks were created.
    pub jobs: usize,
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
        (ended.recovered_in, ended.by_named_edit) =
            self.recover(&api, &record, &name, &base, &mut random).await?;
        undisturbed(&record)?;
        ended.jobs = jobs(&record);
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

    /// A good edit, and nothing else. If it changes the block of the color that serves, the app holds that by design
    /// and names the edit that lets it pass: that one then, too. Also returns whether it was needed.
    async fn recover(
        &mut self,
        api: &Api<DynamicObject>,
        record: &Record,
        name: &str,
        base: &Value,
        random: &mut Random,
    ) -> Result<(Duration, bool)> {
        let color = if random.below(2) == 0 { Color::Blue } else { Color::Green };
        let mut spec = base.clone();
        spec["active"] = json!(color);
        self.story.push(format!("recover to {color}"));
        let edited =
            api.patch(name, &PatchParams::default(), &replace(&spec)?).await.context("the good edit")?;
        let (start, generation) = (Instant::now(), edited.metadata.generation);
        let words = OnceCell::new();
        let either = |world: &World| {
            let held = || held(world, name, &spec, color).is_some_and(|says| words.set(says).is_ok());
            arrived(world, name, generation) && (recovered(world, name, &spec, color) || held())
        };
        wait(record, &format!("{color} serves, or its edit is held"), name, either).await?;
        let Some(words) = words.into_inner() else { return Ok((start.elapsed(), false)) };

        self.story.push(format!("the app says: {words}"));
        ensure!(spec["activeUpdatePolicy"] != "RollingUpdate", "held, and the policy allows it: {words}");
        ensure!(from_another_block(record, name, color), "held, and {color} runs what is asked for: {words}");
        for named in
            [format!("spec.{color} changed"), "set spec.activeUpdatePolicy to RollingUpdate".to_owned()]
        {
            ensure!(words.contains(&named), "the app does not say {named:?}: {words}");
        }
        let policy = Patch::Merge(json!({"spec": {"activeUpdatePolicy": "RollingUpdate"}}));
        let generation = api.patch(name, &PatchParams::default(), &policy).await?.metadata.generation;
        let recovered =
            |world: &World| arrived(world, name, generation) && recovered(world, name, &spec, color);
        wait(record, &format!("{color} serves after the edit that the app named"), name, recovered).await?;
        Ok((start.elapsed(), true))
    }
}

/// Is the app of this generation, or of a later one?
fn arrived(world: &World, name: &str, generation: Option<i64>) -> bool {
    world.app(name).is_some_and(|app| app.metadata.generation >= generation)
}

/// All is as the spec asks for.
fn recovered(world: &World, name: &str, spec: &Value, active: Color) -> bool {
    world.serves(name, active) && Color::ALL.into_iter().all(|color| runs(world, name, color, spec))
}

/// The app's words, if it holds an edit of the live color, which serves in full, and the other color is as it should
/// be. Its pods may be those from before an update in place that does not get on: the named edit must mend that, too.
fn held(world: &World, name: &str, spec: &Value, live: Color) -> Option<String> {
    let (reason, words) = world.says(name, "Stalled")?;
    let full = spec["replicas"].as_i64()?;
    let ready = world.endpoints(name).iter().filter(|endpoint| endpoint.ready).count();
    let serves = world.selects(name) == live.as_str()
        && world.size(name, live).map(i64::from) == Some(full)
        && i64::try_from(ready).is_ok_and(|ready| ready >= full);
    (reason == "LiveColorEditHeld" && serves && runs(world, name, live.other(), spec)).then_some(words)
}

/// Did the spec ask for another block than now when what this color runs was stored? Told by the order of writes, not
/// by what the operator noted down.
fn from_another_block(record: &Record, name: &str, color: Color) -> bool {
    let (events, world) = (record.events(), record.world());
    let block = |app: &Value| app["spec"][color.as_str()].clone();
    let (Some(app), Some(deployment)) =
        (world.raw(Kind::App, name), world.raw(Kind::Deployment, &format!("{name}-{color}")))
    else {
        return false;
    };
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let revision =
        format!("{name}-{color}-{}", labels["bluegreen.dev/revision"].as_str().unwrap_or_default());
    let Some(stored) = events.iter().find(|event| event.kind == Kind::Revision && event.name == revision)
    else {
        return false;
    };
    // What was asked for at that moment, and until shortly before it: the operator may not have seen the last edit.
    let mut until = None;
    let specs = events.iter().rev().filter(|event| event.kind == Kind::App && event.version < stored.version);
    specs
        .take_while(|event| {
            let counts = until.is_none_or(|until| stored.at.saturating_duration_since(until) < GRACE);
            until = Some(event.at);
            counts
        })
        .any(|event| block(&event.object) != block(app))
}

/// As the spec asks for, both of them.
fn runs(world: &World, name: &str, color: Color, spec: &Value) -> bool {
    let full = spec["replicas"].as_i64().unwrap_or(1);
    let size = world.size(name, color).map_or(-1, i64::from);
    let sized = match spec.pointer("/standby/replicas").and_then(Value::as_i64) {
        // One that never served was put there to be looked at: it keeps a pod.
        Some(standby) if spec["active"] != json!(color) => size == standby || size == standby.max(1),
        _ => size == full,
    };
    let rests = if size == 0 { world.pods(name, color).is_empty() } else { world.rolled_out(name, color) };
    runs_its_tag(world, name, color, spec) && sized && rests
}

/// A color that has served keeps the shared fields that it served with until its own block changes, the image's name
/// among them.
fn runs_its_tag(world: &World, name: &str, color: Color, spec: &Value) -> bool {
    let tag = spec[color.as_str()]["tag"].as_str().unwrap_or_default();
    let Some(image) = world.image(name, color) else { return false };
    let revision = world.deployment(name, color).and_then(|deployment| {
        let labels = deployment.spec?.template.metadata?.labels?;
        labels.get("bluegreen.dev/revision").cloned()
    });
    let on_record = world.service(name).and_then(|service| {
        service.metadata.annotations?.get(&format!("bluegreen.dev/served-{color}")).cloned()
    });
    image == format!("team/hello:{tag}")
        || (revision.is_some() && revision == on_record && image.ends_with(&format!(":{tag}")))
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

/// How many Jobs there were.
fn jobs(record: &Record) -> usize {
    let events = record.events();
    let jobs = events.iter().filter(|event| event.kind == Kind::Job);
    jobs.map(|event| event.name.as_str()).collect::<std::collections::BTreeSet<_>>().len()
}

/// Every promise was kept at every instant.
fn undisturbed(record: &Record) -> Result<()> {
    let seen = guard::replay_with_grace(&record.events(), &record.foreign(), GRACE);
    let broken: Vec<_> =
        seen.broken.into_iter().map(|broken| format!("{:?}: {}", broken.rule, broken.words)).collect();
    ensure!(broken.is_empty(), "DISTURBED: {}\n{}", broken.join("\n"), seen.timeline.join("\n"));
    Ok(())
}
