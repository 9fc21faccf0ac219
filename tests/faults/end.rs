//! How a switch ended: all that must be the same whatever happened on the way.

use std::collections::BTreeMap;

use bluegreen_operator::api::Color;
use serde_json::{Value, json};

use crate::e2e::harness::World;
use crate::stage::APP;

/// Facts by name.
#[derive(Clone, Debug, PartialEq)]
pub struct End(BTreeMap<String, Value>);

impl End {
    pub fn of(world: &World) -> Self {
        let status = world.status(APP).unwrap_or_default();
        let conditions = status.conditions.iter().map(|c| json!([c.type_, c.status, c.reason]));
        let history = status.history.iter().map(|entry| json!([entry.from, entry.to, entry.image]));
        let mut facts = BTreeMap::from([
            ("children".to_owned(), json!(world.children(APP))),
            ("selector".to_owned(), json!(world.selects(APP))),
            ("active".to_owned(), json!(status.active)),
            ("phase".to_owned(), json!(status.phase)),
            ("conditions".to_owned(), conditions.collect()),
            ("history".to_owned(), history.collect()),
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
