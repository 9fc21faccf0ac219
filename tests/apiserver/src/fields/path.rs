//! Paths of fields.

use std::collections::BTreeSet;
use std::fmt;

use bluegreen_api::KeyedList;
use serde_json::{Map, Value};

use super::schema::{self, Shape};
use crate::kind::Kind;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A field of a map.
    Field(String),
    /// The item of a list with this identity.
    Item(&'static KeyedList, Vec<String>),
}

impl Step {
    /// The step to this item of a list.
    pub fn item(list: &'static KeyedList, item: &Value) -> Self {
        Self::Item(list, list.identity(item))
    }

    /// Whether it leads to this item.
    pub fn is(&self, item: &Value) -> bool {
        match self {
            Self::Item(list, id) => list.identity(item) == *id,
            Self::Field(_) => false,
        }
    }
}

/// The way to a field, or to an item of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// What is there; for the item of a list, only that it is there.
    pub fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let found = self.0.iter().try_fold(value, |value, step| match step {
            Step::Field(key) => value.get(key),
            Step::Item(..) => value.as_array()?.iter().find(|item| step.is(item)),
        })?;
        match self.0.last() {
            Some(Step::Item(..)) => Some(&Value::Null),
            Some(Step::Field(_)) | None => Some(found),
        }
    }

    /// Whether it leads to that field, or into it.
    pub fn is_in(&self, field: &Self) -> bool {
        self.0.starts_with(&field.0)
    }

    /// Takes the field away, and what is empty without it.
    pub fn remove(&self, value: &mut Value) {
        remove(&self.0, value);
    }
}

fn remove(steps: &[Step], value: &mut Value) {
    let Some((step, rest)) = steps.split_first() else { return };
    match (step, value) {
        (Step::Field(key), Value::Object(fields)) => {
            if let Some(inner) = fields.get_mut(key) {
                remove(rest, inner);
                let is_empty = match &*inner {
                    Value::Object(fields) => fields.is_empty(),
                    Value::Array(items) => items.is_empty(),
                    _ => false,
                };
                if rest.is_empty() || is_empty {
                    fields.remove(key);
                }
            }
        }
        (Step::Item(..), Value::Array(items)) => {
            if rest.is_empty() {
                items.retain(|item| !step.is(item));
            } else if let Some(inner) = items.iter_mut().find(|item| step.is(item)) {
                remove(rest, inner);
            }
        }
        _ => {}
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Field(key) => write!(f, ".{key}"),
            Step::Item(_, id) => write!(f, "{id:?}"),
        })
    }
}

/// Identity and system fields, which no manager owns.
const UNOWNED: [&[&str]; 10] = [
    &["apiVersion"],
    &["kind"],
    &["status"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "generation"],
    &["metadata", "creationTimestamp"],
    &["metadata", "managedFields"],
];

/// Every leaf of a value, and every item of its lists that are merged by key.
pub(super) fn paths(kind: Kind, value: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    collect(kind, &mut Vec::new(), &mut Vec::new(), value, &mut found);
    found
}

fn collect(
    kind: Kind,
    names: &mut Vec<String>,
    steps: &mut Vec<Step>,
    value: &Value,
    found: &mut BTreeSet<Path>,
) {
    if UNOWNED.iter().any(|path| path.iter().eq(names.iter())) {
        return;
    }
    match (schema::shape(kind, names), value) {
        (Shape::Granular, Value::Object(fields)) if !fields.is_empty() => {
            collect_fields(kind, names, steps, fields, found);
        }
        (Shape::Keyed(list), Value::Array(items)) => {
            for item in items {
                steps.push(Step::item(list, item));
                found.insert(Path(steps.clone()));
                // An item merges like a map, whatever the list is.
                if let Value::Object(fields) = item {
                    collect_fields(kind, names, steps, fields, found);
                }
                steps.pop();
            }
        }
        _ => {
            found.insert(Path(steps.clone()));
        }
    }
}

fn collect_fields(
    kind: Kind,
    names: &mut Vec<String>,
    steps: &mut Vec<Step>,
    fields: &Map<String, Value>,
    found: &mut BTreeSet<Path>,
) {
    for (key, value) in fields {
        names.push(key.clone());
        steps.push(Step::Field(key.clone()));
        collect(kind, names, steps, value, found);
        steps.pop();
        names.pop();
    }
}
