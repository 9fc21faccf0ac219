//! An independent look at what the operator did: it replays the namespace's history write by write and checks
//! at every instant what the product promises. It shares no code with the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bluegreen_api::{ActiveUpdatePolicy, BlueGreenAppSpec, Color};
use serde::Deserialize;
use serde_json::Value;

use crate::checks::Fault;
use crate::enough::{Carried, enough};
use crate::record::{Event, Kind};
use crate::track::{Asked, Draining, Shape, Track, difference, ready_pods, revision, served};
use crate::world::{World, selection};

/// What is promised at every instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A color is selected only when it has no pod of another revision at its current generation, and as many ready pods
    /// as the color before (but not more than `spec.replicas`), which its own Service lists.
    ReadyBeforeSelected,
    /// A selected color is never made smaller than `spec.replicas`.
    LiveKeepsItsSize,
    /// A selected color's pod template changes only to the revision that the live Service records as the one that
    /// serves, and that record moves only while `activeUpdatePolicy` is `RollingUpdate`.
    LiveKeepsItsTemplate,
    /// The color that served before is not touched before its last endpoint has been gone for `drainSeconds`.
    OldIsDrained,
    /// Once an app serves, its Service always has a ready endpoint, as long as nobody breaks anything.
    NeverEmpty,
    /// A color is selected only when `spec.active` names it, or when a check that failed after the switch takes it back.
    SelectedAsAsked,
    /// A revision that has never served is selected only when the status records that each enforced check before the switch
    /// has passed for it.
    CheckedBeforeSelected,
    /// As long as an enforced check after the switch has no verdict, the color before is kept as it is.
    KeptForASwitchBack,
}

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which one.
    pub rule: Rule,
    /// What was seen instead.
    pub words: String,
}

/// A color that began to serve.
#[derive(Clone, Debug)]
pub struct Switch {
    /// The color.
    pub to: Color,
    /// The image of the Deployment at that moment.
    pub image: String,
}

/// What a replay found.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// In the order of time.
    pub broken: Vec<Broken>,
    /// In the order of time.
    pub switches: Vec<Switch>,
    /// For people.
    pub timeline: Vec<String>,
}

/// Watches are told of a write a moment after it, each at its own pace.
const SLACK: Duration = Duration::from_millis(300);

struct Replay<'a> {
    world: World,
    tracks: BTreeMap<String, Track>,
    foreign: &'a BTreeSet<u64>,
    grace: Duration,
    start: Option<Instant>,
    found: Guard,
}

/// Replays events that are in their true order.
pub fn replay(events: &[Event], foreign: &BTreeSet<u64>) -> Guard {
    replay_with_grace(events, foreign, Duration::ZERO)
}

/// As [`replay`], for apps that are edited all the time: what the operator does is judged by what was asked for at any
/// moment of this long before, since a write that was decided on cannot know of an edit that comes while it is on its
/// way.
pub fn replay_with_grace(events: &[Event], foreign: &BTreeSet<u64>, grace: Duration) -> Guard {
    let start = events.first().map(|event| event.at);
    let found = Guard::default();
    let mut replay =
        Replay { world: World::default(), tracks: BTreeMap::new(), foreign, grace, start, found };
    for event in events {
        let before = replay.world.raw(event.kind, &event.name).cloned();
        replay.world.put(event.kind, &event.name, (!event.deleted).then(|| event.object.clone()));
        replay.step(event, before.as_ref());
    }
    replay.found
}

