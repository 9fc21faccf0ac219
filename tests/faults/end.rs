//! How a flow ended, and how often something was made on the way: all that must be the same whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use bluegreen_api::Color;
use serde_json::{Value, json};

use crate::e2e::harness::record::Event;
use crate::e2e::harness::{Kind, Sandbox, World};
use crate::flow::{APP, Flow};

/// Facts by name.
#[derive(Clone, Debug, PartialEq)]
pub struct End(BTreeMap<String, Value>);

impl End {
    pub fn of(sandbox: &Sandbox, flow: &Flow) -> Self {
        let mut facts = state(&sandbox.world());
        facts.extend(deeds(&sandbox.events()));
        facts.retain(|name, _| !flow.varies.contains(&name.as_str()));
        Self(facts)
    }

    /// What differs, in words.
    pub fn differences(&self, wanted: &Self) -> String {
        let differs = wanted.0.iter().filter(|(name, value)| self.0.get(*name) != Some(value));
        let words = differs.map(|(name, value)| {
            format!("{name} is {}, should be {value}", self.0.get(name).unwrap_or(&Value::Null))
        });
        words.collect::<Vec<_>>().join("\n")
    }
}

fn state(world: &World) -> BTreeMap<String, Value> {
    let status = world.status(APP).unwrap_or_default();
    let conditions = status.conditions.iter().map(|c| json!([c.type_, c.status, c.reason]));
    let history = status.history.iter().map(|entry| json!([entry.from, entry.to, entry.image, entry.cause]));
    let checks = status.checks.iter().map(|entry| json!([entry.name, entry.color, entry.result]));
    let rejected = status.rejected.as_ref().map(|it| json!([it.color, it.check, it.when, it.result]));
    let mut facts = BTreeMap::from([
        ("children".to_owned(), json!(world.children(APP))),
        ("selector".to_owned(), json!(world.selects(APP))),
        ("active".to_owned(), json!(status.active)),
        ("phase".to_owned(), json!(status.phase)),
        ("conditions".to_owned(), conditions.collect()),
        ("history".to_owned(), history.collect()),
        ("checks".to_owned(), checks.collect()),
        ("rejected".to_owned(), json!(rejected)),
        ("Jobs".to_owned(), json!(world.all(Kind::Job).count())),
    ]);
    let service = world.service(APP).and_then(|service| service.metadata.annotations).unwrap_or_default();
    for key in ["active", "served-blue", "served-green"] {
        facts.insert(format!("annotation {key}"), json!(service.get(&format!("bluegreen.dev/{key}"))));
    }
    for color in Color::ALL {
        facts.insert(format!("{color} image"), json!(world.image(APP, color)));
        facts.insert(format!("{color} replicas"), json!(world.size(APP, color)));
        facts.insert(format!("{color} pods"), json!(world.pods(APP, color).len()));
        let deployment = world.deployment(APP, color);
        let labels = deployment.and_then(|deployment| deployment.metadata.labels).unwrap_or_default();
        facts.insert(format!("{color} revision"), json!(labels.get("bluegreen.dev/revision")));
    }
    facts
}

/// What was made and taken away, and what the Service selected, one after the other.
fn deeds(events: &[Event]) -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    for kind in [Kind::Service, Kind::Deployment, Kind::Revision, Kind::Job] {
        let of_kind = || events.iter().filter(|event| event.kind == kind);
        facts.insert(format!("{kind:?}s made"), json!(uids(of_kind()).len()));
        facts.insert(format!("{kind:?}s deleted"), json!(uids(of_kind().filter(|e| e.deleted)).len()));
    }
    for color in Color::ALL {
        let pods = events.iter().filter(|event| {
            event.kind == Kind::Pod
                && event.object["metadata"]["labels"]["bluegreen.dev/color"] == json!(color)
        });
        facts.insert(format!("{color} pods made"), json!(uids(pods).len()));
    }
    let mut world = World::default();
    let mut selections: Vec<String> = Vec::new();
    for event in events.iter().filter(|event| event.kind == Kind::Service) {
        world.put(event.kind, &event.name, (!event.deleted).then(|| event.object.clone()));
        let now = world.selects(APP);
        if selections.last().map(String::as_str) != Some(now) {
            selections.push(now.to_owned());
        }
    }
    // Before there was a Service at all.
    selections.retain({
        let mut first = true;
        move |selection| !std::mem::take(&mut first) || selection != "missing"
    });
    facts.insert("selections".to_owned(), json!(selections));
    facts
}

fn uids<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeSet<&'a str> {
    events.filter_map(|event| event.object["metadata"]["uid"].as_str()).collect()
}
