//! A random life of an app on the real API server, with troubles, and everything recorded.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::Color;
use bluegreen_model::objects::App;
use bluegreen_model::replay::{Event, Seen};
use bluegreen_model::steps::{Edit, change_spec, edits};
use bluegreen_model::{Bounds, Idle, Scope};
use bluegreen_proxy::{Answer, Effect, Proxy, Random, Request, Rule as ProxyRule, Verb};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::e2e::harness::guard::{self, Rule};
use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::setup::LEASE;
use crate::e2e::harness::{Kind, Sandbox, World};
use crate::looks::{self, Look, WRITE_TIMEOUT};
use crate::read::{Reader, SHARED};
use crate::trace::{self, Change};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest that a write of the operator may be under way, with the look before it.
const GRACE: Duration = Duration::from_secs(6);

/// Renderings of one color in one life: the model has no room for more.
const RENDERINGS: usize = 4;

/// One life, as the replay reads it.
pub struct Life {
    pub seed: u64,
    /// The app's.
    pub name: String,
    pub bounds: Bounds,
    pub run: Vec<Seen>,
    /// What that was told from.
    changes: Vec<Change>,
    looks: Vec<Look>,
    /// What the operator asked about it, as the proxy heard it.
    pub requests: String,
    pub edits: usize,
    pub crashes: usize,
    pub troubles: usize,
}

impl Life {
    /// Tells it anew, if the look that led to what was seen there can also be read otherwise. False if it can't.
    pub fn tell_otherwise(&mut self, at: usize) -> Result<bool> {
        let begins =
            |seen: &&Seen| matches!(seen.event, Event::Begin(_) | Event::Create(..) | Event::Confirm(..));
        let look = self.run.iter().take(at + 1).filter(begins).count().checked_sub(1);
        let is_other = look.and_then(|look| self.looks.get_mut(look)).is_some_and(Look::join);
        if is_other {
            self.run = trace::tell(&self.changes, &self.looks)?;
        }
        Ok(is_other)
    }
}

/// An operator behind a proxy, and the apps that live there one after the other.
pub struct Place {
    sandbox: Sandbox,
    proxy: Proxy,
    operator: Operator,
    /// The places in the proxy's log at which a process began.
    starts: Vec<usize>,
}

impl Place {
    pub async fn new(seed: u64) -> Result<Self> {
        let sandbox = Sandbox::new("conform").await?.with_pace(["15s", "10s", "2s", "2s"]);
        let proxy = Proxy::start(sandbox.user.config.clone(), seed).await?;
        proxy.log().keep_bodies();
        let operator = sandbox.operator_behind(&proxy)?;
        operator.says(" leading", PATIENCE).await?;
        Ok(Self { sandbox, proxy, operator, starts: vec![0] })
    }

    /// One app from its creation until all is done.
    pub async fn live(&mut self, seed: u64) -> Result<Life> {
        let mut random = Random::new(seed);
        let name = format!("a{seed}z");
        let idle = if random.below(2) == 0 { Idle::Warm } else { Idle::Reduced };
        let mut life =
            Player { name: &name, app: first(), idle, renderings: [1; 2], edits: 0, crashes: 0, troubles: 0 };
        let events = self.sandbox.events().len();
        if random.below(2) == 0 {
            // Each read its own time, so that a look is of several moments.
            let slow = Effect::Delay(Duration::ZERO..=Duration::from_millis(150));
            self.proxy.script().add(ProxyRule::new(is_read, slow));
        }
        life.create(self).await?;
        life.switch(self).await?;
        for _ in 0..6 + random.below(10) {
            life.think(self, &mut random).await?;
            if !life.edit(self, &mut random).await? {
                break;
            }
            life.trouble(self, &mut random).await?;
        }
        life.end(self).await?;
        let Player { edits, crashes, troubles, .. } = life;
        let (changes, looks) = self.recorded(&name, events)?;
        let run = trace::tell(&changes, &looks)?;
        let requests = self.asked(&name);
        self.sandbox.delete(Kind::App, &name).await?;
        let bounds = Bounds { idle, scope: Scope::All, narrow: true, ..Bounds::default() };
        Ok(Life { seed, name, bounds, run, changes, looks, requests, edits, crashes, troubles })
    }

    /// What changed, and what the operator read and sent. `from`: what was recorded before is about other apps.
    fn recorded(&self, name: &str, from: usize) -> Result<(Vec<Change>, Vec<Look>)> {
        let events = self.sandbox.events();
        let events = events.get(from..).unwrap_or_default();
        let first = events.iter().find(|event| event.kind == Kind::App && event.name == name);
        let mut reader = Reader::new(name, &first.context("the app")?.object["spec"])?;
        let log = self.proxy.log().since(0);
        let status_at = |version: u64| {
            let event = events.iter().find(|event| event.kind == Kind::App && event.version == version)?;
            Some(crate::read::status(&event.object))
        };
        let looks = looks::looks(&mut reader, &log, &self.starts, &status_at)?;
        let foreign = self.sandbox.foreign();
        let changes = trace::changes(&reader, events, |version| foreign.contains(&version))?;
        Ok((changes, looks))
    }

