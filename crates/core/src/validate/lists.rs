//! Lists with more items than they may have, and items that a list has twice. The API server answers 500 to an apply of the
//! latter, wherever it merges the list by item.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Found;
use bluegreen_api::{KeyedList, most_items, rules};

/// Checks the lists in `value`, at any depth. `path` is where the value is in a PodSpec.
pub(super) fn check(found: &mut Found, at: &str, path: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                check(found, &format!("{at}.{key}"), &path, value);
            }
        }
        Value::Array(items) => {
            let name = path.rsplit('.').next().unwrap_or(path);
            found.longer_than_now(at, items.len(), most_items(name));
            if let Some(list) = KeyedList::in_pods(path) {
                let mut seen = BTreeSet::new();
                for id in items.iter().map(|item| list.identity(item)) {
                    let name = id.join("/");
                    if !seen.insert(id) {
                        found.add(at, format!("`{name}` {}", rules::DUPLICATE));
                    }
                }
            }
            for (index, item) in items.iter().enumerate() {
                check(found, &format!("{at}[{index}]"), path, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
