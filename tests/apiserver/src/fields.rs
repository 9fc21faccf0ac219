//! Who owns which field: the part of server-side apply that the operator depends on.
//!
//! A field set holds the paths of leaves, and of the items of lists that are merged by key. A manager that applies owns
//! what it declares; what it declared before and no longer declares is removed, unless another manager owns it too.

mod path;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use bluegreen_api::KeyedList;
use serde_json::{Map, Value, json};

pub(crate) use path::Path;
use path::{Step, paths};
use schema::Shape;

use crate::kind::Kind;

/// Who owns fields: a manager, by what it declares or by what it edits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    manager: String,
    applies: bool,
}

/// The fields of each manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owners(BTreeMap<Owner, BTreeSet<Path>>);

/// Fields that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflicts(pub Vec<String>);

impl Owners {
    /// The object after a server-side apply of `declared`; the owners follow.
    pub fn apply(
        &mut self,
        kind: Kind,
        object: &Value,
        manager: &str,
        declared: &Value,
        force: bool,
    ) -> Result<Value, Conflicts> {
        let (fields, me) = (paths(kind, declared), Owner { manager: manager.to_owned(), applies: true });
        let differs = |path: &Path| path.get(object) != path.get(declared);
        let foreign: Vec<String> = self
            .0
            .iter()
            .filter(|(other, _)| other.manager != manager)
            .flat_map(|(other, owned)| {
                owned
                    .intersection(&fields)
                    .filter(|path| differs(path))
                    .map(move |path| format!("{}: {path}", other.manager))
            })
            .collect();
        if !foreign.is_empty() && !force {
            return Err(Conflicts(foreign));
        }
        for (_, owned) in self.0.iter_mut().filter(|(other, _)| **other != me) {
            owned.retain(|path| !(fields.contains(path) && differs(path)));
        }
        let before = self.0.insert(me, fields.clone()).unwrap_or_default();
        let mut merged = object.clone();
        merge(kind, &mut Vec::new(), &mut merged, declared);
        // Items before what they hold: most of it goes with them.
        for path in before.difference(&fields).filter(|path| !self.owned(path)) {
            path.remove(&mut merged);
        }
        Ok(merged)
    }

    /// Takes note of an edit that was no server-side apply: who changes a field owns it from then on, alone.
    pub fn update(&mut self, kind: Kind, manager: &str, before: &Value, after: &Value) {
        let fields = paths(kind, after);
        let changed: BTreeSet<Path> =
            fields.iter().filter(|path| path.get(before) != path.get(after)).cloned().collect();
        for owned in self.0.values_mut() {
            // Also one that is owned as a whole, with what is in it.
            let is_there =
                |path: &Path| fields.contains(path) || fields.iter().any(|field| field.is_in(path));
            owned.retain(|path| is_there(path) && !changed.contains(path));
        }
        let me = Owner { manager: manager.to_owned(), applies: false };
        self.0.entry(me).or_default().extend(changed);
    }

    /// As `metadata.managedFields`; those without fields are left out.
    pub fn managed_fields(&self, kind: Kind) -> Value {
        let entry = |(owner, owned): (&Owner, &BTreeSet<Path>)| {
            json!({
                "manager": owner.manager, "operation": if owner.applies { "Apply" } else { "Update" },
                "apiVersion": kind.api_version(), "fieldsType": "FieldsV1", "fieldsV1": path::field_set(owned),
            })
        };
        self.0.iter().filter(|(_, owned)| !owned.is_empty()).map(entry).collect()
    }

    /// The owners that somebody wrote into `metadata.managedFields`.
    pub fn from_managed_fields(kind: Kind, entries: &Value) -> Self {
        let owner = |entry: &Value| {
            let manager = entry["manager"].as_str().unwrap_or_default().to_owned();
            let owner = Owner { manager, applies: entry["operation"] == "Apply" };
            (owner, path::of_field_set(kind, &entry["fieldsV1"]))
        };
        Self(entries.as_array().into_iter().flatten().map(owner).collect())
    }

    /// Whether somebody owns the field, or something in it.
    fn owned(&self, path: &Path) -> bool {
        self.0.values().flatten().any(|owned| owned.is_in(path))
    }
}

/// Puts what is declared into the object.
fn merge(kind: Kind, at: &mut Vec<String>, object: &mut Value, declared: &Value) {
    match (schema::shape(kind, at), declared) {
        (Shape::Granular, Value::Object(fields)) if !fields.is_empty() => merge_map(kind, at, object, fields),
        (Shape::Granular, Value::Object(_)) if object.is_object() => {}
        (Shape::Keyed(list), Value::Array(items)) => merge_list(kind, at, object, list, items),
        _ => *object = declared.clone(),
    }
}

fn merge_map(kind: Kind, at: &mut Vec<String>, object: &mut Value, declared: &Map<String, Value>) {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    for (key, value) in declared {
        at.push(key.clone());
        merge(kind, at, &mut object[key.as_str()], value);
        at.pop();
    }
}

fn merge_list(
    kind: Kind,
    at: &mut Vec<String>,
    object: &mut Value,
    keyed: &'static KeyedList,
    declared: &[Value],
) {
    if !object.is_array() {
        *object = Value::Array(Vec::new());
    }
    let list = object.as_array_mut().expect("an array");
    for item in declared {
        let step = Step::item(keyed, item);
        let index = list.iter().position(|other| step.is(other)).unwrap_or_else(|| {
            list.push(Value::Null);
            list.len() - 1
        });
        match item {
            Value::Object(fields) => merge_map(kind, at, &mut list[index], fields),
            _ => list[index] = item.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