    /// The requests about an app, and where another process began.
    fn asked(&self, name: &str) -> String {
        let mut words = String::new();
        for (index, record) in self.proxy.log().since(0).iter().enumerate() {
            for _ in self.starts.iter().filter(|start| **start == index) {
                words += "--- another process\n";
            }
            if record.request.uri.contains(name) || record.request.name.starts_with(name) {
                let ended = record.ended.map_or(f64::INFINITY, |ended| ended.as_secs_f64());
                words += &format!("{record} until {ended:.3}\n");
            }
        }
        words
    }

    async fn crash(&mut self) -> Result<()> {
        self.operator.kill_now()?;
        self.starts.push(self.proxy.log().len());
        let leases: Api<Lease> = Api::namespaced(self.sandbox.client.clone(), &self.sandbox.namespace);
        let nobody = json!({"spec": {"holderIdentity": ""}});
        leases.patch(LEASE, &PatchParams::default(), &Patch::Merge(nobody)).await?;
        self.operator = self.sandbox.operator_behind(&self.proxy)?;
        Ok(())
    }

    /// Waits, and starts the operator again if it has ended: a busy machine may make it lose its Lease.
    async fn until(&mut self, what: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            if self.sandbox.reached(Duration::from_millis(500), &holds).await? {
                return Ok(());
            }
            if self.operator.ended(Duration::ZERO).await.is_ok() {
                ensure!(!self.operator.log(40).contains("panicked at"), "{}", self.operator.log(40));
                self.crash().await?;
            }
            if start.elapsed() > PATIENCE {
                bail!("not within {PATIENCE:?}: {what}\n{}", self.operator.log(30));
            }
        }
    }

    /// Every promise was kept, judged by what was asked for a moment before too, as of all apps that are edited all the
    /// time.
    pub async fn finish(self) -> Result<()> {
        let seen = guard::replay_with_grace(&self.sandbox.events(), &self.sandbox.foreign(), GRACE);
        let broken: Vec<_> = seen.broken.into_iter().map(|broken| broken.words).collect();
        ensure!(broken.is_empty(), "the guard saw {broken:#?}\n{}", seen.timeline.join("\n"));
        let judged = [
            Rule::ReadyBeforeSelected,
            Rule::LiveKeepsItsSize,
            Rule::LiveKeepsItsTemplate,
            Rule::OldIsDrained,
            Rule::NeverEmpty,
        ];
        self.sandbox.finish_allowing(&judged).await
    }
}

/// What a life begins with.
fn first() -> App {
    let spec = spec_of(
        &bluegreen_model::world::World::first(&Bounds { from_nothing: true, ..Bounds::default() })
            .objects
            .app,
        Idle::Warm,
    );
    let reader = Reader::new("", &spec);
    let app = reader.and_then(|reader| reader.app(&json!({ "spec": spec }), None));
    app.unwrap_or_else(|error| panic!("{error:#}"))
}

/// A spec that the model tells like this.
fn spec_of(app: &App, idle: Idle) -> Value {
    let block =
        |color: Color| app.present.get(color).then(|| json!({"tag": format!("v{}", app.tags.get(color))}));
    json!({
        "active": app.active,
        "image": "team/hello",
        "blue": block(Color::Blue),
        "green": block(Color::Green),
        "replicas": app.replicas,
        "paused": app.paused,
        "activeUpdatePolicy": if app.rolling { "RollingUpdate" } else { "Freeze" },
        "port": 8888,
        "drainSeconds": 1,
        "service": {"type": "ClusterIP"},
        "standby": match idle { Idle::Warm => Value::Null, _ => json!({"replicas": 0}) },
        "template": {"metadata": {"annotations": {SHARED: app.shared.to_string()}}},
    })
}

/// Who edits the app.
struct Player<'a> {
    name: &'a str,
    app: App,
    idle: Idle,
    /// How often each color was rendered, at the most.
    renderings: [usize; 2],
    edits: usize,
    crashes: usize,
    troubles: usize,
}

