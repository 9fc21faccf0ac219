//! PURE: ConfigMaps that do not go back with the code.
//!
//! A color's revision holds the name of a ConfigMap and not its content. Under a name that stays when the content changes, both colors
//! read the same one: an edit reaches the live color whenever one of its pods starts, and a switch back does not bring the old content.

use std::collections::BTreeMap;

use bluegreen_api::BlueGreenApp;
use bluegreen_core::validate::Problem;
use serde_json::Value;

/// Returns a warning for each ConfigMap of the app whose name stays when its content changes, at the first field that names it.
pub fn warnings(app: &BlueGreenApp, objects: &[Value]) -> Vec<Problem> {
    let Ok(spec) = serde_json::to_value(&app.spec) else { return Vec::new() };
    let mut named = BTreeMap::new();
    references("spec", &spec, &mut named);
    let stays = |name: &String| !is_versioned(name) && !is_fixed(name, objects);
    let problem = |(name, field): (String, String)| {
        let message = format!(
            "the name of ConfigMap {name} stays when its content changes, so both colors read the same content, and a switch back does \
             not bring the old content back: add a hash of the content to the name (kustomize's configMapGenerator does) or a version"
        );
        Problem { field, message }
    };
    named.into_iter().filter(|(name, _)| stays(name)).map(problem).collect()
}

/// Finds where ConfigMaps are named: in variables and in volumes, of the template and of each color.
fn references(path: &str, value: &Value, named: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let field = format!("{path}.{key}");
                // A check decides before the switch, and nothing goes back to it.
                if field == "spec.checks" {
                    continue;
                }
                let is_reference = matches!(key.as_str(), "configMap" | "configMapRef" | "configMapKeyRef");
                match value["name"].as_str().filter(|_| is_reference) {
                    Some(name) => drop(named.entry(name.to_owned()).or_insert(format!("{field}.name"))),
                    None => references(&field, value, named),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                references(&format!("{path}[{index}]"), item, named);
            }
        }
        _ => {}
    }
}

/// Returns true if the name ends with a hash or a version, such as `app-5m2k9tt6gc`, `app-v3` or `app-2024.1`. All have a digit, or, as
/// few hashes of kustomize, its ten characters and none.
fn is_versioned(name: &str) -> bool {
    let last = name.rsplit('-').next().unwrap_or(name);
    let is_hash = last.len() == 10 && last.chars().all(|it| "bcdfghkmt2456789".contains(it));
    last != name && (is_hash || last.contains(|it: char| it.is_ascii_digit()))
}

/// Returns true if the ConfigMap of this name is immutable, or kustomize completes its name.
fn is_fixed(name: &str, objects: &[Value]) -> bool {
    objects.iter().any(|object| {
        let generated = object["configMapGenerator"].as_array();
        let is_this = |one: &Value| one["name"] == name;
        let is_immutable = object["kind"] == "ConfigMap" && object["immutable"] == true;
        is_immutable && is_this(&object["metadata"]) || generated.is_some_and(|all| all.iter().any(is_this))
    })
}
