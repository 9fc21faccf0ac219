//! The size of a spec. The operator keeps what it renders several times, so one app must not be as large as an object can be.

use std::io;

use serde::Serialize;
use serde_json::Value;

use super::Found;
use crate::harmless::harmless;
use bluegreen_api::{BlueGreenAppSpec, SPEC_BYTES};

/// How many bytes of the field's path are told: the keys of a map may be long.
const PATH: usize = 200;

pub(super) fn check(found: &mut Found, spec: &BlueGreenAppSpec) {
    let whole = bytes(spec);
    if whole <= SPEC_BYTES {
        return;
    }
    // Only now: to take it apart costs as much as the spec itself.
    let spec = serde_json::to_value(spec).unwrap_or_default();
    let (path, most) = largest("spec".to_owned(), &spec, whole);
    let path = harmless(&path, PATH);
    let rule = format!(
        "has {whole} bytes as JSON and must have at most {SPEC_BYTES}; {most} of them are in {path}: move large values \
         into a ConfigMap or Secret, and refer to it with envFrom, valueFrom or a volume"
    );
    found.add("spec", rule);
}

/// The size as JSON without blanks.
fn bytes(value: &impl Serialize) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, written: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(written.len());
            Ok(written.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // What came from the API server can be written as JSON, and the counter takes everything.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// The innermost field that holds at least half of all bytes, with its size.
fn largest(path: String, value: &Value, whole: usize) -> (String, usize) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (format!("{path}.{key}"), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let holds_half = |(_, child): &(String, &Value)| bytes(child).saturating_mul(2) >= whole;
    match children.into_iter().find(holds_half) {
        Some((path, child)) => largest(path, child, whole),
        None => (path, bytes(value)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::{Problem, blocking, problems};
    use super::*;

    fn spec(env: &Value, blue: &Value) -> BlueGreenAppSpec {
        serde_json::from_value(json!({
            "active": "blue", "image": "example.com/hello", "blue": { "tag": "v1", "env": blue }, "port": 8080,
            "template": { "spec": { "containers": [{ "name": "app", "env": env }] } },
        }))
        .unwrap()
    }

    fn only(spec: &BlueGreenAppSpec) -> Problem {
        let [problem] = <[Problem; 1]>::try_from(problems("hello", spec)).unwrap();
        assert_eq!(
            blocking("hello", spec).len(),
            1,
            "the operator keeps it in memory, whenever it was stored"
        );
        assert_eq!(problem.field, "spec");
        problem
    }

    #[test]
    fn the_field_that_makes_a_spec_too_large_is_named_with_its_size_and_the_remedy() {
        let value = |bytes: usize| json!([{ "name": "A", "value": "x".repeat(bytes) }]);
        let big = only(&spec(&json!([]), &value(300_000))).message;
        assert!(big.contains("300002 of them are in spec.blue.env[0].value: move large values"), "{big}");
        let names: Vec<Value> =
            (0..1000).map(|i| json!({ "name": format!("A{i}"), "value": "x".repeat(300) })).collect();
        let many = only(&spec(&names.into(), &json!([]))).message;
        assert!(many.contains(" of them are in spec.template.spec.containers[0].env: move"), "{many}");
        let key = format!("\u{1b}[2J{}", "k".repeat(1000));
        let mut hostile = spec(&json!([]), &json!([]));
        hostile.service.annotations.insert(key, "x".repeat(300_000));
        let hostile = only(&hostile).message;
        assert!(hostile.len() < 512 && !hostile.contains('\u{1b}'), "{hostile}");
    }

    #[test]
    fn a_spec_may_be_as_large_as_the_bound() {
        let empty = bytes(&spec(&json!([{ "name": "A", "value": "" }]), &json!([])));
        let of =
            |bytes: usize| spec(&json!([{ "name": "A", "value": "x".repeat(bytes - empty) }]), &json!([]));
        assert_eq!(problems("hello", &of(SPEC_BYTES)), []);
        only(&of(SPEC_BYTES + 1));
    }
}
