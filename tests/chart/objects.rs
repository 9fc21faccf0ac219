//! Rendered objects, and questions about them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

/// The objects of a manifest.
#[derive(Debug)]
pub struct Objects(pub Vec<Value>);

impl Objects {
    pub fn parse(text: &str) -> Self {
        let documents = serde_yaml_ng::Deserializer::from_str(text);
        let objects = documents.map(|document| Value::deserialize(document).expect("YAML"));
        Self(objects.filter(|object| !object.is_null()).collect())
    }

    pub fn of<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = kind.to_owned();
        self.0.iter().filter(move |object| object["kind"] == kind.as_str())
    }

    /// The only object of a kind, or the one whose name ends like this.
    pub fn one(&self, kind: &str, suffix: &str) -> &Value {
        let ends =
            |object: &&Value| object["metadata"]["name"].as_str().is_some_and(|name| name.ends_with(suffix));
        let found: Vec<_> = self.of(kind).filter(ends).collect();
        assert!(found.len() == 1, "{} of {kind} …{suffix}", found.len());
        found[0]
    }

    pub fn kinds(&self) -> BTreeSet<&str> {
        self.0.iter().filter_map(|object| object["kind"].as_str()).collect()
    }

    /// What a JSON pointer finds in `KIND`, or in `KIND/NAME-SUFFIX`; null where there is no such object or field.
    pub fn at(&self, object: &str, pointer: &str) -> Value {
        let (kind, suffix) = object.split_once('/').unwrap_or((object, ""));
        if self.of(kind).next().is_none() {
            return Value::Null;
        }
        self.one(kind, suffix).pointer(pointer).cloned().unwrap_or_default()
    }
}
