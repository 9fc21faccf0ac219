//! Compares what the operator declares with what the API server has.
//!
//! The two are not equal byte by byte: the API server adds defaults, drops empty values, rewrites quantities, and
//! lets others add items to lists that are merged by key. If the comparison were too strict, a color would never
//! count as ready. If it were too lenient, an edit of a child by hand would pass the gate.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::quantity::is_stored_as;
use bluegreen_api::KeyedList;

/// A declared field whose live value differs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: should be {declared}, is {live}")]
pub struct Difference {
    /// Path of the field, for example `spec.template.spec.containers[app].image`.
    pub path: String,
    /// The declared value, as JSON.
    pub declared: String,
    /// The value on the API server, as JSON, or `absent`.
    pub live: String,
}

/// The maps and selectors that belong to one writer as a whole. An additional entry is somebody else's edit.
const WHOLE: [&str; 5] = ["selector", "nodeSelector", "labelSelector", "namespaceSelector", "matchLabels"];

/// The maps that the API server drops if they are empty. It keeps an empty structure as `{}`.
const MAPS: [&str; 10] = [
    "labels",
    "annotations",
    "nodeSelector",
    "matchLabels",
    "limits",
    "requests",
    "overhead",
    "data",
    "options",
    "volumeAttributes",
];

/// The fields of core/v1 and apps/v1 for which zero or `false` is the same as absent.
///
/// In Kubernetes' Go types they are plain fields, not pointers. For any other field, an explicit `false` or 0 differs
/// from absent, for example for `allowPrivilegeEscalation`.
const ZERO_IS_ABSENT: [&str; 21] = [
    "chapAuthDiscovery",
    "chapAuthSession",
    "failureThreshold",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "initialDelaySeconds",
    "minReadySeconds",
    "nodePort",
    "partition",
    "paused",
    "periodSeconds",
    "publishNotReadyAddresses",
    "readOnly",
    "sslEnabled",
    "stdin",
    "stdinOnce",
    "successThreshold",
    "timeoutSeconds",
    "tty",
];

/// The plain fields of core/v1 whose zero value the API server replaces by a default, with that default. The default
/// of `imagePullPolicy` depends on the image's tag.
const ZERO_BECOMES: [(&str, &str); 25] = [
    ("apiVersion", "v1"),
    ("dnsPolicy", "ClusterFirst"),
    ("failureThreshold", "3"),
    ("fsType", "ext4"),
    ("fsType", "xfs"),
    ("imagePullPolicy", "Always"),
    ("imagePullPolicy", "IfNotPresent"),
    ("iscsiInterface", "default"),
    ("keyring", "/etc/ceph/keyring"),
    ("path", "/"),
    ("periodSeconds", "10"),
    ("pool", "rbd"),
    ("protocol", "TCP"),
    ("pullPolicy", "Always"),
    ("pullPolicy", "IfNotPresent"),
    ("restartPolicy", "Always"),
    ("schedulerName", "default-scheduler"),
    ("scheme", "HTTP"),
    ("sessionAffinity", "None"),
    ("storageMode", "ThinProvisioned"),
    ("successThreshold", "1"),
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
    ("timeoutSeconds", "1"),
    ("user", "admin"),
];

/// Checks that every declared field has its value in `live`.
///
/// Nothing that is not declared matters: neither defaults of the API server nor fields of others. So a field that is
/// no longer declared is *not* noticed. An object for which that matters carries a label or an annotation that
/// changes with its declaration (such as [`names::DECLARED`](super::names::DECLARED)).
///
/// # Errors
/// The first difference, in alphabetical order of the declared fields.
pub fn covers(declared: &Value, live: &Value) -> Result<(), Difference> {
    match (declared, live) {
        (Value::Object(declared), Value::Object(live)) => {
            for (key, value) in declared {
                // The caller knows the kind. An object from a list does not name it.
                if matches!(key.as_str(), "apiVersion" | "kind") && !live.contains_key(key) {
                    continue;
                }
                field(key, key, value, live.get(key))?;
            }
            Ok(())
        }
        _ => same("", "", declared, live),
    }
}

fn field(path: &str, key: &str, declared: &Value, live: Option<&Value>) -> Result<(), Difference> {
    let absent = match live {
        None | Some(Value::Null) => None,
        Some(live) => Some(live),
    };
    match absent {
        Some(live) => same(path, key, declared, live),
        None if vanishes(key, declared) => Ok(()),
        None => Err(difference(path, declared, None)),
    }
}

