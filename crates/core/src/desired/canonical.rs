//! Values as JSON, and short hashes of that, which stay the same from one release to the next.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Converts a value to JSON. That can't fail for these types, because the keys of all their maps are text. `null`
/// stands for the impossible case, so that this function never fails.
pub(super) fn as_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Returns the first 64 bits of the SHA-256 of the canonical text, as 16 hexadecimal digits.
///
/// That is enough to tell the few revisions of one app apart. It need not resist an attack: nobody gains anything
/// from two of their own revisions that collide.
pub(super) fn short_hash(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    Sha256::digest(text.as_bytes()).iter().take(8).fold(String::new(), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes the canonical text: keys are sorted, nulls and spaces are left out. So the order of the fields in our types
/// does not matter.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (index, (key, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_nulls_make_no_difference_but_values_do() {
        let one: Value = serde_json::from_str(r#"{"a": 1, "b": {"d": null, "c": ["x", 2]}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b": {"c": ["x", 2]}, "a": 1}"#).unwrap();
        assert_eq!(short_hash(&one), short_hash(&other));
        assert_ne!(short_hash(&one), short_hash(&json!({"a": 2, "b": {"c": ["x", 2]}})));
        assert_ne!(short_hash(&json!("1")), short_hash(&json!(1)));
    }

    #[test]
    fn the_hash_is_the_one_that_earlier_releases_wrote() {
        assert_eq!(short_hash(&json!({"b": [true, "ü\n"], "a": 1})), "1de2f4cb1bd2c2f8");
    }
}
