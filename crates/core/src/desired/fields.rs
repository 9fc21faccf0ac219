//! Field sets: how `metadata.managedFields` names fields, and how they are found in an object.
//!
//! Field sets are written as the Kubernetes API does: `f:NAME` is a field, `k:{…}` the item of a list with these keys,
//! `v:…` the item of a set, and `.` the map or item itself. Anybody may write them, so nothing here relies on their shape.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

/// Deeper field sets are not looked into. The API has no object that nests so deep.
pub(super) const DEPTH: usize = 40;

/// The path of a step, as [`covers`](super::covers()) spells it.
pub(super) fn below(path: &str, step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) if path.is_empty() => name.to_owned(),
        Some(("f", name)) => format!("{path}.{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let values: Vec<String> = keys.values().map(text).collect();
            format!("{path}[{}]", values.join("/"))
        }
        Some(("v", value)) => format!("{path}[{value}]"),
        Some(_) | None => path.to_owned(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The lists that the walk came through, each with its items by what tells them apart.
///
/// A field set names as many items as its list has, and there may be many field sets. To search the list for each would take
/// hours for the longest that an object can hold.
#[derive(Default)]
pub(super) struct Lists<'a>(HashMap<*const Value, BTreeMap<Vec<String>, Items<'a>>>);

/// The items of one list, by the values of some keys.
type Items<'a> = HashMap<String, &'a Value>;

/// Kubernetes names the items of a list by the same keys always. With other keys, at most so many sets are looked up.
const KEY_SETS: usize = 4;

impl<'a> Lists<'a> {
    /// Returns what a step leads to.
    pub(super) fn find(&mut self, step: &str, value: &'a Value) -> Option<&'a Value> {
        let found = match step.split_once(':')? {
            ("f", name) => value.get(name)?,
            ("k", keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
                let (keys, values): (Vec<String>, Vec<Value>) = keys.into_iter().unzip();
                self.item(value, keys, &values)?
            }
            ("v", json) => self.item(value, Vec::new(), &[serde_json::from_str(json).ok()?])?,
            _ => return None,
        };
        (!found.is_null()).then_some(found)
    }

    /// Returns the first item with these values; without keys, the item that is this value.
    fn item(&mut self, list: &'a Value, keys: Vec<String>, values: &[Value]) -> Option<&'a Value> {
        let items = list.as_array()?;
        let sets = self.0.entry(std::ptr::from_ref(list)).or_default();
        if sets.len() >= KEY_SETS && !sets.contains_key(&keys) {
            return None;
        }
        let by_values = |keys: &[String]| {
            items.iter().rev().filter_map(|item| Some((identity(item, keys)?, item))).collect()
        };
        let found = sets.entry(keys).or_insert_with_key(|keys| by_values(keys));
        found.get(&Value::from(values).to_string()).copied()
    }
}

/// The values of an item's keys as one text; `None` if it lacks one.
fn identity(item: &Value, keys: &[String]) -> Option<String> {
    if keys.is_empty() {
        return Some(Value::from([item.clone()].as_slice()).to_string());
    }
    let value = |key: &String| match item.get(key) {
        // The schema's default.
        None | Some(Value::Null) => (key == "protocol").then(|| Value::from("TCP")),
        Some(found) => Some(found.clone()),
    };
    let values: Option<Vec<Value>> = keys.iter().map(value).collect();
    Some(Value::from(values?).to_string())
}
