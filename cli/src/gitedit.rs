//! PURE: an edit of the spec as a diff of the manifest.

use k8s_openapi::DeepMerge;
use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};

use crate::line::{Line, Tone};

/// `spec` after a JSON merge patch.
#[must_use]
pub fn patched(spec: &Value, patch: &Value) -> Value {
    let mut after = spec.clone();
    after.merge_from(patch.clone());
    prune(&mut after);
    after
}

/// In a merge patch, `null` takes a field away.
fn prune(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
        fields.values_mut().for_each(prune);
    }
}

/// The difference of two specs, as a diff of the YAML of those fields that differ.
#[must_use]
pub fn lines(before: &Value, after: &Value) -> Vec<Line> {
    let empty = Map::new();
    let fields = |value: &Value| value.as_object().unwrap_or(&empty).clone();
    let (before, after) = (fields(before), fields(after));
    let differs = |key: &&String| before.get(*key) != after.get(*key);
    let keys: Vec<String> = before.keys().chain(after.keys()).filter(differs).cloned().collect();
    let only = |fields: &Map<String, Value>| {
        let touched: Map<String, Value> = fields
            .iter()
            .filter(|(key, _)| keys.contains(key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        // Whatever goes into YAML came from JSON.
        let spec = if touched.is_empty() { Value::Null } else { Value::Object(touched) };
        serde_yaml_ng::to_string(&json!({ "spec": spec })).unwrap_or_default().replace("spec: null", "spec:")
    };
    let (before, after) = (only(&before), only(&after));
    let diff = TextDiff::from_lines(&before, &after);
    let line = |change: similar::Change<&str>| {
        let text = change.value().trim_end_matches('\n');
        match change.tag() {
            ChangeTag::Equal => Line::plain(format!("  {text}")),
            ChangeTag::Delete => Line::new().add(format!("- {text}"), Tone::Bad),
            ChangeTag::Insert => Line::new().add(format!("+ {text}"), Tone::Good),
        }
    };
    diff.iter_all_changes().map(line).collect()
}
