//! Paths of fields.

use std::collections::BTreeSet;
use std::fmt;

use bluegreen_api::KeyedList;
use serde_json::{Map, Value, json};

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

/// A set of paths as `fieldsV1` has it.
pub(super) fn field_set(paths: &BTreeSet<Path>) -> Value {
    let mut root = json!({});
    for path in paths {
        let place = path.0.iter().fold(&mut root, |at, step| {
            let at = &mut at[step.to_string()];
            if at.is_null() {
                *at = json!({});
            }
            at
        });
        place["."] = json!({});
    }
    without_lone_dots(&mut root);
    root
}

/// `{".": {}}` is written as `{}`.
fn without_lone_dots(value: &mut Value) {
    let fields = value.as_object_mut().expect("a map");
    if fields.len() == 1 {
        fields.remove(".");
    }
    fields.values_mut().for_each(without_lone_dots);
}

/// The paths of a `fieldsV1`.
pub(super) fn of_field_set(kind: Kind, set: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    read(kind, set, &mut Vec::new(), &mut Vec::new(), &mut found);
    found
}

fn read(kind: Kind, set: &Value, names: &mut Vec<String>, steps: &mut Vec<Step>, found: &mut BTreeSet<Path>) {
    let fields = set.as_object().expect("a map");
    if fields.is_empty() || fields.contains_key(".") {
        found.insert(Path(steps.clone()));
    }
    for (step, set) in fields.iter().filter(|(step, _)| *step != ".") {
        let (sort, rest) = step.split_at(2);
        if sort == "f:" {
            names.push(rest.to_owned());
            steps.push(Step::Field(rest.to_owned()));
            read(kind, set, names, steps, found);
            names.pop();
        } else {
            let Shape::Keyed(list) = schema::shape(kind, names) else {
                panic!("{step} is no item of a list")
            };
            let item: Value = serde_json::from_str(rest).expect("keys or a value");
            steps.push(Step::item(list, &item));
            read(kind, set, names, steps, found);
        }
        steps.pop();
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(key) => write!(f, "f:{key}"),
            Self::Item(list, id) if list.keys.is_empty() => write!(f, "v:{}", json!(id.first())),
            Self::Item(list, id) => {
                let value = |key: &str, value: &str| match value.parse::<i64>() {
                    Ok(number) if key.to_lowercase().ends_with("port") => json!(number),
                    _ => json!(value),
                };
                let keys = list.keys.iter().zip(id);
                let keys: Map<String, Value> =
                    keys.map(|((key, _), id)| ((*key).to_owned(), value(key, id))).collect();
                write!(f, "k:{}", json!(keys))
            }
        }
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