impl Replay<'_> {
    fn step(&mut self, event: &Event, before: Option<&Value>) {
        let foreign = self.foreign.contains(&event.version);
        match event.kind {
            Kind::App if event.deleted => {
                self.tracks.remove(&event.name);
            }
            Kind::App => self.app(event),
            Kind::Service => self.service(event, before, foreign),
            Kind::Deployment => self.deployment(event, before, foreign),
            Kind::Slice => self.slices(event),
            Kind::Pod | Kind::Revision | Kind::Job => {}
        }
        if foreign && event.kind != Kind::App {
            self.note(event, format!("the test edits {:?} {}", event.kind, event.name));
            for (name, track) in &mut self.tracks {
                track.disturbed |= event.name.starts_with(name.as_str());
            }
        }
    }

    fn app(&mut self, event: &Event) {
        let track = self.tracks.entry(event.name.clone()).or_default();
        // A spec that can't be read asks for nothing: the last one stands. What else is in the object does not matter.
        let Ok(spec) = BlueGreenAppSpec::deserialize(&event.object["spec"]) else { return };
        let asked = Asked {
            replicas: spec.replicas,
            drain: Duration::from_secs(u64::try_from(spec.drain_seconds).unwrap_or(0)),
            rolls: spec.active_update_policy == ActiveUpdatePolicy::RollingUpdate,
        };
        track.specs.note(event.at, asked);
        track.wishes.note(event.at, &spec);
        track.wishes.hear(&event.object["status"]);
    }

    /// What was asked for at this moment and in the grace before it.
    fn asked(&self, event: &Event, app: &str) -> Vec<Asked> {
        let specs = self.tracks.get(app).map(|track| track.specs.within(event.at, self.grace));
        specs.into_iter().flatten().copied().collect()
    }

    fn service(&mut self, event: &Event, before: Option<&Value>, foreign: bool) {
        let name = event.name.clone();
        if !self.tracks.contains_key(&name) {
            return;
        }
        if !foreign && !event.deleted {
            self.promotion(event, before);
        }
        let now = if event.deleted { "missing" } else { selection(&event.object, &name) };
        if now == before.map_or("missing", |service| selection(service, &name)) {
            return;
        }
        self.note(
            event,
            format!("Service {name} selects {now}{}", if foreign { " (by the test)" } else { "" }),
        );
        let Some(color) = Color::parse(now) else { return };
        let from = self.tracks.get(&name).and_then(|track| track.committed);
        // Restoring the committed color needs no gate: a gate there would turn a scratch into a blackout.
        if foreign || from == Some(color) {
            return;
        }
        if let Err(why) = self.ready(event, &name, color) {
            self.breaks(event, Rule::ReadyBeforeSelected, format!("{name}: {color} was selected, but {why}"));
        }
        let deployment = self.world.raw(Kind::Deployment, &format!("{name}-{color}"));
        let template = deployment.map(|d| d["spec"]["template"].clone()).unwrap_or_default();
        let ready = ready_pods(deployment);
        // A Service that is there from the beginning is what an earlier operator left: who asked for it was not seen.
        if from.is_some() || before.is_some() {
            self.wished(event, from, color, revision(&template));
        }
        let image = self.world.image(&name, color).unwrap_or_default();
        self.found.switches.push(Switch { to: color, image });
        if let Some(track) = self.tracks.get_mut(&name) {
            track.committed = Some(color);
            track.carried = Carried::default();
            track.carried.note(event.at, ready);
            track.wishes.serves(color, revision(&template));
            // Not what the Service says of it: only what was ready has passed.
            track.named = revision(&template).map(str::to_owned);
            track.template = template;
            track.draining = from.map(|color| Draining { color, left: None });
        }
    }

    /// Did somebody, or a check, want the Service to select that?
    fn wished(&mut self, event: &Event, from: Option<Color>, to: Color, revision: Option<&str>) {
        let Some(track) = self.tracks.get(&event.name) else { return };
        let status = self.status(&event.name);
        let broken = match track.wishes.may_select(event.at, from, (to, revision), &status) {
            Ok(()) => return,
            Err(Fault::Unasked) => (Rule::SelectedAsAsked, "nobody asked for it"),
            Err(Fault::Suspect) => {
                (Rule::SelectedAsAsked, "its own check after its last switch had failed, or was not over")
            }
            Err(Fault::Unchecked) => (Rule::CheckedBeforeSelected, "its checks have not passed"),
        };
        let words = format!("{}: {to} was selected, but {}: {}", event.name, broken.1, status["checks"]);
        self.breaks(event, broken.0, words);
    }

    /// What the app's status says at this moment.
    fn status(&self, app: &str) -> Value {
        self.world.raw(Kind::App, app).map(|app| app["status"].clone()).unwrap_or_default()
    }

    /// The record of the revision that serves moves, which begins an update in place: the Deployment follows when it
    /// can, perhaps long after the policy has changed again.
    fn promotion(&mut self, event: &Event, before: Option<&Value>) {
        let Some((track, color)) = self.tracks.get(&event.name).and_then(|t| Some((t, t.committed?))) else {
            return;
        };
        // A record that is lost names nothing: the one before stands.
        let Some(number) = served(&event.object, color) else { return };
        let was = before.and_then(|service| served(service, color));
        if [was, track.named.as_deref()].contains(&Some(number)) {
            return;
        }
        // A record that goes back to what the pods are allows no change of them.
        let harmless = revision(&track.template) == Some(number);
        let rolls = self.asked(event, &event.name).iter().any(|asked| asked.rolls);
        if !harmless && !rolls {
            let words = format!("{}: {color} is live and was promoted to {number} under Freeze", event.name);
            self.breaks(event, Rule::LiveKeepsItsTemplate, words);
        }
        if let Some(track) = self.tracks.get_mut(&event.name) {
            track.named = Some(number.to_owned());
        }
    }

    /// Is the color fully ready at this very instant?
    fn ready(&self, event: &Event, app: &str, color: Color) -> Result<(), String> {
        let deployment = self.world.deployment(app, color).ok_or("it has no Deployment")?;
        let asked = self.asked(event, app).iter().map(|asked| asked.replicas).min().unwrap_or(1);
        let track = self.tracks.get(app).filter(|track| track.committed.is_some());
        // Where nothing served before, all that is asked for.
        let wanted = track.map_or(asked, |track| track.carried.least(event.at).min(asked)).max(1);
        enough(&deployment, wanted)?;
        let prefix = format!("{app}-{color}-");
        let endpoints = self.world.endpoints(&format!("{app}-{color}"));
        let ready = endpoints.iter().filter(|e| e.ready && e.pod.starts_with(&prefix)).count();
        let wanted = usize::try_from(wanted).unwrap_or(0);
        if ready < wanted { Err(format!("its Service has {ready} of {wanted} endpoints")) } else { Ok(()) }
    }

    fn deployment(&mut self, event: &Event, before: Option<&Value>, foreign: bool) {
        let Some((app, color)) = self.owner(&event.name) else { return };
        let (was, is) = (before.map(Shape::of), Shape::of(&event.object));
        let who = if foreign { " (by the test)" } else { "" };
        if event.deleted {
            self.note(event, format!("Deployment {} is deleted{who}", event.name));
        } else if was != Some(is) {
            let image = self.world.image(&app, color).unwrap_or_default();
            self.note(event, format!("Deployment {} has {} × {image}{who}", event.name, is.replicas));
        }
        let ready = ready_pods((!event.deleted).then_some(&event.object));
        if let Some(track) = self.tracks.get_mut(&app)
            && track.committed == Some(color)
        {
            track.carried.note(event.at, ready);
        }
        if foreign {
            return;
        }
        if let Some((rule, words)) = self.rule_for(event, &app, color, was, is) {
            self.breaks(event, rule, format!("{} {words}", event.name));
        }
        // A write that leaves the template alone, such as a status, tells nothing about what it should be.
        if let Some(track) = self.tracks.get_mut(&app)
            && track.committed == Some(color)
            && was.map(|was| was.template) != Some(is.template)
            && !event.deleted
        {
            track.template = is.template.clone();
        }
    }

    /// The promise that this change of a Deployment breaks.
    fn rule_for(
        &self,
        event: &Event,
        app: &str,
        color: Color,
        was: Option<Shape>,
        is: Shape,
    ) -> Option<(Rule, String)> {
        // Without the app, its children are collected.
        let (track, asked) = (self.tracks.get(app)?, self.asked(event, app));
        let smallest = asked.iter().map(|asked| asked.replicas).min()?;
        let drain = asked.iter().map(|asked| asked.drain).min()?;
        let lowered = was.is_some_and(|was| is.replicas < was.replicas);
        let changed = was.map(|was| was.template) != Some(is.template);
        if track.committed == Some(color) {
            if event.deleted || (lowered && is.replicas < i64::from(smallest)) {
                return Some((Rule::LiveKeepsItsSize, "is live and was made smaller".to_owned()));
            }
            return (changed && !track.allows(is.template)).then(|| {
                let difference = difference(&track.template, is.template);
                (Rule::LiveKeepsItsTemplate, format!("is live and its template changed:\n{difference}"))
            });
        }
        let touched = event.deleted || lowered || (was.is_some() && changed);
        let live = track.committed.filter(|_| touched);
        if live.is_some_and(|live| track.wishes.is_watched(event.at, live, &self.status(app))) {
            return Some((
                Rule::KeptForASwitchBack,
                "was touched while the live color is being watched".to_owned(),
            ));
        }
        let draining = track.draining.as_ref().filter(|draining| draining.color == color)?;
        let rest = draining.left.map_or(Duration::ZERO, |left| event.at.saturating_duration_since(left));
        (touched && rest + SLACK < drain)
            .then(|| (Rule::OldIsDrained, format!("was touched after {rest:?} of {drain:?} of its drain")))
    }

    fn slices(&mut self, event: &Event) {
        let service = event.object["metadata"]["labels"]["kubernetes.io/service-name"].as_str();
        let Some(name) = service.map(str::to_owned) else { return };
        let Some(track) = self.tracks.get_mut(&name) else { return };
        let endpoints = self.world.endpoints(&name);
        if let Some(draining) = &mut track.draining {
            let prefix = format!("{name}-{}-", draining.color);
            let live = endpoints.iter().any(|endpoint| endpoint.pod.starts_with(&prefix));
            draining.left = if live { None } else { draining.left.or(Some(event.at)) };
        }
        // Until this app has committed a color, what is there was left by one of the same name, and goes.
        let filled = track.committed.is_some() && endpoints.iter().any(|endpoint| endpoint.ready);
        let emptied = track.filled && !filled && !track.disturbed;
        track.filled = filled;
        if emptied {
            self.breaks(event, Rule::NeverEmpty, format!("Service {name} has no ready endpoint any more"));
        }
    }

    /// The app and color of a Deployment that an app owns.
    fn owner(&self, deployment: &str) -> Option<(String, Color)> {
        Color::ALL.into_iter().find_map(|color| {
            let app = deployment.strip_suffix(&format!("-{color}"))?;
            self.tracks.contains_key(app).then(|| (app.to_owned(), color))
        })
    }

    fn breaks(&mut self, event: &Event, rule: Rule, words: String) {
        self.note(event, format!("!!! {rule:?}: {words}"));
        self.found.broken.push(Broken { rule, words });
    }

    fn note(&mut self, event: &Event, words: String) {
        let at = self.start.map_or(Duration::ZERO, |start| event.at.saturating_duration_since(start));
        self.found.timeline.push(format!("{:8.3} s  {}  {words}", at.as_secs_f64(), event.version));
    }
}
