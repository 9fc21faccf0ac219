//! PURE: proof that the new text means what the old one meant, with exactly the patch that was decided.
//!
//! The texts are read by another parser than the one that gave the places. So neither a mistake here nor one of theirs gets into
//! a file: what can't be proved is not written.

use serde_json::{Map, Value};

use super::find::Found;
use crate::edit::Refusal;
use crate::manifest;

/// Returns if the objects of both texts are equal, except that the one that was found has the patch.
///
/// # Errors
/// When they are not.
pub fn only(before: &str, after: &str, found: &Found, patch: &Map<String, Value>) -> Result<(), Refusal> {
    let read = |text: &str| manifest::documents(text).map_err(|error| format!("{error:#}"));
    let failed = |why: &str| {
        Refusal(format!(
            "the file can't be edited without a change of something else ({why}): make the edit by hand, and write these \
             fields as plain `key: value` lines for the next time"
        ))
    };
    let (mut expected, found_after) = match (read(before), read(after)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(why), _) | (_, Err(why)) => return Err(failed(&why)),
    };
    let target = expected.get_mut(found.index).ok_or_else(|| failed("the app is not found again"))?;
    merge(&mut target.object["spec"], patch);
    if expected == found_after {
        Ok(())
    } else {
        Err(failed("the result differs from the edit that was decided"))
    }
}

/// A JSON merge patch (RFC 7386): `null` takes a field away, and another `null` in the object stays.
pub fn merge(value: &mut Value, patch: &Map<String, Value>) {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Some(fields) = value.as_object_mut() else { return };
    for (key, new) in patch {
        match new {
            Value::Null => {
                fields.remove(key);
            }
            Value::Object(inner) => merge(fields.entry(key.clone()).or_insert(Value::Null), inner),
            Value::String(_) | Value::Array(_) | Value::Bool(_) | Value::Number(_) => {
                fields.insert(key.clone(), new.clone());
            }
        }
    }
}
