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

/// Removes what is `null`: in a merge patch, that takes a field away.
fn prune(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
        fields.values_mut().for_each(prune);
    }
}

/// The difference of two specs, as a diff of the YAML of those fields that differ, each with the fields that it is in.
///
/// What is beside it stays out: the variables of a color, for example, have no place in the log of a pipeline that only sets
/// a tag.
#[must_use]
pub fn lines(before: &Value, after: &Value) -> Vec<Line> {
    let (before, after) = differing(before, after);
    let yaml = |spec: Value| {
        let spec = if spec.as_object().is_some_and(Map::is_empty) { Value::Null } else { spec };
        // Whatever goes into YAML came from JSON.
        serde_yaml_ng::to_string(&json!({ "spec": spec })).unwrap_or_default().replace("spec: null", "spec:")
    };
    let (before, after) = (yaml(before), yaml(after));
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

/// Both values without the fields in which they are equal. A list counts as one value.
fn differing(before: &Value, after: &Value) -> (Value, Value) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return (before.clone(), after.clone());
    };
    let (mut left, mut right) = (Map::new(), Map::new());
    for key in before.keys().chain(after.keys()) {
        match (before.get(key), after.get(key)) {
            (was, is) if was == is => {}
            (Some(was), Some(is)) => {
                let (was, is) = differing(was, is);
                left.insert(key.clone(), was);
                right.insert(key.clone(), is);
            }
            (was, is) => {
                left.extend(was.map(|was| (key.clone(), was.clone())));
                right.extend(is.map(|is| (key.clone(), is.clone())));
            }
        }
    }
    (left.into(), right.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn diff(before: &Value, patch: &Value) -> String {
        crate::line::render(&lines(before, &patched(before, patch)), 80, false)
    }

    #[test]
    fn an_edit_shows_what_it_changes_and_no_variable_beside_it() {
        let env = json!([{ "name": "PASSWORD", "value": "secret" }]);
        let spec = json!({ "active": "blue", "blue": { "tag": "v1" }, "green": { "env": env, "tag": "v1", "revision": "a" } });
        let told = diff(&spec, &json!({ "green": { "tag": "v2" } }));
        assert_eq!(told, "  spec:\n    green:\n-     tag: v1\n+     tag: v2\n");
        let told = diff(&spec, &json!({ "active": "green", "green": { "revision": null } }));
        assert_eq!(
            told,
            "  spec:\n-   active: blue\n-   green:\n-     revision: a\n+   active: green\n+   green: {}\n"
        );
        let told = diff(&json!({}), &json!({ "paused": true }));
        assert_eq!(told, "  spec:\n+   paused: true\n");
    }
}
