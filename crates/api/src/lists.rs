//! The lists that server-side apply merges item by item, of the kinds that the operator writes.
//!
//! The API server answers 500 to an apply in which such a list has an item twice, so admission refuses one. And the
//! live list may have items that are somebody else's. Which lists these are is Kubernetes' to say: the table is
//! generated from `x-kubernetes-list-type` and `x-kubernetes-list-map-keys` of its OpenAPI document. A test compares
//! the two (`tests/e2e/lists.rs`).

mod table;

use serde_json::Value;

/// A list that server-side apply merges item by item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyedList {
    /// The kind of the object.
    pub kind: &'static str,
    /// The path of the list in the object, such as `spec.template.spec.containers.env`. What is in the items of a list
    /// has the path of that list.
    pub path: &'static str,
    /// The fields that tell the items apart, each with its default. Without any, the items are values, and are told
    /// apart by themselves.
    pub keys: &'static [(&'static str, &'static str)],
}

/// Where the pod template's PodSpec is in a Deployment.
const PODS: &str = "spec.template.spec.";

impl KeyedList {
    /// All of them.
    pub const ALL: &'static [Self] = table::ALL;

    /// Returns the list at this path of an object, or `None` if the value there is not such a list.
    #[must_use]
    pub fn at(kind: &str, path: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|list| list.kind == kind && list.path == path)
    }

    /// Returns the list at this path of a PodSpec, such as `containers.ports`.
    #[must_use]
    pub fn in_pods(path: &str) -> Option<&'static Self> {
        let within = |list: &&Self| list.path.strip_prefix(PODS) == Some(path);
        Self::ALL.iter().filter(|list| list.kind == "Deployment").find(within)
    }

    /// Returns the list with keys that has this name and could have these items.
    ///
    /// Only the ports of a container and those of a Service have the same name and different keys.
    #[must_use]
    pub fn named(name: &str, items: &[Value]) -> Option<&'static Self> {
        let has_key = |list: &&Self| {
            let first = list.keys.first().map_or("", |(key, _)| *key);
            items.iter().any(|item| item.get(first).is_some())
        };
        let lists = || Self::ALL.iter().filter(|list| !list.keys.is_empty() && list.name() == name);
        lists().find(has_key).or_else(|| lists().next())
    }

    /// Returns the name of the field that holds the list.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// Returns what tells this item from the others: the values of its keys, or else the value itself.
    #[must_use]
    pub fn identity(&self, item: &Value) -> Vec<String> {
        if self.keys.is_empty() {
            return vec![text(item)];
        }
        let value = |key| item.get(key).map(text).filter(|value: &String| !value.is_empty());
        self.keys.iter().map(|(key, default)| value(key).unwrap_or_else(|| (*default).to_owned())).collect()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