impl Player<'_> {
    async fn create(&self, place: &Place) -> Result<()> {
        let mut spec = spec_of(&self.app, self.idle);
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|_, value| !value.is_null());
        }
        let object = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": self.name}, "spec": spec,
        });
        place.sandbox.create(Kind::App, object).await
    }

    /// Every life has a switch with its drain that nothing disturbs.
    async fn switch(&mut self, place: &mut Place) -> Result<()> {
        let name = self.name;
        place.until("blue serves", |world| world.serves(name, Color::Blue)).await?;
        self.send(place, Edit::Active).await?;
        place.until("green serves", |world| world.serves(name, Color::Green)).await
    }

    async fn send(&mut self, place: &Place, edit: Edit) -> Result<()> {
        for color in Color::ALL {
            self.renderings[color as usize] += usize::from(renders(edit, &self.app, color));
        }
        change_spec(&mut self.app, edit);
        self.edits += 1;
        place.sandbox.edit(self.name, spec_of(&self.app, self.idle)).await
    }

    /// Sometimes the next edit comes at once, sometimes when everything is done.
    async fn think(&self, place: &mut Place, random: &mut Random) -> Result<()> {
        let name = self.name;
        match random.below(4) {
            0 => tokio::time::sleep(Duration::from_millis(random.below(60))).await,
            1 => {
                place.sandbox.reached(Duration::from_secs(4), |world| world.settled(name)).await?;
            }
            _ => tokio::time::sleep(Duration::from_millis(random.below(1_500))).await,
        }
        Ok(())
    }

    /// One of the model's own edits; `false` when there is no room for another.
    async fn edit(&mut self, place: &Place, random: &mut Random) -> Result<bool> {
        let all: Vec<Edit> =
            edits(&self.app, Scope::All).into_iter().filter(|edit| self.has_room(*edit)).collect();
        // A pause stops everything: it is taken back soon.
        let edit = if self.app.paused && random.below(2) == 0 {
            Edit::Pause
        } else {
            let index = usize::try_from(random.below(all.len() as u64))?;
            all[index]
        };
        self.send(place, edit).await?;
        Ok(self.renderings.iter().any(|n| *n < RENDERINGS))
    }

    fn has_room(&self, edit: Edit) -> bool {
        Color::ALL
            .into_iter()
            .all(|color| !renders(edit, &self.app, color) || self.renderings[color as usize] < RENDERINGS)
    }

    /// Now and then something goes wrong.
    async fn trouble(&mut self, place: &mut Place, random: &mut Random) -> Result<()> {
        match random.below(6) {
            0 | 1 => {
                let effect = match random.below(4) {
                    0 => Effect::LoseReply,
                    1 => Effect::Cut,
                    2 => Effect::AnswerAfter(Answer::code(504)),
                    _ => Effect::Delay(WRITE_TIMEOUT * 2..=WRITE_TIMEOUT * 2),
                };
                place.proxy.script().add(ProxyRule::new(is_known, effect).skip(random.below(4)).times(1));
                self.troubles += 1;
            }
            2 => {
                tokio::time::sleep(Duration::from_millis(random.below(400))).await;
                place.crash().await?;
                self.crashes += 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// Until all is done that was asked for.
    async fn end(&mut self, place: &mut Place) -> Result<()> {
        place.proxy.script().clear();
        if self.app.paused {
            self.send(place, Edit::Pause).await?;
        }
        let (name, app) = (self.name, self.app);
        let done = |world: &World| {
            let rests = Color::ALL.into_iter().all(|color| match world.size(name, color) {
                None => !app.present.get(color),
                Some(0) => world.pods(name, color).is_empty(),
                Some(_) => world.rolled_out(name, color),
            });
            world.serves(name, app.active) && rests
        };
        // Whether a held edit leaves it stalled is not asked here: its color serves.
        let held = |world: &World| {
            world.stalled(name, "LiveColorEditHeld") && world.selects(name) == app.active.as_str()
        };
        place.until(&format!("{name} is done"), |world| done(world) || held(world)).await?;
        // What is on its way arrives, and is recorded.
        let late = if self.troubles > 0 { WRITE_TIMEOUT * 2 } else { Duration::ZERO };
        tokio::time::sleep(late + Duration::from_millis(400)).await;
        place.until(&format!("{name} is done"), |world| done(world) || held(world)).await
    }
}

/// May this edit make the color be rendered anew?
fn renders(edit: Edit, app: &App, color: Color) -> bool {
    match edit {
        Edit::Tag(of, _) | Edit::Return(of, _) => of == color,
        Edit::Both(_) => color == app.active.other(),
        Edit::Shared => true,
        Edit::Active
        | Edit::Pause
        | Edit::Replicas(_)
        | Edit::Policy
        | Edit::Remove(_)
        | Edit::Leave
        | Edit::Enforce => false,
    }
}

/// One of the reads of a look.
fn is_read(request: &Request) -> bool {
    !request.is_write()
        && !request.is_watch()
        && !request.uri.contains("limit=")
        && request.resource != "leases"
}

/// A write that the model knows, too.
fn is_known(request: &Request) -> bool {
    let of_color = request.name.ends_with("-blue") || request.name.ends_with("-green");
    request.is_change()
        && !(request.resource == "services" && of_color)
        && !(request.resource == "controllerrevisions" && request.verb == Verb::Delete)
}
