//! Edits from the CRD's own schema: a random field, and a value that it may have, or that it must not have.

use std::sync::OnceLock;

use bluegreen_proxy::Random;
use serde_json::{Map, Value, json};

const CRD: &str = include_str!("../../crds/bluegreen.dev_bluegreenapps.yaml");

/// The schema of `spec`.
fn spec() -> &'static Value {
    static SPEC: OnceLock<Value> = OnceLock::new();
    SPEC.get_or_init(|| {
        let crd: Value = serde_yaml_ng::from_str(CRD).expect("the CRD is YAML");
        let spec = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
        spec.cloned().expect("the CRD has a schema of spec")
    })
}

/// A merge patch of the spec that sets one field, wherever it is.
pub fn edit(random: &mut Random) -> Value {
    let mut patch = patch(random, spec(), 0);
    if !patch.is_object() {
        patch = json!({});
    }
    // A field of the overlay shows only where a color is rendered anew.
    if patch.get("template").is_some() && random.below(2) == 0 {
        let color = if random.below(2) == 0 { "blue" } else { "green" };
        patch[color] = json!({"tag": format!("v{}", 1 + random.below(5))});
    }
    patch
}

/// Goes down into one of the fields; sooner or later sets one.
fn patch(random: &mut Random, schema: &Value, depth: u64) -> Value {
    if depth > 0 && random.below(6) == 0 {
        return hostile(random, schema);
    }
    if let Some(fields) = schema["properties"].as_object() {
        // `template.spec` has a thousand fields: the others should have their turn, too.
        let names: Vec<&String> = fields.keys().collect();
        let name = names[usize::try_from(random.below(names.len() as u64)).unwrap_or(0)];
        let mut object = required(random, schema, fields, depth);
        object.insert(name.clone(), patch(random, &fields[name], depth + 1));
        return Value::Object(object);
    }
    if schema["items"].is_object() && random.below(4) > 0 {
        return json!([patch(random, &schema["items"], depth + 1)]);
    }
    if schema["additionalProperties"].is_object() && random.below(4) > 0 {
        let key = if random.below(2) == 0 { "a".to_owned() } else { text(random) };
        return json!({ key: patch(random, &schema["additionalProperties"], depth + 1) });
    }
    if random.below(3) == 0 { hostile(random, schema) } else { fitting(random, schema) }
}

/// What an object must have. A merge patch adds to what is there, so at the top nothing is needed.
fn required(
    random: &mut Random,
    schema: &Value,
    fields: &Map<String, Value>,
    depth: u64,
) -> Map<String, Value> {
    let mut object = Map::new();
    if depth == 0 {
        return object;
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let value = match name {
            // Where a container is meant, it is mostly the app's.
            "name" => json!("app"),
            _ => fitting(random, &fields[name]),
        };
        object.insert(name.to_owned(), value);
    }
    object
}

/// A value of the right type, up to its limits.
fn fitting(random: &mut Random, schema: &Value) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[usize::try_from(random.below(values.len() as u64)).unwrap_or(0)].clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return if random.below(2) == 0 { json!(1) } else { json!("http") };
    }
    match schema["type"].as_str() {
        Some("integer") => {
            let least = schema["minimum"].as_f64().unwrap_or(0.0) as i64;
            let most = schema["maximum"].as_f64().unwrap_or(f64::from(i32::MAX)) as i64;
            json!([least, least + 1, most][usize::try_from(random.below(3)).unwrap_or(0)])
        }
        Some("number") => json!(0.5),
        Some("boolean") => json!(random.below(2) == 0),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("hello"),
    }
}

/// Taken away, empty, extreme, or of another type.
fn hostile(random: &mut Random, schema: &Value) -> Value {
    let of_type = match schema["type"].as_str() {
        Some("integer" | "number") => [
            json!(-1),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(2_147_483_648_u64),
            json!(1e308),
        ]
        .to_vec(),
        Some("array") => vec![json!([null]), json!([[]]), json!([{}, {}]), json!(vec![0; 300])],
        Some("object") => vec![json!({"no-such-field": 1}), json!({"": {}}), json!({"a": null})],
        _ => vec![json!(""), json!(text(random)), json!("x".repeat(4_000))],
    };
    let any =
        [Value::Null, json!(true), json!(0), json!(""), json!([]), json!({}), json!("\u{202e}\u{0}\u{feff}")];
    let from = if random.below(2) == 0 { &of_type[..] } else { &any[..] };
    from[usize::try_from(random.below(from.len() as u64)).unwrap_or(0)].clone()
}

fn text(random: &mut Random) -> String {
    let signs: Vec<char> = "ab-_./:@ %{}\"'\\\n\t\u{e9}\u{4e16}\u{1F4A5}\u{0}0".chars().collect();
    let length = random.below(12);
    let sign = |random: &mut Random| signs[usize::try_from(random.below(signs.len() as u64)).unwrap_or(0)];
    (0..length).map(|_| sign(random)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn do_edits_reach_every_field_of_the_spec_and_go_deep() {
        let edits: Vec<Value> = (0..4_000).map(|seed| edit(&mut Random::new(seed))).collect();
        let fields = spec()["properties"].as_object().unwrap();
        for name in fields.keys() {
            let of_field = edits.iter().filter(|edit| edit.get(name).is_some());
            assert!(of_field.count() > 20, "{name}");
        }
        let deep = edits.iter().filter(|edit| edit.pointer("/template/spec").is_some_and(Value::is_object));
        assert!(deep.count() > 50);
    }
}
