//! Is what we declare what the API server has?
//!
//! Not a comparison of bytes: the API server adds defaults, drops empty values, rewrites quantities and
//! lets others add to lists that are kept by key. Too strict, and a color would never count as ready;
//! too lenient, and an edit of a child by hand would pass the gate.

use serde_json::{Map, Value};

use super::quantity::is_stored_as;

/// The first declared field whose live value differs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: should be {declared}, is {live}")]
pub struct Difference {
    /// Path of the field, for example `spec.template.spec.containers[app].image`.
    pub path: String,
    /// What we declare, as JSON.
    pub declared: String,
    /// What the API server has, as JSON; `absent` when it has nothing.
    pub live: String,
}

/// Lists that the API server keeps by key, so that others may own items of their own.
const KEYED_LISTS: [(&str, &[&str]); 12] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("env", &["name"]),
    ("volumes", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("ownerReferences", &["uid"]),
    ("resourceClaims", &["name"]),
    ("schedulingGates", &["name"]),
];

/// Maps and selectors that belong to one writer as a whole: an entry more is a foreign edit.
const WHOLE: [&str; 5] = ["selector", "nodeSelector", "labelSelector", "namespaceSelector", "matchLabels"];

/// Maps that vanish when they are empty; structures stay as `{}`.
const MAPS: [&str; 8] =
    ["labels", "annotations", "nodeSelector", "matchLabels", "limits", "requests", "overhead", "data"];

/// Plain (not pointer) fields of core/v1 and apps/v1: their zero is the same as absent. For any other
/// field an explicit `false` or 0 differs from absent, for example in `allowPrivilegeEscalation`.
const ZERO_IS_ABSENT: [&str; 16] = [
    "failureThreshold",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "initialDelaySeconds",
    "minReadySeconds",
    "nodePort",
    "periodSeconds",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "successThreshold",
    "timeoutSeconds",
    "tty",
];

/// Plain fields of core/v1 whose zero the API server replaces by a default (which of two depends on the image's tag).
const ZERO_BECOMES: [(&str, &str); 16] = [
    ("apiVersion", "v1"),
    ("dnsPolicy", "ClusterFirst"),
    ("failureThreshold", "3"),
    ("imagePullPolicy", "Always"),
    ("imagePullPolicy", "IfNotPresent"),
    ("path", "/"),
    ("periodSeconds", "10"),
    ("protocol", "TCP"),
    ("restartPolicy", "Always"),
    ("schedulerName", "default-scheduler"),
    ("scheme", "HTTP"),
    ("sessionAffinity", "None"),
    ("successThreshold", "1"),
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
    ("timeoutSeconds", "1"),
];

/// Is every declared field equal in `live`?
///
/// Defaults that the API server added, and fields of others, don't matter; nor does anything that is
/// not declared, in `metadata` or elsewhere. A field that is no longer declared is *not* noticed: what
/// must notice that carries a label or annotation that changes with the declaration.
///
/// # Errors
/// The first difference, in alphabetical order of the declared fields.
pub fn covers(declared: &Value, live: &Value) -> Result<(), Difference> {
    match (declared, live) {
        (Value::Object(declared), Value::Object(live)) => {
            for (key, value) in declared {
                // Which kind this is, the caller knows; typed objects from a list don't say it.
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

/// Would the API server drop this value?
fn vanishes(key: &str, declared: &Value) -> bool {
    match declared {
        Value::Null => true,
        Value::Bool(value) => !value && ZERO_IS_ABSENT.contains(&key),
        Value::Number(value) => value.as_f64() == Some(0.0) && ZERO_IS_ABSENT.contains(&key),
        // `storageClassName: ""` asks for no class at all, absent asks for the default one.
        Value::String(text) => text.is_empty() && key != "storageClassName",
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => MAPS.contains(&key) && fields.is_empty(),
    }
}

/// Would the API server replace this value by just that default?
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
        field(&path, name, value, live)?;
    }
    if WHOLE.contains(&key)
        && let Some((name, value)) = live.iter().find(|(name, _)| !declared.contains_key(*name))
    {
        return Err(difference(&format!("{path}.{name}"), &Value::Null, Some(value)));
    }
    Ok(())
}

/// Is the field `name` of `parent` a quantity?
fn is_amount(parent: &str, name: &str) -> bool {
    matches!(parent, "limits" | "requests" | "overhead") || matches!(name, "sizeLimit" | "divisor")
}

/// A quantity may be written as a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn items(path: &str, key: &str, declared: &[Value], live: &[Value]) -> Result<(), Difference> {
    let Some(keys) = list_keys(key, declared) else {
        if declared.len() != live.len() {
            return Err(difference(path, &Value::from(declared), Some(&Value::from(live))));
        }
        for (index, (declared, live)) in declared.iter().zip(live).enumerate() {
            same(&format!("{path}[{index}]"), "", declared, live)?;
        }
        return Ok(());
    };
    for item in declared {
        let id = identity(keys, item);
        let path = format!("{path}[{}]", id.join("/"));
        match live.iter().find(|candidate| identity(keys, candidate) == id) {
            Some(live) => same(&path, "", item, live)?,
            None => return Err(difference(&path, item, None)),
        }
    }
    Ok(())
}

/// The keys of a list; `None` for lists that belong to one writer as a whole.
fn list_keys(key: &str, declared: &[Value]) -> Option<&'static [&'static str]> {
    if key == "ports" {
        // A container's, or else a Service's.
        let container = declared.iter().any(|item| item.get("containerPort").is_some());
        return Some(if container { &["containerPort", "protocol"] } else { &["port", "protocol"] });
    }
    KEYED_LISTS.iter().find(|(name, _)| *name == key).map(|(_, keys)| *keys)
}

/// What an item is known by, in a list that is kept by key.
fn identity(keys: &[&str], item: &Value) -> Vec<String> {
    keys.iter()
        .map(|key| match item.get(*key).filter(|value| value.as_str() != Some("")) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None if *key == "protocol" => "TCP".to_owned(),
            None => String::new(),
        })
        .collect()
}

fn difference(path: &str, declared: &Value, live: Option<&Value>) -> Difference {
    Difference {
        path: path.to_owned(),
        declared: match declared {
            Value::Null => "absent".to_owned(),
            declared => declared.to_string(),
        },
        live: live.map_or_else(|| "absent".to_owned(), ToString::to_string),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "covers_tests.rs"]
mod tests;