/// Returns true if the API server would drop this value.
fn vanishes(key: &str, declared: &Value) -> bool {
    match declared {
        Value::Null => true,
        Value::Bool(value) => !value && ZERO_IS_ABSENT.contains(&key),
        Value::Number(value) => value.as_f64() == Some(0.0) && ZERO_IS_ABSENT.contains(&key),
        // `storageClassName: ""` means no class at all, and an absent field means the default class.
        Value::String(text) => text.is_empty() && key != "storageClassName",
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => MAPS.contains(&key) && fields.is_empty(),
    }
}

/// Returns true if the API server would replace the declared value by the live one, as a default.
fn becomes(key: &str, declared: &Value, live: &Value) -> bool {
    let is_zero = declared.as_str() == Some("") || declared.as_f64() == Some(0.0);
    is_zero && text(live).is_some_and(|live| ZERO_BECOMES.contains(&(key, live.as_str())))
}

fn same(path: &str, key: &str, declared: &Value, live: &Value) -> Result<(), Difference> {
    let equal = match (declared, live) {
        (Value::Object(declared), Value::Object(live)) => return fields(path, key, declared, live),
        (Value::Array(declared), Value::Array(live)) => return items(path, key, declared, live),
        (Value::Null, _) => true,
        (Value::Number(declared), Value::Number(live)) => {
            declared == live || declared.as_f64() == live.as_f64()
        }
        (declared, live) => declared == live,
    };
    if equal || becomes(key, declared, live) { Ok(()) } else { Err(difference(path, declared, Some(live))) }
}

fn fields(
    path: &str,
    key: &str,
    declared: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Result<(), Difference> {
    for (name, value) in declared {
        let path = format!("{path}.{name}");
        let live = live.get(name);
        if is_amount(key, name)
            && let (Some(value), Some(live)) = (text(value), live.and_then(text))
        {
            if !is_stored_as(&value, &live) {
                return Err(difference(&path, &value.into(), Some(&live.into())));
            }
            continue;
        }
        // An entry of a map without a value is there, unlike a field without one.
        if MAPS.contains(&key) && value.is_string() && live.is_none() {
            return Err(difference(&path, value, None));
        }
        field(&path, name, value, live)?;
    }
    if WHOLE.contains(&key)
        && let Some((name, value)) = live.iter().find(|(name, _)| !declared.contains_key(*name))
    {
        return Err(difference(&format!("{path}.{name}"), &Value::Null, Some(value)));
    }
    Ok(())
}

/// Returns true if the field `name` of `parent` is a quantity.
fn is_amount(parent: &str, name: &str) -> bool {
    matches!(parent, "limits" | "requests" | "overhead") || matches!(name, "sizeLimit" | "divisor")
}

/// Returns the text of a quantity, which may also be written as a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn items(path: &str, key: &str, declared: &[Value], live: &[Value]) -> Result<(), Difference> {
    let Some(list) = KeyedList::named(key, declared) else {
        if declared.len() != live.len() {
            return Err(difference(path, &Value::from(declared), Some(&Value::from(live))));
        }
        for (index, (declared, live)) in declared.iter().zip(live).enumerate() {
            same(&format!("{path}[{index}]"), "", declared, live)?;
        }
        return Ok(());
    };
    // The API server keeps the order, so an item is nearly always where it was declared. Where it is not, one look through
    // the list has to do for all: whoever may create apps writes lists as long as an object can hold.
    let mut elsewhere = None;
    for (index, item) in declared.iter().enumerate() {
        let id = list.identity(item);
        let path = format!("{path}[{}]", id.join("/"));
        let found = match live.get(index) {
            Some(here) if list.identity(here) == id => Some(here),
            Some(_) | None => elsewhere.get_or_insert_with(|| by_identity(list, live)).get(&id).copied(),
        };
        match found {
            Some(live) => same(&path, "", item, live)?,
            None => return Err(difference(&path, item, None)),
        }
    }
    Ok(())
}

/// The items of a list by what tells them apart. Of two that have the same keys, the first counts.
fn by_identity<'a>(list: &KeyedList, items: &'a [Value]) -> HashMap<Vec<String>, &'a Value> {
    items.iter().rev().map(|item| (list.identity(item), item)).collect()
}

pub(super) fn difference(path: &str, declared: &Value, live: Option<&Value>) -> Difference {
    Difference {
        path: path.to_owned(),
        declared: match declared {
            Value::Null => "absent".to_owned(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                declared.to_string()
            }
        },
        live: live.map_or_else(|| "absent".to_owned(), ToString::to_string),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "covers_tests.rs"]
mod tests;
